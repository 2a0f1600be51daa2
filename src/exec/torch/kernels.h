// One ATen expression per op.
#pragma once

#include <ATen/ATen.h>

#include <array>

#include "exec/torch/sequence.h"
#include "exec/torch/values.h"
#include "ir/graph.h"

namespace gabbro::exec::torch {

/// One node to compute: its operands with their forms, and the form of the result. `sequence` is null in the
/// step of a scan.
struct Call {
  const ir::Graph& graph;
  const ir::Node& node;
  std::array<at::Tensor, 3> in{};
  std::array<Form, 3> forms{};
  Form form;
  std::int64_t window = 0;  // of the values over past positions among them
  Sequence* sequence = nullptr;
  bool unpast = false;  // kDot, kMul: the unpast of it, computed at once; `form` is that of the unpast
  bool half = false;    // kDot: in bfloat16
  at::TensorOptions options;
};

/// The value of `call.node`. A value over past positions that does not depend on t may have extent 1
/// along t. Entries of pairs outside of the window are arbitrary; reductions over past positions and over t
/// leave them out: a block of past positions that every t sees is contracted as it is, of all others the
/// products are overwritten by 0 before they are added. An operand that nobody else holds may be overwritten.
/// Ops that read something else than their operands (parameters, tokens, inputs, arguments, scans) are the
/// caller's and refused.
at::Tensor run_kernel(Call call);

/// `x` of form [B, T, S, ...] with `value` where a pair is outside of the window. Overwrites `x` when nobody
/// else holds it.
at::Tensor mask_pairs(at::Tensor x, const Form& form, Sequence& sequence, std::int64_t window, double value);

}  // namespace gabbro::exec::torch
