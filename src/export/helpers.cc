#include "export/helpers.h"

#include <algorithm>
#include <iterator>
#include <vector>

#include "export/scope.h"

namespace gabbro::pytorch {

namespace {

constexpr Helper kHelpers[] = {
    {"Linear", R"(class Linear(nn.Linear):
    """A linear map without bias unless asked for, started from a normal distribution with variance 1 / inputs."""

    def __init__(self, inputs, outputs, bias=False, std=None):
        self.std = inputs**-0.5 if std is None else std
        super().__init__(inputs, outputs, bias=bias)

    def reset_parameters(self):
        nn.init.normal_(self.weight, std=self.std)
        if self.bias is not None:
            nn.init.zeros_(self.bias)
)"},
    {"Stack", R"(class Stack(nn.ModuleList):
    """Layers one after the other."""

    def forward(self, x, documents=None, cache=None):
        for layer in self:
            x = layer(x, documents, cache)
        return x
)"},
    {"iota", R"(def iota(n, like):
    """0, 1, ..., n - 1."""
    return torch.arange(n, device=like.device, dtype=like.dtype)
)"},
    {"positions", R"(def positions(x, documents=None, cache=None):
    """The position in its document, [batch or 1, time]."""
    if cache is not None:
        return (cache.time - cache.first).to(torch.promote_types(x.dtype, torch.float32))
    time = torch.arange(x.shape[1], device=x.device)[None]
    if documents is not None:
        first = F.pad(documents[:, 1:] != documents[:, :-1], (1, 0), value=True)
        time = time - torch.where(first, time, 0).cummax(1).values
    return time.to(torch.promote_types(x.dtype, torch.float32))
)"},
    {"where_time", R"(def where_time(condition, x, otherwise):
    """x where the condition [batch, time] holds."""
    return torch.where(condition.view(condition.shape + (1,) * (x.dim() - 2)), x, otherwise)
)"},
    {"shift", R"(def shift(x, n, documents=None, cache=None):
    """x at n positions before; 0 before the start of the document."""
    if n == 0:
        return x
    if cache is not None:
        return recalled(lambda x, documents: shift(x, n, documents), x, n, cache)
    moved = F.pad(x.transpose(1, -1), (n, 0))[..., : x.shape[1]].transpose(1, -1)
    if documents is None:
        return moved
    return where_time(positions(x, documents) >= n, moved, 0)
)"},
    {"visible", R"(def visible(x, documents=None, cache=None, window=None):
    """What each position t sees, [batch or 1, t, s]: the latest `window` positions s <= t of its document."""
    if cache is not None:
        return cache.visible(window)
    time = torch.arange(x.shape[1], device=x.device)
    distance = time[:, None] - time
    seen = (distance >= 0)[None] if window is None else ((distance >= 0) & (distance < window))[None]
    return seen if documents is None else seen & (documents[:, :, None] == documents[:, None, :])
)"},
    {"lag", R"(def lag(x, cache=None, window=None):
    """The distance t - s of the positions s <= t, [1, t, s]."""
    if cache is not None:
        return cache.distance(window).clamp(min=0)[None].to(torch.promote_types(x.dtype, torch.float32))
    time = torch.arange(x.shape[1], device=x.device, dtype=torch.promote_types(x.dtype, torch.float32))
    return (time[:, None] - time).clamp(min=0)[None]
)"},
    {"masked", R"(def masked(x, seen, fill):
    """x [batch, t, s, ...], overwritten where t does not see s."""
    return torch.where(seen.view(seen.shape + (1,) * (x.dim() - 3)), x, fill)
)"},
    {"look", R"(def look(equation, weights, values, seen):
    """A contraction over s of weights [batch, t, s, ...] and values [batch, s, ...] of positions that t sees.

    Values that are not finite are left out of the product, where 0 times one of them would be NaN at positions
    that do not see it; those that do see it become NaN.
    """
    finite = values.isfinite()
    y = torch.einsum(equation, masked(weights, seen, 0), torch.where(finite, values, 0))
    touched = (seen & ~finite.flatten(2).all(2)[:, None]).any(2) if values.dim() > 2 else (seen & ~finite[:, None]).any(2)
    return where_time(~touched, y, torch.nan)
)"},
    {"running", R"(def running(combine, x, empty, documents=None, window=None):
    """x combined over the latest `window` positions of the document, in steps of doubled length."""
    at = positions(x, documents)
    length = x.shape[1]
    left = length if window is None else min(window, length)
    y, reach, distance = None, 0, 1

    def before(x, n):
        return where_time(at >= n, F.pad(x.transpose(1, -1), (n, 0))[..., :length].transpose(1, -1), empty)

    while True:
        if left & 1:
            y = x if y is None else combine(y, before(x, reach))
            reach += distance
        left >>= 1
        if left == 0:
            return y
        x = combine(x, before(x, distance))
        distance *= 2
)"},
    {"running_sum", R"(def running_sum(x, documents=None, cache=None, window=None):
    """The sum of x over the latest `window` positions of the document."""
    if cache is not None:
        return resumed(running_sum, torch.add, 0, x, documents, cache, window)
    if documents is None and window is None:
        return x.cumsum(1)
    return running(torch.add, x, 0, documents, window)
)"},
    {"running_max", R"(def running_max(x, documents=None, cache=None, window=None):
    """The largest x of the latest `window` positions of the document."""
    if cache is not None:
        return resumed(running_max, torch.maximum, -torch.inf, x, documents, cache, window)
    seen = visible(x, documents, window=window)
    return masked(x[:, None], seen, -torch.inf).amax(2)
)"},
    {"running_mean", R"(def running_mean(x, documents=None, cache=None, window=None):
    """The mean of x over the latest `window` positions of the document."""
    count = positions(x, documents, cache) + 1
    if window is not None:
        count = count.clamp(max=window)
    return running_sum(x, documents, cache, window) / count.view(count.shape + (1,) * (x.dim() - 2))
)"},
    {"attention", R"(def attention(q, key, value, documents=None, cache=None, window=None, scale=None):
    """Softmax attention over the past: q [batch, time, heads, k], keys and values of as many or fewer heads.

    Keys and values that are not finite (or would overflow) are left out, where 0 times one of them would be NaN
    at positions that do not see it; positions that do see it become NaN.
    """
    if cache is not None:
        keys, values = past(key, cache, window), past(value, cache, window)
        if cache.before > 0:
            return attend(q, keys, values, cache.visible(window), scale)
    most = torch.finfo(q.dtype).max ** 0.48
    at = positions(key, documents).long()
    back = at if window is None else at.clamp(max=window - 1)
    tame = (key.detach().abs().amax((2, 3)) <= most) & value.detach().flatten(2).sum(2).isfinite()
    time = torch.arange(key.shape[1], device=key.device)
    wild = torch.where(tame, -1, time).cummax(1).values >= time - back
    wild = wild | ~(q.detach().abs().amax((2, 3)) <= most)
    q, k, v = q.transpose(1, 2), where_time(tame, key, 0).transpose(1, 2), where_time(tame, value, 0).transpose(1, 2)
    if documents is None and window is None:
        y = F.scaled_dot_product_attention(q, k, v, is_causal=True, scale=scale, enable_gqa=True)
    else:
        seen = visible(key, documents, window=window)[:, None]
        y = F.scaled_dot_product_attention(q, k, v, attn_mask=seen, scale=scale, enable_gqa=True)
    return where_time(~wild, y.transpose(1, 2), torch.nan)
)"},
    {"scan", R"(def scan(step, states, inputs, documents=None, cache=None):
    """Runs a recurrence: the step takes states and inputs of a position, and returns states and outputs.

    States have at least single precision, also under autocast.
    """
    batch, length = inputs[0].shape[:2]
    inputs, states = ([x.to(torch.promote_types(x.dtype, torch.float32)) for x in xs] for xs in (inputs, states))
    first = states = [state.expand(batch, *state.shape) for state in states]
    slot = [] if cache is None else cache.slot()
    if slot:
        states = [cache.continued(old, state) for old, state in zip(slot, first)]
    outputs, training = [], torch.is_grad_enabled()
    with torch.autocast(inputs[0].device.type, enabled=False):
        for t, now in enumerate(zip(*(x.unbind(1) for x in inputs))):
            if documents is not None and t > 0:  # a document begins with the first states
                same = documents[:, t] == documents[:, t - 1]
                states = [
                    torch.where(same.view((-1,) + (1,) * (old.dim() - 1)), state, old)
                    for state, old in zip(states, first)
                ]
            if not training:
                states = [state.detach() for state in states]
            states, output = step(*states, *now)
            outputs.append(output)
    if cache is not None:
        slot[:] = states
    return [torch.stack(y, 1) for y in zip(*outputs)]
)"},
    {"root", R"(def root(x, power):
    """x ** power for a power between 0 and 1, with derivative 0 at 0."""
    positive = x > 0
    return torch.where(positive, torch.where(positive, x, 1) ** power, x.detach() ** power)
)"},
    {"top_k", R"(def top_k(x, k, dim):
    """1 at the k largest elements, the first of equal ones, and 0 elsewhere."""
    best = x.detach().sort(dim=dim, descending=True, stable=True).indices.narrow(dim, 0, k)
    return torch.zeros_like(x).scatter(dim, best, 1)
)"},
    {"rows", R"(def rows(index, size):
    """The row numbers of a table of `size` rows: rounded down and kept within the table."""
    return index.detach().nan_to_num(0).floor().clamp(0, size - 1).long()
)"},
    {"trainable", R"(def trainable(x):
    """x as a value with respect to which a gradient can be taken."""
    return x if x.requires_grad else x.detach().requires_grad_()
)"},
    {"inner_grad", R"(def inner_grad(loss, x):
    """The gradient of the sum of an inner loss, which is differentiated again in training."""
    return torch.autograd.grad(loss.sum(), x, create_graph=True)[0]
)"},
    {"rope", R"(def rope(x, documents=None, cache=None, base=10000):
    """Rotary position embedding of the last dimension."""
    j = x.shape[-1] // 2
    a, b = x.split(j, -1)
    at = positions(x, documents, cache)
    angle = at[..., None] * base ** (-iota(j, at) / j)
    angle = angle.view(angle.shape[:2] + (1,) * (x.dim() - 3) + (j,))
    cos, sin = angle.cos().to(x.dtype), angle.sin().to(x.dtype)
    return torch.cat((a * cos - b * sin, a * sin + b * cos), -1)
)"},
    {"layer_normalize", R"(def layer_normalize(x, eps=1e-6):
    """x without its mean, divided by its standard deviation."""
    return F.layer_norm(x, x.shape[-1:], eps=eps)
)"},
    {"l2_normalize", R"(def l2_normalize(x, dim=-1, eps=1e-6):
    """x divided by its length."""
    return x * ((x * x).sum(dim, keepdim=True) + eps) ** -0.5
)"},
    {"rms_normalize", R"(def rms_normalize(x, dim=-1, eps=1e-6):
    """x divided by the root of its mean square."""
    if dim == -1:
        return F.rms_norm(x, x.shape[-1:], eps=eps)
    return x * ((x * x).mean(dim, keepdim=True) + eps) ** -0.5
)"},
};

}  // namespace

namespace {

// Returns all helpers, in the order of definition.
std::vector<Helper> all_helpers() {
  std::vector<Helper> out(std::begin(kHelpers), std::end(kHelpers));
  const std::span<const Helper> decoding = decoding_helpers();
  out.insert(out.end(), decoding.begin(), decoding.end());
  return out;
}

}  // namespace

bool is_helper(std::string_view name) {
  static const std::vector<Helper> helpers = all_helpers();
  return std::any_of(helpers.begin(), helpers.end(), [&](const Helper& h) { return h.name == name; });
}

std::string helper_text(std::set<std::string>& names) {
  const std::vector<Helper> helpers = all_helpers();
  for (bool grown = true; grown;) {
    const std::size_t before = names.size();
    for (const Helper& helper : helpers)
      if (names.contains(std::string(helper.name))) names.merge(identifiers(helper.text));
    grown = names.size() > before;
  }
  std::string out;
  for (const Helper& helper : helpers)
    if (names.contains(std::string(helper.name)))
      out += (out.empty() ? "" : "\n\n") + std::string(helper.text);
  return out;
}

}  // namespace gabbro::pytorch
