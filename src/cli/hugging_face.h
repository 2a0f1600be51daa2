// Writes a design as a folder that the package transformers loads.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "data/tokenizer.h"
#include "exec/model.h"
#include "export/export.h"
#include "lang/check.h"
#include "record/trial.h"

namespace gabbro::cli {

/// The content of the folder. A design without a run has neither tokenizer nor spec nor result.
struct HfFolder {
  std::string name, program;
  const lang::Subject* subject = nullptr;   // never null
  const pytorch::Module* module = nullptr;  // never null
  std::vector<exec::NamedArray> weights;    // in the names of the module; empty: none
  const data::Tokenizer* tokenizer = nullptr;
  const record::TrialSpec* spec = nullptr;
  const record::TrialResult* result = nullptr;
  std::string campaign;  // text of `gabbro show RUN#ID`; empty: not a design of a campaign
};

/// Writes model.py, configuration_gabbro.py, modeling_gabbro.py, config.json, generation_config.json and
/// README.md (the model card) into the existing folder `out`; also tokenizer.json and tokenizer_config.json
/// if there is a tokenizer, and model.safetensors if there are weights. Returns the names of the files.
/// Nothing is written if the tokenizer cannot be converted. Errors: "tokenizer", "io".
Result<std::vector<std::string>> write_hf_folder(const HfFolder& folder, const std::string& out);

/// Returns the text of the model card.
std::string model_card(const HfFolder& folder);

}  // namespace gabbro::cli
