#include "cli/checks.h"

#include <fmt/core.h>

#include <cctype>
#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <optional>

#include "cli/report.h"

namespace gabbro::cli {

namespace {

std::optional<double> number(const std::string& text) {
  char* end = nullptr;
  const double value = std::strtod(text.c_str(), &end);
  if (text.empty() || *end != 0 || !std::isfinite(value)) return std::nullopt;
  return value;
}

}  // namespace

std::string above_zero(const std::string& text) {
  const auto value = number(text);
  return value && *value > 0 ? "" : text + ": expected a number above 0";
}

std::string not_negative(const std::string& text) {
  const auto value = number(text);
  return value && *value >= 0 ? "" : text + ": expected a number of at least 0";
}

std::string fraction(const std::string& text) {
  const auto value = number(text);
  return value && *value >= 0 && *value <= 1 ? "" : text + ": expected a number from 0 to 1";
}

std::string expand_unit(const std::string& text) {
  const bool has_unit = !text.empty() && std::isalpha(static_cast<unsigned char>(text.back())) != 0;
  const auto amount = has_unit ? parse_amount(text) : std::nullopt;
  return amount ? std::to_string(*amount) : text;
}

std::string known_device(const std::string& text) {
  const bool is_device = text == "cpu" || text == "cuda" ||
                         (text.rfind("cuda:", 0) == 0 && text.size() > 5 &&
                          text.find_first_not_of("0123456789", 5) == std::string::npos);
  return is_device ? "" : "unknown device '" + text + "' (use cpu, cuda or cuda:N)";
}

Result<bool> check_gpu(const std::string& device) {
  if (device.rfind("cuda", 0) != 0) return true;
  std::error_code error;
  // Devices of NVIDIA's and of AMD's driver, and of Windows below Linux.
  for (const char* file : {"/dev/nvidiactl", "/dev/kfd", "/dev/dxg"})
    if (std::filesystem::exists(file, error)) return true;
  return fail("usage", fmt::format("the device is {}, but this machine has no GPU", device),
              "train on the CPU, or on a machine with a GPU (--executor slurm)");
}

}  // namespace gabbro::cli
