// Writes what transformers needs beside a module: a configuration and a model class that wraps it.
#pragma once

#include <string>

#include "export/export.h"

namespace gabbro::pytorch {

/// Names of the files, which config.json refers to.
inline constexpr const char* kConfigurationFile = "configuration_gabbro.py";
inline constexpr const char* kModelingFile = "modeling_gabbro.py";

/// Returns the text of configuration_gabbro.py and of modeling_gabbro.py for `module`, whose source is
/// model.py in the same folder. Parameters are named as in the module, after "model.".
std::string configuration_text(const Module& module);
std::string modeling_text(const Module& module);

}  // namespace gabbro::pytorch
