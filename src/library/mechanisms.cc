#include "library/mechanisms.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "library/text.h"

namespace gabbro::library {

namespace {

struct Mechanism {
  std::string_view name;
  std::string_view phrases;  // between commas; a word that ends in * matches by its beginning
  std::string_view papers;   // ids of built-in papers that do it; others do it if they use the words
};

// A phrase may stand in several rows. Words are compared in lower case, without hyphens and punctuation.
constexpr std::array kMechanisms{
    Mechanism{"forget",
              "decay*, forget*, fade*, leak*, discount*, expir*, retention, moving average, exponential "
              "average, exponentially shrinking, shrinking weights, age out, recent tokens count more, g t "
              "s, a t s, a t h, f t h",
              "gla mamba mamba2 hgrn hgrn2 rwkv4 rwkv6 rwkv7 gateloop retnet fox forget-gate lstm xlstm "
              "gated-deltanet kda griffin min-rnn qrnn sru mega megalodon rodimus metala transnormerllm lru "
              "comba gdn2 titans miras xpos aft gsa forget-alone stuffed-mamba expire-span"},
    Mechanism{"gate",
              "gate, gates, gated, gating, highway, glu, swiglu, multiply the output, sigmoid of the input, "
              "sigmoid of x, elementwise product, multiplicative",
              "lstm gru forget-gate gla mamba hyena h3 gss gau glu-variants gcnn gated-attention highway "
              "gtrxl mega griffin hgrn gateloop mogrifier wavenet bigs memorizing aft min-rnn retnet gmlp"},
    Mechanism{"dynamic",
              "data dependent, input dependent, content dependent, context dependent, selective, data "
              "controlled, depend* on the input, depend* on the token, depend* on the content, depending on "
              "the content, content of each token, dynamic weights, from the input, computed from the token, "
              "of the input, per token, computed from x, generated per token, dynamic",
              "gla mamba mamba2 hgrn hgrn2 rwkv6 rwkv7 gateloop fox gated-deltanet kda griffin dynamic-conv "
              "orchid jet-nemotron dcmha mudd path cope liquid-s4 min-rnn xlstm hyper-connections gsa "
              "rodimus taipan mamba3 longhorn"},
    Mechanism{"state",
              "state, states, fixed state, recurrent state, hidden state, fast weights, cell, memory matrix, "
              "matrix memory, fixed size, recurrence, linear recurrence",
              "gla mamba mamba2 mamba3 hgrn hgrn2 rwkv6 rwkv7 retnet gateloop linear-attention lstm gru "
              "xlstm gated-deltanet deltanet s4 s5 lru griffin min-rnn"},
    Mechanism{"outer",
              "outer product*, matrix memory, matrix state, matrix valued, state is a matrix, state "
              "expansion, k t v t, v t k t, one matrix, fast weights, hebbian",
              "fast-weights-1992 fast-weights-2016 fwp-delta linear-attention retnet gla rwkv6 rwkv7 hgrn2 "
              "mamba2 xlstm deltanet gated-deltanet kda infini-attention xlstm-7b tfla armt"},
    Mechanism{"correct",
              "delta, what was stored, stored under, stored for, stored value, delta rule, overwrit*, "
              "erase*, erasing, old value, remove* what, replace* the value, correct*, prediction error, "
              "error of its prediction, error of the prediction, widrow*, beta t, what the memory returns",
              "widrow-hoff fwp-delta deltanet gated-deltanet kda gdn2 rwkv7 deltaproduct longhorn comba "
              "deltaformer ntm recurrent-fwp srwm infini-attention armt ttt"},
    Mechanism{"reflect",
              "householder, reflect*, state tracking, track*, permutation*, negative eigenvalue*, parity",
              "deltaproduct negative-eigenvalues path rwkv7 deltanet mamba3 urnn illusion-of-state"},
    Mechanism{"inner",
              "update* weights, inner update*, inner state, test time training, gradient step*, inner loop, "
              "online learn*, while reading, gradient descent, online gradient, learn* at test time, dynamic "
              "evaluation, inner loss, inner model, fast weights, adapts at test time, meta learn*",
              "ttt titans atlas lact miras dynamic-evaluation dynamic-evaluation-transformer mesanet "
              "longhorn metalearned-memory srwm ttt-original icl-gd"},
    Mechanism{"leastsquares",
              "least squares, ridge, regression, conjugate gradient, optimal solution, recursive least "
              "squares, locally optimal",
              "mesanet test-time-regression mesa-optimization icl-algorithms longhorn atlas"},
    Mechanism{"momentum", "momentum, muon, past surprise", "titans atlas gpt-icl-metaopt lact muon-scalable"},
    Mechanism{
        "sharedkeys",
        "multi query, grouped query, same keys, share* keys, shared keys, kv cache, keys and values are "
        "shared, one key, cache of keys, memory for decoding, shared by all heads, groups of heads, latent",
        "mqa gqa mla gta-gla cla tpa yoco palm mistral sambay"},
    Mechanism{
        "loop",
        "repeat*, again and again, repetition*, loop*, weight sharing, shared layers, same layers, layers "
        "several times, same block, recurrent depth, applied repeatedly, applied again, share parameters, "
        "shared weights, shared block, sharing parameters, fixed point, one layer is, unrolled",
        "universal-transformer huginn albert relaxed-recursive sharing-lessons latent-thoughts "
        "looped-computers looped-learning moeut mixture-of-recursions deq hrm trm zamba mobilellm wide-ffn"},
    Mechanism{"perlayer", "low rank adapt*, lora, per depth, small differences, per block, adapters, adapter",
              "relaxed-recursive zamba2 mixture-of-recursions"},
    Mechanism{"adaptive",
              "skip*, bypass*, computation per token, halting, early exit, exit*, halt*, adaptive comput*, "
              "skip layers, easy tokens, ponder*, conditional comput*, skip the block, fewer steps, number "
              "of steps, depth per token, adaptive compute",
              "act calm layerskip mixture-of-depths mixture-of-recursions pondernet universal-transformer "
              "colt5 moe-plus-plus layerdrop hrm"},
    Mechanism{"crosslayer",
              "cross layer, earlier layers, all layers, previous layers, dense connections, outputs of all, "
              "all earlier, all previous, first layer, depth averag*, depth attention, later ones, later "
              "layers, previous layer, layer below",
              "densenet denseformer mudd attnres hyper-connections value-residual cla feedback-transformer "
              "realformer unet sambay yoco"},
    Mechanism{"streams",
              "multi stream, residual streams, several streams, streams, hyper connections, n copies",
              "hyper-connections mhc mudd residual-dual"},
    Mechanism{"distance", "bias*, distance*, far away, relative position*, relative, penalis*, penaliz*",
              "alibi kerple t5 fire relative-shaw sandwich-pe transformer-xl xpos fox tnn cosformer retnet"},
    Mechanism{"noposition",
              "no position*, position free, without position*, nope, no explicit, without positional",
              "nope-lm nope-impact rnope fox stick-breaking"},
    Mechanism{"nonorm",
              "normalisation free, normalization free, without normali*, remove the normali*, no normali*, "
              "layer norm is replaced, replaces layer norm, norms are replaced, in place of normali*",
              "dyt rezero fixup"},
    Mechanism{"startzero",
              "starts at zero, start at zero, starts near zero, near zero, initialised at zero, from zero, "
              "small value, layer scale, per channel scale, learned factor, learned scalar",
              "rezero layerscale fixup admin"},
    Mechanism{"branch", "residual branch, each branch, every branch, residual, residuals, skip connection*",
              "resnet rezero layerscale deepnet laurel highway gtrxl admin"},
    Mechanism{"shortconv",
              "small convolution*, short filter*, width 3, short convolution*, depthwise*, local filter, "
              "neighbouring tokens, neighboring tokens, small local, causal convolution, width 4, width "
              "four, convolution of width, canon",
              "canon mamba griffin primer h3 hyena mamba2 gated-deltanet lfm2 rodimus mta conformer kda"},
    Mechanism{"shift",
              "token shift, previous token, previous one, last token, neighbour before, shift*, neighbouring "
              "tokens",
              "rwkv4 rwkv6 rwkv7 canon h3"},
    Mechanism{"longconv",
              "long convolution*, fft, fourier, long filter*, very long filter*, implicit filter, filter as "
              "long, global convolution*, length of the sequence",
              "hyena sgconv longconv ckconv flashfftconv s4 tnn spectral-ssm monarch-mixer h3 orchid"},
    Mechanism{
        "dynamicfilter",
        "dynamic convolution, dynamic weights, filter weights, kernel is generated, kernel from the, kernel "
        "of each, weights are predicted, generate* the filter, filter from the input, filters from",
        "dynamic-conv orchid jet-nemotron"},
    Mechanism{"heads",
              "talking heads, head mixing, mix the scores, across heads, between heads, mix heads, different "
              "heads, combine heads, scores of different",
              "talking-heads dcmha mta"},
    Mechanism{"blockchoice",
              "block selection, blocks of the past, few blocks, top blocks, selected blocks, select* blocks, "
              "chunks are chosen, sparse attention by content, landmark, chooses blocks, attend only there, "
              "pages, each query picks",
              "nsa moba quest seer-attention landmark"},
    Mechanism{"window",
              "window, sliding window, local attention, short window, looks back, look back, span, recent "
              "past, recent tokens",
              "longformer mistral gemma2 gemma3 samba griffin based recurrentgemma taipan adaptive-span "
              "sparse-transformer rodimus streaming-sinks hymba"},
    Mechanism{"learnedspan", "learned span, adaptive span, learn* how far, how far each head",
              "adaptive-span expire-span"},
    Mechanism{"hybrid",
              "hybrid, interleav*, alternat*, combine a recurrent, mix of layers, attention layers and, "
              "recurrent layer with, with attention over, some attention, few attention layers",
              "griffin samba based recurrentgemma taipan jamba zamba hymba nemotron-h falcon-h1 minimax-01 "
              "sambay rodimus hybrid-linear-analysis mega"},
    Mechanism{"random", "random feature*, random project*, random fourier, random directions, sketch*",
              "performer rfa polysketchformer"},
    Mechanism{"polynomial", "polynomial*, taylor, power of, quadratic feature*, power kernel, squared",
              "polysketchformer power-attention based rebased polycom atlas"},
    Mechanism{"kernel", "feature map*, kernel, features of, product of features, dot product is",
              "linear-attention performer rfa cosformer hedgehog rebased based polysketchformer "
              "power-attention t2r"},
    Mechanism{"parallel",
              "linear in the state, parallel scan, parallel over, for all positions at once, parallelis*, "
              "paralleliz*, computed in parallel, computable for all, associative scan, prefix sum, gates do "
              "not depend on, no longer depend on the previous state, scan, all steps",
              "min-rnn qrnn sru parallel-linear-rnn s5 lru deer gateloop mamba"},
    Mechanism{
        "slots",
        "slot*, bounded memory, fixed number of, memory tokens, inducing points, fixed set of, memory slots",
        "abc gsa luna set-transformer perceiver"},
    Mechanism{"boundlogits",
              "qk norm, soft cap, softcap, cap on the, bound* the, logits grow, attention entropy, logits "
              "explode, diverg*, norm of queries, queries and keys are normalis*, normalised queries, size "
              "of the logits, z loss, instabilit*",
              "qk-norm gemma2 vit-22b sigma-reparam small-scale-proxies gemma3 st-moe"},
    Mechanism{"difference", "subtract*, difference of two, two maps, noise cancelling, two softmax*, minus",
              "differential"},
    Mechanism{"multiscale",
              "logarithm*, level*, binary, larger spans, hierarch*, multi scale, logarithmic*, levels, tree, "
              "binary partition*, coarse*, log linear, doubling",
              "log-linear-attention h-transformer bp-transformer combiner multires sgconv hm-rnn clockwork"},
    Mechanism{"rates",
              "several levels, boundaries, periods, clock*, different rates, slow and fast, update rates, "
              "own period, slowly, time scales, timescales, different speeds, at different frequencies, slow "
              "module, slower, multi scale",
              "clockwork hm-rnn hrm on-lstm"},
    Mechanism{"complex", "complex*, rotat*, unitary, phase*, oscillat*, eigenvalues on",
              "lru urnn gateloop mamba3 megalodon linoss dss s4d rope"},
    Mechanism{
        "notone",
        "sigmoid attention, need not add, does not sum to one, sum to one, add up to one, without normalis* "
        "over, instead of softmax, in place of softmax, no softmax, replaces softmax, softmax is replaced",
        "sigmoid-attention stick-breaking linear-attention aft"},
    Mechanism{"firstvalues", "value residual, values of the first layer, first layer", "value-residual"},
    Mechanism{"experts",
              "expert*, mixture of experts, routing, router, small networks, top k, which networks, chooses "
              "networks",
              "sparse-moe switch mixtral deepseek-moe expert-choice gshard glam sigma-moe remoe olmoe "
              "local-experts hash-layers switchhead moeut"},
    Mechanism{"sinks",
              "sink*, first tokens, unused attention, meta tokens, null attention, attend to nothing, "
              "collect* unused",
              "streaming-sinks gated-attention duo-attention hymba"},
    Mechanism{"compress", "compress*, summar*, pooled, downsampl*, condens*, pooling",
              "compressive autocompressors gist nsa gsa mla funnel"},
    Mechanism{
        "segment",
        "segment recurrence, segment*, chunk to the next, carried to the next, carry a summary, block to "
        "block, next segment, previous segment, previous chunk, memory tokens",
        "rmt transformer-xl block-recurrent infini-attention armt transformer-fam block-state compressive"},
    Mechanism{
        "shorten",
        "downsampl*, shorten*, fewer positions, u net, merge* tokens, pooling, patches, coarser sequence",
        "hourglass funnel dynamic-pooling h-net canine charformer blt megabyte spacebyte"},
    Mechanism{"keytable",
              "product key*, table of keys, huge table, learned keys, memory layer*, lookup, look up, key "
              "value memor*, million experts",
              "product-keys memory-layers peer ultramem ff-memories tokenformer persistent-memory"},
    Mechanism{"sidebyside",
              "parallel block, side by side, in parallel on the same input, same normed input, attention and "
              "feed forward in parallel, parallel heads",
              "gpt-j palm vit-22b hymba falcon-h1"},
    Mechanism{"expgate",
              "exponential gate, exponential gating, exponential in place, exponential input gate, use an "
              "exponential, gates that use",
              "xlstm xlstm-7b"},
    Mechanism{"copy", "copy*, pointer, induction, recall, repeat what",
              "induction-heads pointer-sentinel zoology h3 canon repeat-after-me"},
    Mechanism{"routeheads", "mixture of head*, heads per token, choose heads, routed heads",
              "moh switchhead mosa"},
    Mechanism{"lowrank", "low rank, factoris*, factoriz*, latent, bottleneck, compressed keys",
              "mla tpa linformer laurel albert nystromformer"},
    Mechanism{"hash", "hash*, bucket*, cluster*, sort*",
              "reformer routing-transformer sinkhorn-attention hash-layers scatterbrain"},
    Mechanism{"reuse", "reuse*, shared across, sharing across, same cache, one cache, caches once",
              "cla yoco sambay wide-ffn zamba value-residual albert"},
    Mechanism{"memorysearch", "nearest neighbo*, retriev*, external store, datastore, look up similar",
              "knn-lm memorizing retro realm rag unlimiformer neural-cache"},
    Mechanism{"activation", "activation, relu, smooth, gelu, swish, pointwise nonlinearity, squared relu",
              "gelu swish relu2-wins polycom primer relu-strikes-back"},
};

constexpr std::size_t kListedWeight = 3;           // occurrences of a term for a paper that the table names
constexpr std::string_view kPrefix = "mechanism";  // of terms

// Returns the phrases of each row of the table.
const std::vector<Phrases>& phrases() {
  static const std::vector<Phrases> out = [] {
    std::vector<Phrases> all;
    for (const Mechanism& m : kMechanisms) all.emplace_back(m.phrases);
    return all;
  }();
  return out;
}

bool lists(const Mechanism& m, std::string_view paper) {
  return !paper.empty() &&
         fmt::format(" {} ", m.papers).find(fmt::format(" {} ", paper)) != std::string::npos;
}

}  // namespace

std::vector<std::string> mechanism_terms(std::string_view text, std::string_view paper) {
  const std::vector<std::string> words = words_of(text);
  std::vector<std::string> out;
  for (std::size_t i = 0; i < kMechanisms.size(); ++i) {
    const std::size_t count = lists(kMechanisms[i], paper) ? kListedWeight
                              : phrases()[i].any_in(words) ? 1
                                                           : 0;
    out.insert(out.end(), count, fmt::format("{}{}", kPrefix, kMechanisms[i].name));
  }
  return out;
}

std::string mechanism_expression(std::string_view query) {
  const std::vector<std::string> words = words_of(query);
  std::string out;
  for (const Phrases& row : phrases())
    if (row.any_in(words))
      for (std::string_view phrase : row.texts()) {
        const bool is_prefix = phrase.ends_with('*');
        if (is_prefix) phrase.remove_suffix(1);
        out += fmt::format("{}\"{}\"{}", out.empty() ? "" : " OR ", phrase, is_prefix ? "*" : "");
      }
  return out;
}

std::vector<std::string> papers_of_mechanisms() {
  std::vector<std::string> out;
  for (const Mechanism& m : kMechanisms)
    for (std::string_view rest = m.papers; !rest.empty();) {
      const std::size_t space = std::min(rest.find(' '), rest.size());
      out.emplace_back(rest.substr(0, space));
      rest.remove_prefix(std::min(space + 1, rest.size()));
    }
  return out;
}

}  // namespace gabbro::library
