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
  std::string name;                 // in the graph and in our checkpoints
  std::string key;                  // in the module: the first of its names in named_parameters
  std::vector<std::int64_t> from;   // shape in the graph
  std::vector<int> order;           // of the module's axes: indices into `from`
  std::vector<std::int64_t> shape;  // in the module
};

struct Module {
  std::string name;             // the class of the design
  std::string source;           // the text of model.py
  std::vector<Weight> weights;  // in the order of the graph's parameters
};

/// Returns the module of a design. `elaboration` is that of `design` at the size that is written, without
/// errors, and `library` holds its program. Comments of units and functions of `programs` become docstrings.
/// Errors: "export", if the design has something that cannot be written. Takes the time of an elaboration.
Result<Module> write_module(const lang::Library& library, const lang::Design& design,
                            const lang::Elaboration& elaboration,
                            std::span<const lang::Program* const> programs = {});

/// Returns the elements of a parameter, which are in the order of the graph, in that of the module.
template <class T>
std::vector<T> to_module(const Weight& weight, std::span<const T> elements);
/// Returns the elements of a parameter, which are in the order of the module, in that of the graph.
template <class T>
std::vector<T> from_module(const Weight& weight, std::span<const T> elements);

}  // namespace gabbro::pytorch
