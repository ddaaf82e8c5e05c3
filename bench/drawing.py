"""Draws the ratios of bench/run as a picture: bars for each function, a color for each interpreter."""

import math
from html import escape

import comparison

# The columns that compare something with the distribution's python3.14, the first one on top.
SHOWN = {
    "attached-jit": "reval, REVAL=jit",
    "attached": "reval, REVAL=1",
    "reval-jit": "reval linked, with the compiler",
    "distribution": "reval linked",
    "python3.15-jit": "python3.15, PYTHON_JIT=1",
}
# If there is no choice: without those that are as fast as others.
USUAL = "attached-jit", "attached", "python3.15-jit"

# For each column, on a light and on a dark background.
COLORS = {
    "attached-jit": ("#c2410c", "#fb923c"),
    "attached": ("#1d4ed8", "#60a5fa"),
    "reval-jit": ("#be185d", "#f472b6"),
    "distribution": ("#0f766e", "#2dd4bf"),
    "python3.15-jit": ("#6b7280", "#9ca3af"),
}
# Background, text, lines, the line at 1.
LIGHT = "#ffffff", "#1f2328", "#d8dee4", "#57606a"
DARK = "#0d1117", "#e6edf3", "#30363d", "#8b949e"

# In pixels.
WIDTH, HEAD, FOOT, MARGIN = 920, 74, 24, 16
LABEL = 168  # the names of functions
BAR, GAP = 6, 7
TWO_PANELS = 16  # from so many functions on


def style(columns):
    def rules(which, background, text, lines, one):
        fills = "".join(f".{name_of(column)}{{fill:{COLORS[column][which]}}}" for column in columns)
        return f".back{{fill:{background}}}text{{fill:{text}}}.line{{stroke:{lines}}}.one{{stroke:{one}}}{fills}"
    return ("<style>text{font:11px system-ui,sans-serif}.title{font-size:15px;font-weight:600}.mean{font-weight:600}"
            f".end{{text-anchor:end}}.middle{{text-anchor:middle}}{rules(0, *LIGHT)}"
            f"@media (prefers-color-scheme:dark){{{rules(1, *DARK)}}}</style>")


def name_of(column):
    """A class of CSS."""
    return column.replace(".", "-")


def text(x, y, words, kind=""):
    return f'<text x="{x:.1f}" y="{y:.1f}" class="{kind}">{escape(words)}</text>'


def line(x, y, height, kind):
    return f'<path d="M{x:.1f} {y:.1f}v{height:.1f}" class="{kind}"/>'


class Scale:
    """Ratios from left to right, each factor as wide as the same factor elsewhere."""

    def __init__(self, ratios, width):
        self.low = math.floor(math.log2(min(*ratios, 0.99)))
        self.high = math.ceil(math.log2(max(*ratios, 1.01)))
        self.unit = width / (self.high - self.low)

    def x(self, ratio):
        return (math.log2(ratio) - self.low) * self.unit

    def ticks(self):
        return [2.0 ** power for power in range(self.low, self.high + 1)]


def rows_of(ratios, in_c, columns):
    """(name, column -> ratio) from top to bottom: means, and functions that live in the evaluator, the fastest first."""
    evaluated = {name: found for name, found in ratios.items() if name not in in_c}

    def mean(functions):
        return {column: comparison.mean(ratios, column, functions) for column in columns}
    rows = [(name, {column: found[column] for column in columns if column in found}) for name, found in evaluated.items()]
    rows = sorted((row for row in rows if columns[0] in row[1]), key=lambda row: -row[1][columns[0]])
    means = [(f"mean of {len(found)}", mean(found)) for found in (evaluated, ratios) if found]
    return means[:1 if len(evaluated) == len(ratios) else 2], rows


def panel(rows, means, columns, left, width, height, scale):
    """The functions below each other, with the scale above and below."""
    start = left + LABEL
    for ratio in scale.ticks():
        x = start + scale.x(ratio)
        yield line(x, HEAD, height, "one" if ratio == 1 else "line")
        yield text(x, HEAD - 6, f"{ratio:g}×", "middle")
    for number, (name, found) in enumerate(rows):
        y = HEAD + GAP + number * pitch(columns)
        bars = pitch(columns) - GAP
        kind = "end mean" if name in means else "end"
        said = ", ".join(f"{SHOWN[column]}: {ratio:.2f}" for column, ratio in found.items())
        yield f"<g><title>{escape(f'{name}: {said}')}</title>{text(start - 6, y + bars / 2 + 4, name, kind)}"
        for column, ratio in found.items():
            index = columns.index(column)
            from_, to = sorted((scale.x(1), scale.x(ratio)))
            yield (f'<rect x="{start + from_:.1f}" y="{y + index * BAR:.1f}" width="{max(to - from_, 0.5):.1f}" '
                   f'height="{BAR - 1}" class="{name_of(column)}"/>')
        end = max(scale.x(ratio) for ratio in (1, *found.values()))
        yield text(start + end + 4, y + bars / 2 + 4, f"{found[columns[0]]:.2f}") + "</g>"


def pitch(columns):
    return len(columns) * BAR + GAP


def chosen(ratios, wanted):
    """The columns to draw that were measured."""
    measured = {column for found in ratios.values() for column in found}
    found = [column for column in wanted or USUAL if column in measured]
    return found or [column for column in SHOWN if column in measured]


def draw(ratios, in_c=(), wanted=()):
    """A picture in SVG of function -> column -> ratio. in_c: functions that only count for the second mean."""
    columns = chosen(ratios, wanted)
    means, rows = rows_of(ratios, in_c, columns)
    rows = means + rows
    count = 2 if len(rows) >= TWO_PANELS else 1
    length = math.ceil(len(rows) / count)
    height = length * pitch(columns) + GAP
    width = (WIDTH - 2 * MARGIN) / count
    # Room for the figure behind the longest bar.
    scale = Scale([ratio for _, found in rows for ratio in found.values()], width - LABEL - 40)
    total = HEAD + height + FOOT
    parts = [f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{total}" '
             f'viewBox="0 0 {WIDTH} {total}" role="img">', "<title>Speed beside the packaged python3.14</title>",
             style(columns), f'<rect class="back" width="{WIDTH}" height="{total}" rx="6"/>',
             text(MARGIN, 24, "Speed beside the packaged python3.14: longer is faster, 2× is half the time", "title")]
    x = MARGIN
    for column in columns:
        parts.append(f'<rect x="{x}" y="36" width="10" height="10" class="{name_of(column)}"/>')
        parts.append(text(x + 15, 45, SHOWN[column]))
        x += 40 + 6.5 * len(SHOWN[column])
    for number in range(count):
        part = rows[number * length:(number + 1) * length]
        parts.extend(panel(part, dict(means), columns, MARGIN + number * width, width, height, scale))
    parts.append(text(MARGIN, total - 8, "Programs of pyperformance that spend a quarter of their time or more in the "
                      "evaluator. Means are geometric; the second is of all programs." if len(means) > 1 else
                      "Programs of pyperformance. The mean is geometric."))
    return "\n".join([*parts, "</svg>"]) + "\n"
