#include "cli/hugging_face.h"

#include <fmt/core.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <utility>

#include "base/files.h"
#include "base/hash.h"
#include "cli/report.h"
#include "data/tokenizer_json.h"
#include "export/transformers.h"
#include "ir/facts.h"
#include "train/safetensors.h"

namespace gabbro::cli {

namespace {

using Json = nlohmann::ordered_json;

std::string config_json(const HfFolder& f) {
  const ir::Graph& graph = f.subject->elaboration.graph;
  Json json = {{"architectures", {"GabbroForCausalLM"}},
               {"auto_map",
                {{"AutoConfig", "configuration_gabbro.GabbroConfig"},
                 {"AutoModelForCausalLM", "modeling_gabbro.GabbroForCausalLM"}}},
               {"model_type", "gabbro"},
               {"dtype", "float32"},
               {"hidden_size", static_cast<std::int64_t>(graph.env.width)},
               {"vocab_size", static_cast<std::int64_t>(graph.env.vocab)},
               {"tie_word_embeddings", false},
               {"use_cache", true}};
  if (f.spec) json["max_position_embeddings"] = f.spec->length;
  if (f.tokenizer)
    for (const char* token : {"bos_token_id", "eos_token_id", "pad_token_id"})
      json[token] = f.tokenizer->end();
  json["gabbro"] = {{"design", to_hex(f.subject->hash)},
                    {"moves", lang::text_of(f.subject->elaboration.moves)},
                    {"params", ir::count_params(graph)}};
  if (f.result) json["gabbro"]["weights"] = f.result->weights_hash;
  return json.dump(2) + "\n";
}

std::string generation_json(const HfFolder& f) {
  Json json = {{"use_cache", true}};
  if (f.tokenizer)
    for (const char* token : {"bos_token_id", "eos_token_id", "pad_token_id"})
      json[token] = f.tokenizer->end();
  return json.dump(2) + "\n";
}

// Returns a Markdown table of two columns.
std::string table(const std::vector<std::pair<std::string, std::string>>& rows) {
  std::string out = "| | |\n|---|---|\n";
  for (const auto& [name, value] : rows) out += fmt::format("| {} | {} |\n", name, value);
  return out + "\n";
}

// Escapes text for a cell of a Markdown table.
std::string escaped_cell(std::string text) {
  for (std::size_t bar = text.find('|'); bar != std::string::npos; bar = text.find('|', bar + 2))
    text.insert(bar, "\\");
  std::replace(text.begin(), text.end(), '\n', ' ');
  return text;
}

// Returns `text` as a Markdown block of code, even if it contains fences.
std::string code_block(const std::string& text) {
  std::string fence = "```";
  while (text.find(fence) != std::string::npos) fence += '`';
  return fmt::format("{0}\n{1}{2}{0}\n", fence, text, text.ends_with('\n') ? "" : "\n");
}

std::string score_text(const record::TrialResult& r) {
  if (r.status != record::Status::kDone)
    return fmt::format("The run has no verdict: it is {}{}{}.\n\n", r.status, r.cause.empty() ? "" : ": ",
                       escaped_cell(r.cause));
  const std::string interval =
      r.valid_documents > 1
          ? fmt::format("with a 95 % interval from {:.4f} to {:.4f}", r.bits_low, r.bits_high)
          : "without an interval";
  std::string out = fmt::format(
      "{:.4f} bits per byte on held-out text, {} over {} documents ({} bytes). A bigram model has "
      "{:.4f}.\n\n",
      r.bits_per_byte, interval, r.valid_documents, r.valid_bytes, r.bigram_bits_per_byte);
  if (r.changed_share > 0) out += record::changed_text_note(r.changed_share) + "\n\n";
  for (const record::ContextGain& g : r.context)
    out += fmt::format(
        "Context beyond the last {} tokens is worth {:.4f} bits per byte (standard error {:.4f}).\n",
        g.tokens, g.gain, g.error);
  if (!r.context.empty()) out += "\n";
  if (!r.tasks.empty())
    out += "| benchmark | metric | value | standard error | items |\n|---|---|---|---|---|\n";
  for (const record::TaskScore& task : r.tasks)
    for (const record::Metric& m : task.metrics)
      out += fmt::format("| {} | {} | {:.4f} | {:.4f} | {} |\n", escaped_cell(task.name),
                         escaped_cell(m.group.empty() ? m.name : m.name + ", " + m.group), m.value, m.error,
                         m.items);
  if (!r.tasks.empty()) out += "\n";
  return out;
}

std::string verdict_text(const record::TrialResult& r) {
  std::string out = score_text(r);
  if (r.anchors.empty()) return out;
  out += "The checks that a result must pass:\n\n| check | holds | numbers |\n|---|---|---|\n";
  for (const record::Anchor& a : r.anchors)
    out += fmt::format("| {} | {} | {} |\n", escaped_cell(a.name), a.holds ? "yes" : "no",
                       escaped_cell(a.detail));
  return out + "\n";
}

std::string training_text(const record::TrialSpec& s) {
  return table(
      {{"tokens", human(static_cast<double>(s.tokens))},
       {"batch", fmt::format("{} sequences of {} tokens", s.sequences, s.length)},
       {"learning rate", fmt::format("{:.4g}, {} schedule; token tables {:.4g} and {:.4g} times that of muP",
                                     s.rate, s.schedule, s.input_rate, s.output_rate)},
       {"weight decay", fmt::format("{:.4g}", s.decay)},
       {"optimizer", std::string(record::word_of(s.optimizer))},
       {"dtype", std::string(record::word_of(s.dtype))},
       {"seed", fmt::format("{}", s.seed)}});
}

}  // namespace

std::string model_card(const HfFolder& f) {
  const ir::Graph& graph = f.subject->elaboration.graph;
  std::string out = fmt::format(
      "---\nlibrary_name: transformers\npipeline_tag: text-generation\ntags:\n- gabbro\n---\n\n# {}\n\nA "
      "language model of {} parameters, width {} and {} tokens of vocabulary, which Gabbro found or checked. "
      "Its "
      "architecture is a program in a small typed language, which `model.py` writes in PyTorch: one class "
      "for each unit.\n\n",
      f.name, human(static_cast<double>(ir::count_params(graph))), graph.env.width, graph.env.vocab);
  if (f.weights.empty())
    out +=
        "It has not been trained: there are no weights.\n\n```python\nfrom transformers import AutoConfig, "
        "AutoModelForCausalLM\n\nconfig = AutoConfig.from_pretrained(FOLDER, trust_remote_code=True)\nmodel "
        "= AutoModelForCausalLM.from_config(config, trust_remote_code=True)\n```\n\n";
  else
    out +=
        "```python\nfrom transformers import AutoModelForCausalLM, AutoTokenizer\n\ntokenizer = "
        "AutoTokenizer.from_pretrained(FOLDER, trust_remote_code=True)\nmodel = "
        "AutoModelForCausalLM.from_pretrained(FOLDER, "
        "trust_remote_code=True)\ninputs = tokenizer(\"Once upon a time\", return_tensors=\"pt\")\n"
        "print(tokenizer.decode(model.generate(**inputs, max_new_tokens=50)[0]))\n```\n\nTexts begin with "
        "the token that ends documents, as in training; the tokenizer puts it there. Padding is given by "
        "`attention_mask`, documents that share a row by `documents` [batch, time], their numbers.\n\n";
  if (f.result) out += "## Verdict\n\n" + verdict_text(*f.result);
  if (!f.campaign.empty()) out += "## In its campaign\n\n" + code_block(f.campaign) + "\n";
  if (f.spec) out += "## Training\n\n" + training_text(*f.spec);
  std::vector<std::pair<std::string, std::string>> hashes{{"design", to_hex(f.subject->hash)}};
  if (f.result) {
    hashes.emplace_back("weights", f.result->weights_hash);
    hashes.emplace_back("text of the training", f.result->text_hash);
    hashes.emplace_back("held-out text", f.result->held_out_hash);
  }
  if (f.spec && !f.spec->corpus_hash.empty()) hashes.emplace_back("corpus", f.spec->corpus_hash);
  out += "## Hashes\n\n" + table(hashes);
  const std::string moves = lang::text_of(f.subject->elaboration.moves);
  out += "## Program\n\n";
  if (!moves.empty()) out += fmt::format("Resizing changed {}.\n\n", moves);
  return out + code_block(f.program);
}

Result<std::vector<std::string>> write_hf_folder(const HfFolder& f, const std::string& out) {
  std::vector<std::pair<std::string, std::string>> files{
      {"model.py", pytorch::model_text(*f.module)},
      {pytorch::kConfigurationFile, pytorch::configuration_text(*f.module)},
      {pytorch::kModelingFile, pytorch::modeling_text(*f.module)},
      {"config.json", config_json(f)},
      {"generation_config.json", generation_json(f)},
      {"README.md", model_card(f)}};
  if (f.tokenizer) {
    GABBRO_TRY(tokenizer, data::tokenizer_json(*f.tokenizer));
    GABBRO_TRY(config, data::tokenizer_config_json(*f.tokenizer, f.spec ? f.spec->length : 1 << 20));
    files.emplace_back("tokenizer.json", tokenizer);
    files.emplace_back("tokenizer_config.json", config);
  }
  std::vector<std::string> names;
  for (const auto& [name, text] : files) {
    if (const auto ok = replace_file(out + "/" + name, text); !ok) return tl::unexpected(ok.error());
    names.push_back(name);
  }
  if (f.weights.empty()) return names;
  std::vector<exec::NamedArray> weights = f.weights;
  for (exec::NamedArray& array : weights) array.name = "model." + array.name;
  const auto ok = train::save_arrays(out + "/model.safetensors", weights,
                                     {{"format", "pt"}, {"design", to_hex(f.subject->hash)}});
  if (!ok) return tl::unexpected(ok.error());
  names.emplace_back("model.safetensors");
  return names;
}

}  // namespace gabbro::cli
