// Writes what transformers needs beside a module: a configuration and a model class that wraps it.
#pragma once

#include <string>

#include "export/export.h"

namespace gabbro::pytorch {

/// Names of the files, which config.json refers to.
inline constexpr const char* kConfigurationFile = "configuration_gabbro.py";
inline constexpr const char* kModelingFile = "modeling_gabbro.py";

/// Returns the text of model.py, configuration_gabbro.py and modeling_gabbro.py, which are in one folder.
/// Parameters are named as in the module, after "model.".
std::string model_text(const Module& module);
std::string configuration_text(const Module& module);
std::string modeling_text(const Module& module);

}  // namespace gabbro::pytorch
