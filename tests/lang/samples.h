// Valid programs that together use every construct: for round trips and as seeds of mutation.
#pragma once

#include <array>
#include <string_view>

namespace gabbro::lang::testing {

inline constexpr std::array<std::string_view, 6> kSamples{
    R"gab(# Gated linear attention. Yang et al. 2024.   S = diag(a) S + k vᵀ
unit GatedLinearAttention(x: [t, D], heads: int in {1, 2, 4, 8} = 4, norm: Unit = RMSNorm) -> [t, D]:
    axis h = heads, k = D / (2 * heads), v = D / heads
    q   = linear(x, [h, k])
    key = linear(x, [h, k])
    val = linear(x, [h, v])
    a   = sigmoid(linear(linear(x, 16), [h, k])) ** (1 / 16)   # the gate
    scan S: [h, k, v] = 0:
        S = a * S + key * val
        y = dot(q, S, over=k)
    return linear(norm(y, over=v) * silu(linear(x, [h, v])), D)
)gab",
    R"gab(interface Unit(x: [t, D]) -> [t, D]
interface Mixer(x: [t, D], first: [t, D]) -> [t, D], v: [t, D]

unit Attention(x: [t, D], first: [t, D], window: int in {16 .. 1024, all} = all, mult: free real in {1 .. 8} = 8 / 3,
               bias: bool = false, low: real in {-1, 2 ** -3 .. 1e-05} = -1) -> [t, D], v: [t, D]:
    # queries
    q = linear(x, [h, k], bias=bias)
    f = cumsum(log_sigmoid(linear(x, [h])))
    score = dot(q, past(key, window), over=k) * k ** -0.5 + f - past(f)  # [t, s, h]
    y = (q if mult < 2 else -q) if bias else q // 2 % 3
    v[0], v[1] = split(score)
    return linear(sum(softmax(score, over=s) * past(v[0], window), over=s), D), v[1]
)gab",
    R"gab(unit Stack(x: [t, D], n: int in {1 .. 64} = 12, block: Unit = Block(mixer=GLA(heads=4))) -> [t, D]:
    share core = block(depth=2)
    skip[0] = x
    for i in n - 1 with y = x, z = 0 * x:
        # inside
        skip[i + 1] = y
        scan m: [] = 0, S: [h, k] = 1 / 3:
            m = max(m, y)
            S = S * m - (a - (b - c)) / (d / e) * -f ** g ** -h
        y = core(y + skip[i] if i >= n // 2 else y)
        # at the end
    # after
    return y
# the tail of the text
)gab",
    R"gab(fn rms_norm(x, over, eps=1e-6):
    return x * (mean(x ** 2, over=over) + eps) ** -0.5

fn none():
    return 0

design Tiny: # header
    stack = [12 * Block(mixer=GLA, mlp=MLP(mult=2)), shared, Block]
    share core = Block
    # width
    width = 256
    tied = true  # yes
    vocab = 4096
    share other = [core, core]
)gab",
    R"gab(unit Long(x: [t, D], first_hyperparameter: int in {1, 2, 4, 8, 16, 32} = 4, second_hyperparameter: real in {0 .. 1} = 0.5, third: Unit = RMSNorm(eps=1e-6)) -> [t, D], second_result: [t, D]:
    y = first_function(x, [heads, keys, values], over=keys) * second_function(x, [heads, keys]) + third_function(x)
    z = first_function(x, second_function(x, third_function(x, fourth_function(x, fifth_function(x, sixth(x), [h, k])))))
    w = aaaaaaaaaaaaaaaaaaaaaaaaa + bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb * ccccccccccccccccccccccccc - ddddddddddddddddd  # long
    scan state: [first_axis, second_axis] = initial_value(first_axis, second_axis), other: [first_axis] = initial_value(x):
        state = other
    return first_function(
        x, y,  # the first
        # the second
        z
    ), w  # the last
)gab",
    "\xef\xbb\xbf# only comments\r\n\r\n#\r\n#two\r\n",
};

}  // namespace gabbro::lang::testing
