"""Learning curves as an SVG picture that is read on light and dark backgrounds: it brings its own, by the viewer's colour scheme."""

import math
from html import escape

WIDTH, HEIGHT = 760, 440
LEFT, RIGHT, TOP, BOTTOM = 60, 170, 20, 50  # margins; the legend is in the right one
# The colours have medium lightness, so that they are visible on white and on black. Dashes distinguish lines
# that colours do not.
STROKES = (("#4e79a7", ""), ("#e8853b", "8 3"), ("#59a14f", ""), ("#d1495b", "2 3"), ("#9c6ade", ""), ("#2a9d8f", "8 3 2 3"),
           ("#a07850", "5 2"))
STYLE = """
  .ground { fill: #ffffff } .ink { fill: #24292f } .grid { stroke: #d0d7de; stroke-width: 1 }
  text { font: 13px sans-serif } .curve { fill: none; stroke-width: 1.8 }
  @media (prefers-color-scheme: dark) {
    .ground { fill: #0d1117 } .ink { fill: #e6edf3 } .grid { stroke: #30363d }
  }
"""


def ticks(low, high, about):
    """Returns roughly `about` round numbers in [low, high], at equal distances."""
    raw = (high - low) / about
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(step * power for step in (1, 2, 5, 10) if step * power >= raw * 0.999)
    return [step * i for i in range(math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9) + 1)]


def limits(curves):
    """Returns the limits (x_low, x_high, y_low, y_high) of the plot. The first tenth, where curves fall steeply, does not raise y_high."""
    x_high = max(x for points in curves.values() for x, _ in points)
    low = min(y for points in curves.values() for _, y in points)
    high = max(y for points in curves.values() for x, y in points if x >= 0.1 * x_high)
    margin = 0.05 * (high - low) or 0.1
    return 0, x_high, low - margin, high + margin


def axes(plot_limits, scale_x, scale_y, x_label, y_label):
    x_low, x_high, y_low, y_high = plot_limits
    right, bottom = WIDTH - RIGHT, HEIGHT - BOTTOM
    for x in ticks(x_low, x_high, 8):
        yield f'<line class="grid" x1="{scale_x(x):.1f}" x2="{scale_x(x):.1f}" y1="{TOP}" y2="{bottom}"/>'
        yield f'<text class="ink" x="{scale_x(x):.1f}" y="{bottom + 18}" text-anchor="middle">{x:.6g}</text>'
    for y in ticks(y_low, y_high, 6):
        yield f'<line class="grid" x1="{LEFT}" x2="{right}" y1="{scale_y(y):.1f}" y2="{scale_y(y):.1f}"/>'
        yield f'<text class="ink" x="{LEFT - 8}" y="{scale_y(y) + 4:.1f}" text-anchor="end">{y:.6g}</text>'
    middle = (TOP + bottom) / 2
    yield f'<text class="ink" x="{(LEFT + right) / 2:.1f}" y="{HEIGHT - 10}" text-anchor="middle">{escape(x_label)}</text>'
    yield (f'<text class="ink" x="16" y="{middle:.1f}" text-anchor="middle" transform="rotate(-90 16 {middle:.1f})">'
           f"{escape(y_label)}</text>")


def stroke(index):
    colour, dashes = STROKES[index % len(STROKES)]
    return f'class="curve" stroke="{colour}"' + (f' stroke-dasharray="{dashes}"' if dashes else "")


def draw(curves, x_label, y_label, title):
    """Returns the SVG. `curves` is {name: [(x, y)]}, in x order. The legend is in the order of the last values, the highest first, as curves end."""
    plot_limits = limits(curves)
    x_low, x_high, y_low, y_high = plot_limits

    def scale_x(x):
        return LEFT + (x - x_low) / (x_high - x_low) * (WIDTH - LEFT - RIGHT)

    def scale_y(y):
        return TOP + (y_high - y) / (y_high - y_low) * (HEIGHT - TOP - BOTTOM)

    out = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img">', f"<title>{escape(title)}</title>",
           f"<style>{STYLE}</style>", f'<rect class="ground" width="{WIDTH}" height="{HEIGHT}"/>',
           f'<clipPath id="plot"><rect x="{LEFT}" y="{TOP}" width="{WIDTH - LEFT - RIGHT}" height="{HEIGHT - TOP - BOTTOM}"/></clipPath>']
    out += axes(plot_limits, scale_x, scale_y, x_label, y_label)
    strokes = {name: stroke(index) for index, name in enumerate(curves)}
    for name, points in curves.items():
        path = " ".join(f"{scale_x(x):.1f},{scale_y(y):.1f}" for x, y in points)
        out.append(f'<polyline {strokes[name]} clip-path="url(#plot)" points="{path}"/>')
    for row, name in enumerate(sorted(curves, key=lambda name: -curves[name][-1][1])):
        x, y = WIDTH - RIGHT + 16, TOP + 16 + 22 * row
        out.append(f'<line {strokes[name]} x1="{x}" x2="{x + 30}" y1="{y}" y2="{y}"/>')
        out.append(f'<text class="ink" x="{x + 38}" y="{y + 4}">{escape(name)}</text>')
    return "\n".join(out) + "\n</svg>\n"
