// Checks of option values with messages for users. Those of a text return what is wrong with it, or "", as
// CLI11 wants; its own checks name types and the ends of ranges instead.
#pragma once

#include <functional>
#include <string>

#include "base/result.h"
#include "record/spelling.h"

namespace gabbro::cli {

std::string above_zero(const std::string& text);
std::string not_negative(const std::string& text);
std::string fraction(const std::string& text);
/// Returns 50000 for 50k (report.h, parse_amount), and other texts as they are. For `transform`.
std::string expand_unit(const std::string& text);
/// Accepts cpu, cuda or cuda:N.
std::string known_device(const std::string& text);

/// Returns the error "usage" if jobs of this device would run on this machine and it has no GPU; never false.
Result<bool> check_gpu(const std::string& device);

/// Adds an option whose values are the spellings of an enum (record/spelling.h). `app` is a CLI::App.
template <record::Spelled E, class App>
auto* spelled_option(App* app, const char* name, E& value, const std::string& help) {
  return app
      ->add_option_function(
          name, std::function([&value](const std::string& text) { value = *record::parse_word<E>(text); }),
          help)
      ->check([](const std::string& text) {
        return record::parse_word<E>(text) ? std::string() : record::unknown_word<E>(text);
      });
}

/// Adds --engine and --device to a CLI::App. Commands that make a folder first call check_gpu; for others,
/// the worker reports that the machine does not have the device.
template <class App>
void engine_options(App* app, record::Engine& engine, std::string& device) {
  spelled_option(app, "--engine", engine,
                 "engine that runs the design: cpu (built in) or pytorch (a Python module, see "
                 "docs/pytorch.md) (default cpu)");
  app->add_option("--device", device, "device of the pytorch engine: cpu, cuda or cuda:N (default cpu)")
      ->check(known_device);
}

}  // namespace gabbro::cli
