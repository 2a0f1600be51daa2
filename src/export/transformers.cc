#include "export/transformers.h"

#include <fmt/core.h>

#include "base/hash.h"

namespace gabbro::pytorch {

namespace {

void replace_all(std::string& text, const std::string& from, const std::string& to) {
  for (std::size_t at = text.find(from); at != std::string::npos; at = text.find(from, at + to.size()))
    text.replace(at, from.size(), to);
}

std::string hash_of(const Module& module) { return to_hex(hash128(module.source)); }

}  // namespace

std::string model_text(const Module& module) {
  return fmt::format("{}\n\nSOURCE_HASH = \"{}\"  # of the lines above\n", module.source, hash_of(module));
}

// In one process, transformers takes the model class of a configuration class that it knows, and
// configuration classes of folders with one name are the same if their files are. So each design has a file
// of its own.
std::string configuration_text(const Module& module) {
  std::string text =
      R"("""The configuration of a design that was found or checked by Gabbro. The program in model.py defines the model."""

from transformers import PretrainedConfig


class GabbroConfig(PretrainedConfig):
    model_type = "gabbro"
    model_hash = "THE_HASH"  # of model.py
)";
  replace_all(text, "THE_HASH", hash_of(module));
  return text;
}

std::string modeling_text(const Module& module) {
  std::string text =
      R"("""A design that was found or checked by Gabbro, for transformers. The model itself is in model.py."""

import torch
from transformers import GenerationMixin, PreTrainedModel
from transformers.generation import utils
from transformers.modeling_outputs import CausalLMOutputWithPast

from .configuration_gabbro import GabbroConfig
from .model import SOURCE_HASH, THE_DESIGN
from .model import Cache as ModelCache

# transformers 4 knows modules by the name of their folder alone.
if SOURCE_HASH != "THE_HASH":
    raise ImportError("the model.py of another folder of the same name is loaded; give the folders different names")

# The name of the cache in `generate` depends on the version of transformers.
CACHE = "cache" if "cache" in utils.ALL_CACHE_NAMES else "past_key_values"


class Cache(ModelCache):
    """What later tokens read of earlier ones. `generate` is given the whole text again, and reads what is new."""

    is_linear = (True,)  # it cannot be cut
    is_compileable = False

    def get_seq_length(self, layer=0):
        return self.length

    def reorder_cache(self, rows):
        self.reorder(rows)


class GabbroForCausalLM(PreTrainedModel, GenerationMixin):
    config_class = GabbroConfig
    base_model_prefix = "model"
    _is_stateful = True

    def __init__(self, config):
        super().__init__(config)
        self.model = THE_DESIGN(D=config.hidden_size, V=config.vocab_size)
        # Modules that are used in several places have several names.
        first, self._tied_weights_keys = {}, {}
        for name, parameter in self.named_parameters(remove_duplicate=False):
            if first.setdefault(parameter, name) != name:
                self._tied_weights_keys[name] = first[parameter]
        self.post_init()

    @classmethod
    def from_pretrained(cls, *args, output_loading_info=False, **kwargs):
        """As in transformers, but weights of another design are an error."""
        model, info = super().from_pretrained(*args, output_loading_info=True, **kwargs)
        wrong = sorted(str(name) for key in ("missing_keys", "unexpected_keys", "mismatched_keys") for name in info[key])
        if wrong:
            raise ValueError(
                f"the weights are not those of this design: {len(wrong)} names are missing, unknown or of another"
                f" shape, such as {wrong[0]}; keep model.py, config.json and model.safetensors of one export together"
            )
        return (model, info) if output_loading_info else model

    def _init_weights(self, module):
        """Modules draw their weights as the program says when they are made."""

    @classmethod
    def _supports_default_dynamic_cache(cls):
        return False

    def get_input_embeddings(self):
        return self.model.embedding

    def set_input_embeddings(self, value):
        self.model.embedding = value

    def get_output_embeddings(self):
        return getattr(self.model, "head", None)

    def set_output_embeddings(self, value):
        self.model.head = value

    def forward(
        self,
        input_ids=None,
        attention_mask=None,
        cache=None,
        past_key_values=None,
        labels=None,
        documents=None,
        use_cache=None,
        logits_to_keep=0,
        return_dict=None,
        **kwargs,
    ):
        """The logits, and with `labels` the mean loss of the next tokens.

        attention_mask [batch, time]: 0 for padding on the left or right. documents [batch, time]: the numbers of
        documents that share a row, which do not see each other.
        """
        for name in ("inputs_embeds", "position_ids", "output_attentions", "output_hidden_states"):
            value = kwargs.pop(name, None)
            if value is not None and value is not False:
                raise ValueError(f"{name} is not supported; give input_ids, and attention_mask or documents")
        if input_ids is None:
            raise ValueError("input_ids is missing")
        cache = past_key_values if cache is None else cache
        if use_cache and cache is None:
            cache = Cache()
        if attention_mask is not None:
            if documents is not None:
                raise ValueError("give attention_mask or documents, not both")
            documents = self._documents(attention_mask, input_ids, 0 if cache is None else cache.length)
        logits = self.model(input_ids, documents, cache)
        loss = None
        if labels is not None:
            loss = self.loss_function(logits=logits, labels=labels, vocab_size=self.config.vocab_size, **kwargs)
        if isinstance(logits_to_keep, int):
            logits = logits[:, -logits_to_keep:] if logits_to_keep else logits
        else:
            logits = logits[:, logits_to_keep]
        out = CausalLMOutputWithPast(loss=loss, logits=logits, **{CACHE: cache})
        return out if return_dict is None or return_dict else out.to_tuple()

    @staticmethod
    def _documents(mask, tokens, before):
        """Padding as a document of its own; None without padding."""
        wanted = (len(tokens), before + tokens.shape[1])
        if tuple(mask.shape) != wanted:
            raise ValueError(f"attention_mask has the shape {tuple(mask.shape)}; expected {wanted}")
        seen = mask.bool()
        begins = torch.cat((seen[:, :1], seen[:, 1:] & ~seen[:, :-1]), 1)
        if (begins.sum(1) > 1).any():
            raise ValueError("attention_mask has a gap; number the parts of a row by `documents` instead")
        return None if seen.all() else (~seen[:, before:]).long()

    def prepare_inputs_for_generation(
        self, input_ids, attention_mask=None, cache=None, past_key_values=None, use_cache=None, **kwargs
    ):
        cache = past_key_values if cache is None else cache
        if cache is not None:
            if input_ids.shape[1] <= cache.length:
                raise ValueError(
                    f"the cache holds {cache.length} tokens; give `generate` the whole text, of which it has"
                    f" {input_ids.shape[1]}"
                )
            input_ids = input_ids[:, cache.length :]
        return {"input_ids": input_ids, "attention_mask": attention_mask, CACHE: cache, "use_cache": use_cache}
)";
  replace_all(text, "THE_HASH", hash_of(module));
  replace_all(text, "THE_DESIGN", module.name);
  return text;
}

}  // namespace gabbro::pytorch
