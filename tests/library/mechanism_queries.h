// Queries that say what a mechanism does, with the papers that do it.
//
// The queries of kTuning were used to choose the words of library/mechanisms.cc; those of kHeldOut were
// written at the same time and only measured, and those of kFresh after the table was finished.
#pragma once

#include <array>
#include <string_view>

namespace gabbro::library {

struct MechanismQuery {
  std::string_view query;
  std::string_view papers;  // ids, separated by spaces
};

inline constexpr std::array kTuning{
    MechanismQuery{"decay the state by a data-dependent gate", "gla mamba hgrn2 rwkv6 gateloop mamba2"},
    MechanismQuery{"overwrite the old value stored under a key before writing a new one",
                   "deltanet gated-deltanet fwp-delta kda"},
    MechanismQuery{"remove the normalisation layers altogether", "dyt rezero fixup"},
    MechanismQuery{"give the input to each token's channels from the previous token",
                   "rwkv4 rwkv6 rwkv7 canon"},
    MechanismQuery{"cut memory for decoding by letting heads read the same keys", "mqa gqa mla gta-gla cla"},
    MechanismQuery{"run the same layers several times",
                   "universal-transformer huginn albert relaxed-recursive"},
    MechanismQuery{"penalise far away positions in the scores", "alibi kerple fox t5"},
    MechanismQuery{"every layer sees the outputs of all layers before it",
                   "densenet denseformer mudd attnres hyper-connections"},
    MechanismQuery{"pick a few blocks of the past by content and attend only there",
                   "nsa moba quest seer-attention landmark"},
    MechanismQuery{"update weights by gradient descent while reading the text",
                   "ttt titans lact dynamic-evaluation atlas"},
    MechanismQuery{"mix the scores of different heads", "talking-heads dcmha mta"},
    MechanismQuery{"a small local filter over neighbouring tokens in front of the mixer",
                   "canon mamba griffin primer h3"},
    MechanismQuery{"approximate the exponential kernel by random projections", "performer rfa"},
    MechanismQuery{"make the recurrence computable for all positions at once",
                   "min-rnn qrnn sru parallel-linear-rnn s5 lru"},
    MechanismQuery{"track permutations with a state transition that reflects",
                   "deltaproduct negative-eigenvalues path rwkv7"},
    MechanismQuery{"multiply the output by a sigmoid of the input", "gated-attention glu-variants gcnn gau"},
    MechanismQuery{"let easy tokens skip layers", "mixture-of-depths calm mixture-of-recursions act"},
    MechanismQuery{"keep a fixed number of slots in place of all keys", "abc gsa luna"},
    MechanismQuery{"bound the size of the logits so that training does not diverge",
                   "qk-norm gemma2 vit-22b sigma-reparam small-scale-proxies"},
    MechanismQuery{"subtract two attention maps", "differential"},
    MechanismQuery{"combine a recurrent layer with attention over a short window",
                   "griffin samba based recurrentgemma taipan"},
    MechanismQuery{"memory that grows logarithmically with the text",
                   "log-linear-attention h-transformer bp-transformer"},
    MechanismQuery{"generate the filter weights from the input", "dynamic-conv orchid jet-nemotron"},
    MechanismQuery{"slow and fast parts that tick at different rates", "clockwork hm-rnn hrm on-lstm"},
};

inline constexpr std::array kHeldOut{
    MechanismQuery{"forget the past depending on the content of each token",
                   "fox forget-gate hgrn gla mamba xlstm"},
    MechanismQuery{"correct the memory by the error of its prediction",
                   "deltanet gated-deltanet fwp-delta longhorn ttt widrow-hoff"},
    MechanismQuery{"attention whose weights need not add up to one", "sigmoid-attention"},
    MechanismQuery{"rotate the state in the complex plane", "lru urnn gateloop mamba3 megalodon"},
    MechanismQuery{"share parameters between blocks with small differences per block",
                   "relaxed-recursive zamba2 albert"},
    MechanismQuery{"several residual streams mixed by learned matrices", "hyper-connections mhc"},
    MechanismQuery{"pass values from the first layer to later ones", "value-residual"},
    MechanismQuery{"choose which small networks process a token",
                   "sparse-moe switch mixtral deepseek-moe expert-choice"},
    MechanismQuery{"no explicit information about position", "nope-lm nope-impact rnope"},
    MechanismQuery{"solve a least squares problem over the past at each step",
                   "mesanet test-time-regression mesa-optimization"},
    MechanismQuery{"average of the past with exponentially shrinking weights", "mega megalodon retnet aft"},
    MechanismQuery{"very long filters computed by FFT", "hyena sgconv longconv flashfftconv s4"},
    MechanismQuery{"learn how far each head looks back", "adaptive-span"},
    MechanismQuery{"first tokens that collect unused attention",
                   "streaming-sinks gated-attention duo-attention"},
    MechanismQuery{"compress old activations before storing them", "compressive autocompressors gist nsa"},
    MechanismQuery{"carry a summary from one chunk of text to the next",
                   "rmt transformer-xl block-recurrent infini-attention armt"},
    MechanismQuery{"feed-forward layer as a lookup in a huge table of learned keys",
                   "product-keys memory-layers peer ultramem"},
    MechanismQuery{"scale every residual branch by a learned factor that starts near zero",
                   "rezero layerscale"},
    MechanismQuery{"features of products whose dot product is a polynomial of the scores",
                   "polysketchformer power-attention based rebased"},
    MechanismQuery{"state that is a matrix built from outer products",
                   "fast-weights-1992 linear-attention xlstm rwkv6 hgrn2 fwp-delta"},
    MechanismQuery{"shorten the sequence in the middle of the network",
                   "hourglass funnel dynamic-pooling h-net"},
    MechanismQuery{"run attention and feed-forward side by side", "gpt-j palm vit-22b"},
    MechanismQuery{"gates that use an exponential in place of a sigmoid", "xlstm"},
    MechanismQuery{"momentum in the update of a memory", "titans atlas"},
};

inline constexpr std::array kFresh{
    MechanismQuery{"input-dependent forget gate per channel", "gla hgrn2 rwkv6 kda hgrn mamba"},
    MechanismQuery{"erase part of the memory before adding", "ntm gdn2 deltanet gated-deltanet fwp-delta"},
    MechanismQuery{"linear biases instead of positional embeddings", "alibi t5 kerple fire"},
    MechanismQuery{"repeat a block with shared weights to get depth",
                   "universal-transformer huginn albert sharing-lessons"},
    MechanismQuery{"weighted average of earlier layer outputs as input", "denseformer attnres mudd densenet"},
    MechanismQuery{"gate on the attention output", "gated-attention mega gau"},
    MechanismQuery{"local convolution before attention keys and values", "canon primer mta"},
    MechanismQuery{"softmax free attention with relu weights",
                   "sigmoid-attention cosformer gau linear-attention"},
    MechanismQuery{"tokens stop being processed once they are confident",
                   "calm act pondernet layerskip mixture-of-recursions"},
    MechanismQuery{"hierarchical summaries of the distant past",
                   "log-linear-attention h-transformer bp-transformer compressive"},
    MechanismQuery{"negative attention weights to cancel noise", "differential"},
    MechanismQuery{"oscillating recurrent units", "linoss urnn lru mamba3"},
    MechanismQuery{"low-dimensional latent from which keys and values are expanded", "mla tpa gta-gla"},
    MechanismQuery{"recurrence with exact recall through some full attention layers",
                   "jamba samba hybrid-linear-analysis nemotron-h minimax-01 taipan based"},
    MechanismQuery{"learnable activation functions", "kan polycom swish maxout"},
    MechanismQuery{"normalise queries and keys for stability",
                   "qk-norm vit-22b gemma3 small-scale-proxies ngpt"},
    MechanismQuery{"norm both before and after each sublayer", "sandwich-norm peri-ln gemma2"},
    MechanismQuery{"second-order update of an online memory", "atlas mesanet longhorn lact"},
    MechanismQuery{"cluster keys so that each query sees only similar ones", "routing-transformer reformer"},
    MechanismQuery{"interpolate between current and previous token embedding", "rwkv4 rwkv6 rwkv7"},
    MechanismQuery{"counting positions by content", "cope"},
    MechanismQuery{"polynomial feature expansion of queries and keys",
                   "based polysketchformer power-attention rebased atlas"},
    MechanismQuery{"low rank correction added to the skip connection", "laurel"},
    MechanismQuery{"multiple memories with a router that picks one to write", "mom"},
};

}  // namespace gabbro::library
