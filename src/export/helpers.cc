#include "export/helpers.h"

#include <algorithm>
#include <iterator>
#include <vector>

#include "export/scope.h"

namespace gabbro::pytorch {

namespace {

// A helper that is the default argument of another precedes it.
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
    {"exact", R"(def exact(x):
    """The type of numbers beside x: single precision at least, as in bf16 257 is 256."""
    return torch.promote_types(x.dtype, torch.float32)
)"},
    {"constant", R"(def constant(value, like, shape=()):
    """A tensor of a number."""
    return torch.full(shape, value, device=like.device, dtype=exact(like))
)"},
    {"iota", R"(def iota(n, like):
    """0, 1, ..., n - 1."""
    return torch.arange(n, device=like.device, dtype=exact(like))
)"},
    {"positions", R"(def positions(x, documents=None, cache=None):
    """The position in its document, [batch or 1, time]."""
    if cache is not None:
        return (cache.time - cache.first).to(exact(x))
    time = torch.arange(x.shape[1], device=x.device)[None]
    if documents is not None:
        first = F.pad(documents[:, 1:] != documents[:, :-1], (1, 0), value=True)
        time = time - torch.where(first, time, 0).cummax(1).values
    return time.to(exact(x))
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
        return cache.distance(window).clamp(min=0)[None].to(exact(x))
    time = torch.arange(x.shape[1], device=x.device, dtype=exact(x))
    return (time[:, None] - time).clamp(min=0)[None]
)"},
    {"masked", R"(def masked(x, seen, fill):
    """x [batch, t, s, ...], overwritten where t does not see s."""
    return torch.where(seen.view(seen.shape + (1,) * (x.dim() - 3)), x, fill)
)"},
    {"rounded", R"(def rounded(x):
    """x in the type that matrix products take it in."""
    return x.to(product_type(x))
)"},
    {"product_type", R"(def product_type(x):
    """The type that matrix products take x in: under autocast, that of lower precision."""
    device = x.device.type
    casts = torch.is_autocast_enabled(device) and x.dtype != torch.float64
    return torch.get_autocast_dtype(device) if casts else x.dtype
)"},
    {"finite", R"(def finite(x):
    """Where x is finite in the type that matrix products take it in, in which large numbers may become infinite.

    Numbers are compared before they are rounded, since compiled code may keep them unrounded until they are stored.
    """
    return x.detach().abs() <= torch.finfo(product_type(x)).max
)"},
    {"look", R"(def look(equation, weights, values, seen):
    """A contraction over s of weights [batch, t, s, ...] and values [batch, s, ...] of positions that t sees.

    Values that are not finite are left out of the product, where 0 times one of them would be NaN at positions
    that do not see it; those that do see it become NaN.
    """
    good = finite(values)
    y = torch.einsum(equation, masked(weights, seen, 0), torch.where(good, values, 0))
    touched = (seen & ~good.flatten(2).all(2)[:, None]).any(2) if values.dim() > 2 else (seen & ~good[:, None]).any(2)
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
    x = x.to(exact(x))
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
    {"comparable", R"(def comparable(q, key, value, scale):
    """Operands of attention with a scale of 1, of which no product overflows, and what was overwritten for that.

    Kernels add a mask to scores, and multiply values by 0, also where a position does not see. A score is at most
    the sum of |q| times the largest |key|. Returns q, key, value, and where q [batch, t], and key and value
    [batch, s], are as given.
    """
    q, known = q if scale is None else q * scale, finite(value)
    q, key, value = rounded(q), rounded(key), rounded(value)
    most = torch.finfo(q.dtype).max ** 0.48
    asks = (q.detach().abs().sum(-1) <= most).all(2)
    tells = (key.detach().abs().amax((2, 3)) <= most) & known.flatten(2).all(2)
    return where_time(asks, q, 0), where_time(tells, key, 0), where_time(tells, value, 0), asks, tells
)"},
    {"attention", R"(def attention(q, key, value, documents=None, cache=None, window=None, scale=None):
    """Softmax attention over the past: q [batch, time, heads, k], keys and values of as many or fewer heads.

    Where scores might overflow or values are not finite, positions that see them become NaN.
    """
    if cache is not None:
        keys, values = past(key, cache, window), past(value, cache, window)
        if cache.before > 0:
            return attend(q, keys, values, cache.visible(window), scale)
    at = positions(key, documents).long()
    back = at if window is None else at.clamp(max=window - 1)
    q, key, value, asks, tells = comparable(q, key, value, scale)
    time = torch.arange(key.shape[1], device=key.device)
    good = asks & (torch.where(tells, -1, time).cummax(1).values < time - back)
    q, k, v = q.transpose(1, 2), key.transpose(1, 2), value.transpose(1, 2)
    if documents is None and window is None:
        y = F.scaled_dot_product_attention(q, k, v, is_causal=True, scale=1.0, enable_gqa=True)
    else:
        seen = visible(key, documents, window=window)[:, None]
        y = F.scaled_dot_product_attention(q, k, v, attn_mask=seen, scale=1.0, enable_gqa=True)
    return where_time(good, y.transpose(1, 2), torch.nan)
)"},
    {"blocks", R"py(def blocks(x, size):
    """x [batch, time, ...] as [batch, blocks, size, ...], with zeros behind its end."""
    return F.pad(x, (0, 0) * (x.dim() - 2) + (0, -x.shape[1] % size)).unflatten(1, (-1, size))
)py"},
    {"previous", R"py(def previous(x, first, documents=None, cache=None):
    """x at the position before; `first` at the start of the document."""
    slot = [] if cache is None else cache.slot()
    moved = torch.cat((slot[0] if slot else torch.zeros_like(x[:, :1]), x[:, :-1]), 1)
    if cache is not None:
        slot[:] = [x[:, -1:].clone()]
    return where_time(positions(x, documents, cache) > 0, moved, first)
)py"},
    {"affine_scan",
     R"py(def affine_scan(a, b, first, documents=None, cache=None, times=torch.mul, plus=torch.add):
    """The states S = a * S + b of a recurrence of elements; each document begins with `first`.

    Blocks of about the square root of the time run side by side, and then in order, each with the state before it.
    """
    dtype = exact(b)
    a, b = torch.broadcast_tensors(a.to(dtype), b.to(dtype))
    first = torch.as_tensor(first, dtype=dtype, device=b.device)
    length = b.shape[1]
    size = max(1, round(length**0.5))
    initial, slot = first, [] if cache is None else cache.slot()
    if slot:
        initial = cache.continued(slot[0], first.expand_as(slot[0]))
    if documents is not None:
        at = positions(b, documents)
        begun = plus(times(a[:, :1], initial.expand_as(b[:, 0])[:, None]), b[:, :1])
        b = torch.cat((begun, where_time(at == 0, plus(times(a, first), b), b)[:, 1:]), 1)
        at = blocks(at, size).view(len(at), -1, size, *(1,) * (b.dim() - 2))
        starts, inside = at == 0, at > torch.arange(size, device=b.device).view(-1, *(1,) * (b.dim() - 2))
    a, b = blocks(a, size), blocks(b, size)
    state, factor, states, factors = b[:, :, 0], a[:, :, 0], [], []
    for i in range(size):
        if i > 0:
            factor = times(a[:, :, i], factor)
            state = plus(times(a[:, :, i], state), b[:, :, i])
            if documents is not None:
                state = torch.where(starts[:, :, i], b[:, :, i], state)
        states.append(state)
        factors.append(factor)
    before = [initial.expand_as(b[:, 0, 0])]
    for n in range(b.shape[1] - 1):
        after = plus(times(factor[:, n], before[n]), state[:, n])
        before.append(after if documents is None else torch.where(inside[:, n, -1], after, state[:, n]))
    states = torch.stack(states, 2)
    y = plus(times(torch.stack(factors, 2), torch.stack(before, 1)[:, :, None]), states)
    if documents is not None:
        y = torch.where(inside, y, states)
    y = y.flatten(1, 2)[:, :length]
    if cache is not None:
        slot[:] = [y[:, -1].clone()]
    return y
)py"},
    {"summed", R"py(def summed(log, at):
    """Sums of logarithms [batch, chunks, i, ...] over the positions of the chunk and document up to i."""
    if at is None:
        return log.cumsum(2)
    i = torch.arange(log.shape[2], device=log.device)
    own = (i[:, None] >= i) & (i[:, None] - i <= at[..., None])
    return torch.einsum("bnij,bnj...->bni...", own.to(log.dtype), log)
)py"},
    {"scalar_pairs", R"py(def scalar_pairs(q, k, log, at, strict, exclusive):
    """q[i] . k[j] times the decay between j and i, [batch, chunks, heads, i, j], for the j <= i (or < i) of a chunk."""
    i = torch.arange(q.shape[2], device=q.device)
    seen = i[:, None] > i if strict else i[:, None] >= i
    if at is not None:
        seen = (seen & (i[:, None] - i <= at[..., None]))[:, :, None]
    y = torch.where(seen, torch.einsum("bnihk,bnjhk->bnhij", q, k), 0)
    if log is None:
        return y
    log = log[..., 0]
    past = summed(log, at)
    now = past - log if exclusive else past
    now, past = now.transpose(2, 3)[..., None], past.transpose(2, 3)[..., None, :]
    return y * torch.where(seen, now - past, -torch.inf).exp()
)py"},
    {"channel_pairs", R"py(def channel_pairs(q, k, log, at, strict, exclusive):
    """The same for a decay in each channel.

    The two halves of a chunk meet at the end of the first one, so that no exponent is positive; and so on in each half.
    """
    b, n, size, h, _ = torch.broadcast_shapes(q.shape, k.shape, log.shape)
    y = (torch.zeros_like if strict else torch.clone)((q * k).sum(-1)).transpose(2, 3)
    y = y.expand(b, n, h, size)[..., None, None]
    while y.shape[3] > 1:
        half = y.shape[4]
        i = torch.arange(half, device=q.device)
        (_, q2), (k1, _), (past, now) = (x.unflatten(2, (-1, 2, half)).unbind(3) for x in (q, k, log))
        past = past.flip(3).cumsum(3).flip(3) - past
        now = now.cumsum(3) - now if exclusive else now.cumsum(3)
        if at is not None:
            first, second = at.unflatten(2, (-1, 2, half)).unbind(3)
            reaches, enters = half - 1 - i <= first[..., -1:], second > i
            past = torch.where(reaches[..., None, None], past, -torch.inf)
            now = torch.where(enters[..., None, None], now, -torch.inf)
        met = torch.einsum("bnmihk,bnmjhk->bnhmij", q2 * now.exp(), k1 * past.exp()).expand(b, n, h, -1, -1, -1)
        if at is not None:
            met = torch.where((enters[..., None] & reaches[..., None, :])[:, :, None], met, 0)
        upper = torch.cat((y[:, :, :, 0::2], torch.zeros_like(met)), -1)
        y = torch.cat((upper, torch.cat((met, y[:, :, :, 1::2]), -1)), -2)
    return y[:, :, :, 0]
)py"},
    {"batch_and_time", R"py(def batch_and_time(operands):
    """Batch and time of operands [heads, channels] or [batch or 1, time, heads, channels]."""
    return torch.broadcast_shapes(*(x.shape[:2] for x in operands if x is not None and x.dim() == 4))
)py"},
    {"per_position", R"py(def per_position(decay, batch, length, channels):
    """A decay [batch or 1, time or 1, heads, channels or 1] at all positions; another shape is an error."""
    if decay.dim() != 4 or any(n not in (1, m) for n, m in zip(decay.shape, (batch, length, decay.shape[2], channels))):
        raise ValueError(f"a decay of shape {tuple(decay.shape)}, in {(batch, length)} with {channels} channels")
    return decay.expand(batch, length, -1, -1)
)py"},
    {"Chunks", R"py(class Chunks:
    """Time in chunks of `size` positions [batch, chunks, size, heads, channels], and what crosses their borders.

    What is not finite is overwritten before a product in which other positions multiply it by 0; positions that see
    it become NaN. Products of finite operands are overwritten where a position does not see.
    """

    def __init__(self, operands, decay, documents, cache, size, pairs, at=None):
        key = operands[0]
        self.dtype = exact(key)
        self.batch, self.length = batch_and_time(operands)
        key = key.expand(self.batch, self.length, *key.shape[-2:])
        self.size = min(size, 1 << (self.length - 1).bit_length())
        self.cache, self.slot = cache, [] if cache is None else cache.slot()
        self.at = (positions(key, documents, cache) if at is None else at).long().expand(self.batch, -1)
        self.good = torch.ones_like(self.at, dtype=torch.bool)
        self.pairs = pairs
        self.start = None
        if documents is not None:
            i = torch.arange(self.size, device=key.device)
            behind = self.at[:, -1:] + 1 + torch.arange(-self.length % self.size, device=key.device)
            self.start = blocks(torch.cat((self.at, behind), 1), self.size)
            self.enters = (self.start > i)[..., None, None]  # the document began before the chunk
            self.stays = (self.size - 1 - i <= self.start[..., -1:])[..., None, None]  # it reaches its end
            self.passes = (self.start[..., -1] > self.size - 1)[..., None, None, None]
        self.log = decay
        if decay is not None:
            log = per_position(decay, self.batch, self.length, key.shape[-1]).to(self.dtype)
            self.good = self.good & (log.detach() < torch.inf).flatten(2).all(2)
            self.log = blocks(where_time(self.good, log, 0).clamp(min=-80), self.size)
            upto = summed(self.log, self.start)
            rest = upto[:, :, -1:] - upto
            if documents is not None:
                rest = torch.where(self.stays, rest, -torch.inf)
            self.upto, self.before, self.rest = upto.exp(), (upto - self.log).exp(), rest.exp()

    def cut(self, x):
        x = x.expand(self.batch, self.length, *x.shape[-2:]).to(self.dtype)
        good = x.detach().isfinite().flatten(2).all(2)
        return blocks(where_time(good, x, 0), self.size), good

    def written(self, x):
        """An operand of what a position adds to the state, in chunks."""
        x, good = self.cut(x)
        self.good = self.good & good
        return x

    def added(self, key, value):
        """What a chunk adds to the state at its end, [batch, chunks, heads, key, value]."""
        if self.start is not None:
            key = torch.where(self.stays, key, 0)
        if self.log is not None and self.log.shape[-1] > 1:
            key = key * self.rest
        elif self.log is not None:
            value = value * self.rest
        return torch.einsum("bnjhk,bnjhv->bnhkv", key, value)

    def entering(self, read, states, exclusive):
        """What positions read of the state before the chunk."""
        weight = None if self.log is None else self.before if exclusive else self.upto
        channel = weight is not None and weight.shape[-1] > 1
        y = torch.einsum("bnihk,bnhkv->bnihv", read * weight if channel else read, states)
        if weight is not None and not channel:
            y = y * weight
        return y if self.start is None else torch.where(self.enters, y, 0)

    def states(self, added, moved=None):
        """The states before the chunks; `moved` [batch, chunks, heads, key, key] is what a chunk makes of them."""
        state, states = torch.zeros_like(added[:, 0]), []
        if self.slot:
            state = self.cache.continued(self.slot[0], state)
        kept = None if self.log is None else self.upto[:, :, -1, :, :, None]
        for n in range(added.shape[1]):
            states.append(state)
            after = state if kept is None else kept[:, n] * state
            if moved is not None:
                after = after + moved[:, n] @ state
            if self.start is not None:
                after = torch.where(self.passes[:, n], after, 0)
            state = after + added[:, n]
        self.last = state
        return torch.stack(states, 1)

    def finish(self, y, readable, strict):
        time = torch.arange(self.length, device=y.device)
        last = torch.where(self.good, -1, time)
        if strict:
            last = F.pad(last, (1, -1), value=-1)
        begins = (time - self.at).clamp(min=0)
        touched = last.cummax(1).values >= begins
        if self.cache is not None:  # positions that were left out are in the state for those that come
            lost = torch.where(self.good, -1, time).amax(1) >= begins[:, -1]
            self.slot[:] = [torch.where(lost.view(-1, 1, 1, 1), torch.nan, self.last)]
        return where_time(readable & ~touched, y.flatten(1, 2)[:, : self.length], torch.nan)
)py"},
    {"linear_scan",
     R"py(def linear_scan(read, key, value, decay=None, documents=None, cache=None, reads="after", pairs=scalar_pairs):
    """read . S of the recurrence S = exp(decay) * S + key value, from chunks of positions.

    Operands are [batch, time, heads, channels]; `decay` has a channel for each of the key's, or one. With
    reads="before", the state before the step is read.
    """
    with torch.autocast(key.device.type, enabled=False):
        size = 64 if pairs is scalar_pairs else 32
        chunks = Chunks((key, read, value, decay), decay, documents, cache, size, pairs)
        key, value = chunks.written(key), chunks.written(value)
        read, readable = chunks.cut(read)
        strict = reads == "before"
        weights = pairs(read, key, chunks.log, chunks.start, strict, strict)
        y = torch.einsum("bnhij,bnjhv->bnihv", weights, value)
        y = y + chunks.entering(read, chunks.states(chunks.added(key, value)), strict)
        return chunks.finish(y, readable, strict)
)py"},
    {"inverse", R"py(def inverse(lower):
    """(I - lower)^-1 for strictly lower triangles, and where its rows are finite; others become 0."""
    with torch.no_grad():
        y = torch.eye(lower.shape[-1], dtype=lower.dtype, device=lower.device).expand(lower.shape).clone()
        finite = torch.ones_like(lower[..., 0], dtype=torch.bool)
        for i in range(1, lower.shape[-1]):
            row = (lower[..., i : i + 1, :i] @ y[..., :i, :i]).squeeze(-2)
            finite[..., i] = row.isfinite().all(-1)
            y[..., i, :i] = torch.where(finite[..., i, None], row, 0)
    if torch.is_grad_enabled():
        lower = torch.where(lower.isfinite(), lower, 0)
        y = y + y @ (lower - lower.detach()) @ y  # the derivative of an inverse
    return y, finite
)py"},
    {"finite_rows", R"py(def finite_rows(x):
    """x [batch, chunks, positions, heads, channels] without the positions at which it is not finite, and the others."""
    good = x.detach().isfinite().flatten(3).all(3)
    return torch.where(good[..., None, None], x, 0), good
)py"},
    {"delta_scan", R"py(def delta_scan(
    read, key, row, value=None, decay=None, documents=None, cache=None, reads="after", rows="decayed", more=None,
    pairs=scalar_pairs, at=None,
):
    """read . S of the recurrence S = exp(decay) * S + key (row . S + value), from chunks of positions.

    `row` reads the state after its decay, or with rows="before" the state before the step; more=(key, value) adds a
    product. Inside a chunk, what is written follows from a triangular system.
    """
    with torch.autocast(key.device.type, enabled=False):
        operands = (key, row, read, value, decay, *(more or ()))
        chunks = Chunks(operands, decay, documents, cache, 32, pairs, at)
        key, row = chunks.written(key), chunks.written(row)
        read, readable = chunks.cut(read)
        strict, exclusive = reads == "before", rows == "before"
        log, start = chunks.log, chunks.start
        value = None if value is None else chunks.written(value)
        if more is not None:
            more = chunks.written(more[0]), chunks.written(more[1])
            seen = torch.einsum("bnhij,bnjhv->bnihv", pairs(row, more[0], log, start, True, exclusive), more[1])
            value = seen if value is None else value + seen
        solved, regular = inverse(pairs(row, key, log, start, True, exclusive))
        width = value.shape[-1]
        weight = None if log is None else chunks.before if exclusive else chunks.upto
        entering = row if weight is None else row * weight
        if start is not None:
            entering = torch.where(chunks.enters, entering, 0)
        heads = max(solved.shape[2], value.shape[3], entering.shape[3])
        both = [x.expand(*x.shape[:3], heads, -1) for x in (value, entering)]
        both, known = finite_rows(torch.cat(both, -1))
        both, good = finite_rows(torch.einsum("bnhij,bnjhv->bnihv", solved, both))
        value, moved = both.split((width, both.shape[-1] - width), -1)
        added = chunks.added(key, value)
        if more is not None:
            added = added + chunks.added(*more)
        states = chunks.states(added, chunks.added(key, moved))
        first = torch.einsum("bnjhk,bnhkv->bnjhv", moved, states)
        value, also = finite_rows(value + (first if start is None else torch.where(chunks.enters, first, 0)))
        good = good & known & also & regular.all(2)
        chunks.good = chunks.good & good.flatten(1, 2)[:, : chunks.length]
        y = torch.einsum("bnhij,bnjhv->bnihv", pairs(read, key, log, start, strict, strict), value)
        if more is not None:
            y = y + torch.einsum("bnhij,bnjhv->bnihv", pairs(read, more[0], log, start, strict, strict), more[1])
        return chunks.finish(y + chunks.entering(read, states, strict), readable, strict)
)py"},
    {"delta_steps",
     R"py(def delta_steps(read, keys, rows, values, decay=None, documents=None, cache=None, pairs=scalar_pairs):
    """delta_scan of several steps for each position, one after the other; the decay is that of the first step."""
    n = len(keys)
    batch, length = batch_and_time((read, *keys, *rows, *values, decay))

    def in_turn(xs):
        return torch.stack([x.expand(batch, length, *x.shape[-2:]) for x in xs], 2).flatten(1, 2)

    if decay is not None:
        decay = per_position(decay, batch, length, keys[0].shape[-1])
        decay = in_turn([decay] + [torch.zeros_like(decay)] * (n - 1))
    at = positions(keys[0].expand(batch, length, *keys[0].shape[-2:]), documents, cache)
    at = (n * at[..., None] + torch.arange(n, device=at.device)).flatten(1)
    if documents is not None:
        documents = documents.repeat_interleave(n, 1)
    keys, rows, values = in_turn(keys), in_turn(rows), in_turn(values)
    return delta_scan(in_turn([read] * n), keys, rows, values, decay, documents, cache, pairs=pairs, at=at)[:, n - 1 :: n]
)py"},
    {"scan", R"(def scan(step, states, inputs, documents=None, cache=None):
    """Runs a recurrence: the step takes states and inputs of a position, and returns states and outputs.

    States have at least single precision, also under autocast.
    """
    batch = max(x.shape[0] for x in inputs)
    inputs, states = ([x.to(exact(x)) if x.is_floating_point() else x for x in xs] for xs in (inputs, states))
    first = states = [state.expand(batch, *state.shape) for state in states]
    slot = [] if cache is None else cache.slot()
    if slot:
        states = [cache.continued(old, state) for old, state in zip(slot, first)]
    if documents is not None:
        goes_on = F.pad(documents[:, 1:] == documents[:, :-1], (1, 0), value=True)
        goes_on = [goes_on.view(*goes_on.shape, *(1,) * (state.dim() - 1)).unbind(1) for state in states]
    outputs, training = [], torch.is_grad_enabled()
    with torch.autocast(inputs[0].device.type, enabled=False):
        for t, now in enumerate(zip(*(x.unbind(1) for x in inputs))):
            if documents is not None:  # a document begins with the first states
                states = [torch.where(same[t], state, old) for same, state, old in zip(goes_on, states, first)]
            if not training:
                states = [state.detach() for state in states]
            states, output = step(*states, *now)
            outputs.append(output)
    if cache is not None:
        slot[:] = states
    return [torch.stack(y, 1) for y in zip(*outputs)]
)"},
    {"quotient", R"(def quotient(x, y):
    """x // y. A device may divide by a number, but not by a tensor, as a product with its reciprocal."""
    if not torch.is_tensor(y):
        y = torch.tensor(y, dtype=x.dtype, device=x.device)
    return torch.floor(x / (y + 0.0))
)"},
    {"joined", R"(def joined(x, y, dim):
    """x and y, one behind the other along `dim`. What is the same in all rows is repeated."""
    sizes, parts = [max(sizes) for sizes in zip(x.shape, y.shape)], []
    for part in (x, y):
        sizes[dim] = part.shape[dim]
        parts.append(part.expand(sizes))
    return torch.cat(parts, dim)
)"},
    {"root", R"(def root(x, power):
    """x ** power for a power between 0 and 1, with derivative 0 at 0."""
    positive = x > 0
    return torch.where(positive, torch.where(positive, x, 1) ** power, x.detach() ** power)
)"},
    {"power", R"(def power(x, y):
    """x ** y, computed in float64, so that whole powers stay whole."""
    like = x if torch.is_tensor(x) else y
    x, y = (torch.as_tensor(v, dtype=torch.float64, device=like.device) for v in (x, y))
    return ((x + 0.0) ** y).to(like.dtype)
)"},
    {"top_k", R"(def top_k(x, k, dim):
    """1 at the k largest elements, the first of equal ones, and 0 elsewhere. NaN counts as the smallest."""
    known = x.detach().masked_fill(x.isnan(), -torch.inf)
    best = known.sort(dim=dim, descending=True, stable=True).indices.narrow(dim, 0, k)
    return torch.zeros_like(x).scatter(dim, best, 1)
)"},
    {"rows", R"(def rows(index, size):
    """The row numbers of a table of `size` rows: rounded down and kept within the table."""
    return index.detach().to(exact(index)).nan_to_num(0).floor().clamp(0, size - 1).long()
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
