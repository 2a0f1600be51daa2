// Python functions that exported modules call to decode, with the cache that `forward` is given with each
// piece of a text.
//
// Every function that looks at other positions takes the next slot of the cache, in the order of the program:
// values of past positions, those that a shift or a window will read, the last running sum, or the states of
// a recurrence. So nothing is kept that no later position reads.
#include "export/helpers.h"

namespace gabbro::pytorch {

namespace {

constexpr Helper kDecoding[] = {
    {"Cache", R"(class Cache:
    """What later positions read of earlier ones: given to `forward` with each piece of a text in turn.

    A piece continues the document before it, unless `documents` numbers it otherwise; without numbers it is 0.
    """

    def __init__(self):
        self.slots, self.length, self.document = [], 0, None

    def begin(self, tokens, documents=None):
        """Takes up the next tokens, [batch, time]."""
        self.next, self.before, self.batch, self.recalled = 0, self.length, len(tokens), None
        self.length += tokens.shape[1]
        self.time = torch.arange(self.before, self.length, device=tokens.device)[None]
        # The starts of the documents of the last position and of the new ones, [batch or 1, time].
        self.start = self.first[:, -1:] if self.before > 0 else torch.zeros_like(self.time[:, :1])
        self.first = self.start.expand(-1, tokens.shape[1])
        if documents is not None:
            self.start = self.start.expand(len(documents), 1)
            last = self.document
            if last is None:
                last = documents[:, :1] if self.before == 0 else torch.zeros_like(documents[:, :1])
            begins = documents != torch.cat((last, documents[:, :-1]), 1)
            self.first = torch.maximum(torch.where(begins, self.time, 0).cummax(1).values, self.start)
            self.document = documents[:, -1:]

    def slot(self):
        """The list in which the function that asks now keeps its tensors; empty at first."""
        if self.before == 0:
            self.slots.append([])
        self.next += 1
        return self.slots[self.next - 1]

    def recall(self, x, reach):
        """x with the values of the `reach` positions before; calls in a row for one x keep them once."""
        if self.recalled is None or self.recalled[0] is not x:
            slot = self.slot()
            known = torch.cat((slot[0].expand(len(x), *slot[0].shape[1:]), x), 1) if slot else x
            self.recalled = (x, slot, known, reach)
        _, slot, known, most = self.recalled
        most = max(most, reach)
        self.recalled = (x, slot, known, most)
        slot[:] = [known[:, max(0, known.shape[1] - most) :].clone()]
        return known[:, known.shape[1] - x.shape[1] - min(self.before, reach) :]

    def past(self, window=None):
        """The positions that are kept or new, [s]."""
        kept = self.before if window is None else min(self.before, window - 1)
        return torch.arange(self.before - kept, self.length, device=self.time.device)

    def distance(self, window=None):
        """The distance t - s from new positions to those of `past`, [t, s]."""
        return self.time[0, :, None] - self.past(window)

    def visible(self, window=None):
        """What each new position t sees, [batch or 1, t, s]."""
        distance = self.distance(window)
        seen = (distance >= 0) & (self.past(window) >= self.first[..., None])
        return seen if window is None else seen & (distance < window)

    def documents(self, window):
        """Numbers for the documents of the positions of `past`, [batch or 1, s]: only the last goes on."""
        before = self.past(window)[None, : -self.time.shape[1]]
        return torch.cat((torch.where(before >= self.start, self.start, -1), self.first), 1)

    def continued(self, kept, first):
        """What was kept [batch, ...], where the document continues, or else what documents begin with."""
        goes_on = self.first[:, 0] < self.before
        return torch.where(goes_on.view((-1,) + (1,) * (first.dim() - 1)), kept, first)

    def reorder(self, rows):
        """Continues with these rows of the batch."""
        self.slots = [[x[rows] if len(x) == self.batch else x for x in slot] for slot in self.slots]
        self.first = self.first[rows] if len(self.first) == self.batch else self.first
        if self.document is not None:
            self.document = self.document[rows]
)"},
    {"past", R"(def past(x, cache=None, window=None):
    """x of all positions that new ones see, the latest `window`: those that are kept, then the new ones."""
    if cache is None:
        return x
    slot = cache.slot()
    if slot:
        x = torch.cat((slot[0].expand(len(x), *slot[0].shape[1:]), x), 1)
    if window is None:
        slot[:] = [x]
    else:
        slot[:] = [x[:, max(0, x.shape[1] - window + 1) :].clone()]
    return x
)"},
    {"recalled", R"(def recalled(function, x, reach, cache):
    """A function of x and documents that looks `reach` positions back, for the new positions."""
    return function(cache.recall(x, reach), cache.documents(reach + 1))[:, -x.shape[1] :]
)"},
    {"resumed", R"(def resumed(running, combine, empty, x, documents, cache, window):
    """A running sum or maximum that continues."""
    if window is not None:
        return recalled(lambda x, documents: running(x, documents, window=window), x, window - 1, cache)
    y, slot = running(x, documents), cache.slot()
    if slot:
        y = combine(y, where_time(cache.first < cache.before, slot[0], empty))
    slot[:] = [y[:, -1:].clone()]
    return y
)"},
    {"attend", R"(def attend(q, key, value, seen, scale=None):
    """Attention of a few positions to those that they see, as in `attention`."""
    q, key, value, asks, tells = comparable(q, key, value, scale)
    good = asks & (~seen | tells[:, None]).all(2)
    q, k, v = q.transpose(1, 2), key.transpose(1, 2), value.transpose(1, 2)
    y = F.scaled_dot_product_attention(q, k, v, attn_mask=seen[:, None], scale=1.0, enable_gqa=True)
    return where_time(good, y.transpose(1, 2), torch.nan)
)"},
};

}  // namespace

std::span<const Helper> decoding_helpers() { return kDecoding; }

}  // namespace gabbro::pytorch
