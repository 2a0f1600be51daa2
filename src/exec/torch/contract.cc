#include "exec/torch/contract.h"

#include <algorithm>

namespace gabbro::exec::torch {

namespace {

using Names = std::vector<int>;

int find(const Names& names, int name) {
  const auto at = std::find(names.begin(), names.end(), name);
  return at == names.end() ? -1 : static_cast<int>(at - names.begin());
}

bool has(const Names& names, int name) { return find(names, name) >= 0; }

// Sums dimensions that only `x` has and nobody wants, and drops those of extent 1 that the other operand has
// for real.
void settle(Named& x, const Named& other, const Names& out) {
  std::vector<std::int64_t> sums, drops;
  for (std::size_t i = 0; i < x.names.size(); ++i) {
    const int name = x.names[i], there = find(other.names, name);
    const std::int64_t size = x.value.size(static_cast<std::int64_t>(i));
    if (there >= 0 && size == 1 && (other.value.size(there) != 1 || !has(out, name)))
      drops.push_back(static_cast<std::int64_t>(i));
    else if (!has(out, name) && (there < 0 || (size != 1 && other.value.size(there) == 1)))
      sums.push_back(static_cast<std::int64_t>(i));
  }
  if (!sums.empty()) x.value = x.value.sum(sums, /*keepdim=*/true);
  for (const std::int64_t i : sums) drops.push_back(i);
  std::sort(drops.rbegin(), drops.rend());
  for (const std::int64_t i : drops) {
    x.value = x.value.squeeze(i);
    x.names.erase(x.names.begin() + i);
  }
}

// `x` with dimensions in the order of `names`, those that it lacks with extent 1.
at::Tensor arranged(const Named& x, const Names& names) {
  std::vector<std::int64_t> order;
  for (const int name : names)
    if (const int i = find(x.names, name); i >= 0) order.push_back(i);
  at::Tensor y = std::is_sorted(order.begin(), order.end()) ? x.value : x.value.permute(order);
  for (std::size_t i = 0; i < names.size(); ++i)
    if (!has(x.names, names[i])) y = y.unsqueeze(static_cast<std::int64_t>(i));
  return y;
}

std::int64_t product(const Named& x, const Names& names) {
  std::int64_t n = 1;
  for (const int name : names) n *= x.value.size(find(x.names, name));
  return n;
}

Names joined(const Names& a, const Names& b, const Names& c) {
  Names all = a;
  all.insert(all.end(), b.begin(), b.end());
  all.insert(all.end(), c.begin(), c.end());
  return all;
}

}  // namespace

at::Tensor contract(Named a, Named b, const std::vector<int>& out, bool half) {
  const Named before = a;
  settle(a, b, out);
  settle(b, before, out);
  Names batch, summed, own_a, own_b;
  for (const int name : a.names) {
    if (!has(b.names, name))
      own_a.push_back(name);
    else
      (has(out, name) ? batch : summed).push_back(name);
  }
  for (const int name : b.names)
    if (!has(a.names, name)) own_b.push_back(name);

  if (summed.empty() || (own_a.empty() && own_b.empty())) {  // no product of matrices
    Names all = out;
    std::vector<std::int64_t> over;
    for (const int name : summed) {
      over.push_back(static_cast<std::int64_t>(all.size()));
      all.push_back(name);
    }
    if (half) a.value = a.value.to(at::kFloat), b.value = b.value.to(at::kFloat);
    at::Tensor y = arranged(a, all) * arranged(b, all);
    return over.empty() ? y : y.sum(over);
  }
  // The result lies in memory with the first of its own dimensions before the last, whichever operand came
  // first.
  const auto place = [&](const Names& own) {
    std::size_t first = out.size();
    for (std::size_t i = out.size(); i-- > 0;)
      if (has(own, out[i])) first = i;
    return first;
  };
  if (place(own_b) < place(own_a)) {
    std::swap(a, b);
    std::swap(own_a, own_b);
  }
  const std::int64_t count = product(a, batch), rows = product(a, own_a), columns = product(b, own_b),
                     inner = product(a, summed);
  at::Tensor left = arranged(a, joined(batch, own_a, summed)),
             right = arranged(b, joined(batch, summed, own_b));
  const at::ScalarType dtype = half ? at::kFloat : left.scalar_type();
  at::Tensor y = count == 1
                     ? at::mm(left.reshape({rows, inner}), right.reshape({inner, columns}))
                     : at::bmm(left.reshape({count, rows, inner}), right.reshape({count, inner, columns}));
  y = y.to(dtype);
  const Names made = joined(batch, own_a, own_b);
  std::vector<std::int64_t> sizes;
  for (const int name : made) {
    const Named& from = has(a.names, name) ? a : b;
    sizes.push_back(from.value.size(find(from.names, name)));
  }
  return arranged({y.view(sizes), made}, out);
}

}  // namespace gabbro::exec::torch
