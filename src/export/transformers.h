// Writes the Python files with which transformers loads a module: model.py with the module itself, a
// configuration class, and a model class that wraps the module.
#pragma once

#include <string>

#include "export/export.h"

namespace gabbro::pytorch {

/// Names of two of the files; the `auto_map` of config.json (cli/hugging_face.cc) refers to them.
inline constexpr const char* kConfigurationFile = "configuration_gabbro.py";
inline constexpr const char* kModelingFile = "modeling_gabbro.py";

/// Return the text of model.py, configuration_gabbro.py and modeling_gabbro.py, which must be in one folder.
/// In the model class, the names of parameters have the prefix "model." before those of the module.
std::string model_text(const Module& module);
std::string configuration_text(const Module& module);
std::string modeling_text(const Module& module);

}  // namespace gabbro::pytorch
