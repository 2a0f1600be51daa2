// Writes a design as a PyTorch module: a class for each unit, with the names of the program.
//
// A program is walked once more, as elaboration walks it, with Python expressions as values. Named axes
// become dimensions in the order in which they are declared, after batch and time; values over past positions
// become [batch, t, s, ...] with a mask that overwrites, and softmax attention becomes
// scaled_dot_product_attention; a scan becomes products over chunks of positions where its recurrence allows
// it, and a function for its step otherwise. What two instances have in common becomes one class; numbers in
// which they differ become arguments.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "lang/elaborate.h"
#include "lang/library.h"

namespace gabbro::pytorch {

/// A parameter of the graph and the parameter of the module that holds it. The module's array is the graph's,
/// with its axes permuted by `order` (as numpy.transpose does) and then reshaped to `shape`.
struct Weight {
  std::string name;  // in the graph and in our checkpoints
  std::string key;   // in the module: the first of its names in named_parameters
  std::vector<std::int64_t> from;
  std::vector<int> order;
  std::vector<std::int64_t> shape;
};

struct Module {
  std::string name;             // of the class of the design
  std::string source;           // of model.py
  std::vector<Weight> weights;  // in the order of the graph's parameters
};

/// Returns the module of a design. `elaboration` is that of `design` at the size that is written, without
/// errors, and `library` holds its program. Comments of units and functions of `programs` become docstrings.
/// Errors: "export", what cannot be written and why. The time is that of an elaboration.
Result<Module> write_module(const lang::Library& library, const lang::Design& design,
                            const lang::Elaboration& elaboration,
                            std::span<const lang::Program* const> programs = {});

/// Returns the elements of a parameter in the order of the module, and the reverse.
template <class T>
std::vector<T> to_module(const Weight& weight, std::span<const T> elements);
template <class T>
std::vector<T> from_module(const Weight& weight, std::span<const T> elements);

}  // namespace gabbro::pytorch
