// The command that writes a design to a folder: as a program with its run, as a PyTorch module, or as what
// transformers loads.
#pragma once

#include <string>

namespace gabbro::cli {

struct ExportCommand {
  std::string source;          // a program, the folder of a run, or a design of a campaign (FOLDER#ID)
  std::string format = "gab";  // or "torch", "hf"
  std::string out;             // folder to create; empty: NAME-ID, NAME-torch or NAME-hf
  std::string params;          // of a program: number of parameters; "": as written
  int vocab = 0;               // of a program: vocabulary size; 0: as written
};

/// Format "gab": writes the program, result, weights and spec of a campaign's design (run_export_gab). Format
/// "torch": writes model.py, config.json (sizes, program, and the place of each parameter of our checkpoints
/// in the module) and, for a trained design, weights.safetensors with the names of the module. Format "hf":
/// writes the files of write_hf_folder. An existing `out` is an error. Exit codes: 0; 2 nothing to export,
/// an invalid program, or a folder that cannot be written.
int run_export(const ExportCommand& c);

}  // namespace gabbro::cli
