"""The report in a terminal."""

import importlib
import os
import textwrap

from reval.explain import model, words

#: Lines around those that matter.
CONTEXT = 2
#: A function with no more lines is shown as a whole.
SHORT = 30
#: The least share of a line that matters.
LEAST_SHARE = 0.005
BAR = 12
#: The width of what is in front of a line's number: its share, a bar, what it is in.
LEFT = 31
COLORS = {"compiled": "GREEN", "C": "BLUE", "trace": "YELLOW", "bytecode": "RED", "collector": "MAGENTA", "making": "CYAN"}


class Colors:
    """Codes of a terminal, or nothing."""

    def __init__(self, stream):
        try:
            # Python's own programs use it. Type checkers do not know it.
            _colorize = importlib.import_module("_colorize")
            on = _colorize.can_colorize(file=stream)
            self.codes = _colorize.get_colors(colorize=on)
        except (ImportError, AttributeError, TypeError):
            self.codes = None

    def paint(self, text, *names):
        if self.codes is None or not names:
            return text
        codes = "".join(getattr(self.codes, name, "") for name in names)
        return f"{codes}{text}{self.codes.RESET if codes else ''}"


def lines(run, selection, stream):
    colors = Colors(stream)
    try:
        width = max(60, min(160, os.get_terminal_size(stream.fileno()).columns))
    except OSError:
        width = 120
    yield from summary(run, selection, colors)
    for file in selection.files:
        yield ""
        yield from of_file(run, file, selection.functions[file.name], colors, width)


def percent(share):
    return f"{100 * share:3.0f} %" if share >= 0.005 or not share else " <1 %"


def bar(share, length=BAR):
    """A bar of eighths of a character."""
    eighths = round(share * length * 8)
    return ("█" * (eighths // 8) + " ▏▎▍▌▋▊▉"[eighths % 8]).ljust(length)[:length]


def color_of(samples):
    kinds = model.kinds_of(samples).split(" + ")
    return COLORS.get(kinds[0], "")


def summary(run, selection, colors):
    paint = colors.paint
    yield paint(f"reval explain: {run.cpu:.2f} s of processor time, {run.total} samples", "BOLD")
    if not run.total:
        yield "The program has ended before the first sample."
        return
    if run.total < model.FEWEST_SAMPLES:
        yield "(few samples: the shares are rough, let the program run longer)"
    yield ""
    for kind in run.kinds:
        if count := run.samples[kind]:
            name, short = words.KINDS[kind]
            share = run.share(count)
            yield f"  {percent(share)}  {paint(bar(share, 20), COLORS[short])}  {name}"
    if run.elsewhere:
        yield f"  and {run.elsewhere} samples in threads without Python code"
    if selection.hidden > 0.01 * run.total:
        yield f"  ({percent(run.share(selection.hidden)).strip()} of all is in code that is not shown: --all)"
    if selection.worst:
        yield ""
        yield paint("Most of the time outside of machine code:", "BOLD")
    for file, number, line in selection.worst:
        share = percent(run.share(line.outside))
        yield f"  {share}  {shown_name(file.name)}:{number}  {paint(source_of(file, number).strip(), 'BOLD')}"
        for reason in reasons(line):
            yield f"         {paint(reason, 'CYAN')}"


def reasons(line):
    """The most important notes, or what the line is in."""
    outside = line.samples.copy()
    del outside[model.IN_MACHINE_CODE]
    [(kind, _)] = outside.most_common(1)
    return [note.text for note in line.notes[:3]] or [words.KINDS[kind][0]]


def shown_name(name):
    """The shorter one of the absolute path and the relative one."""
    try:
        return min(os.path.relpath(name), name, key=len) if os.path.isabs(name) else name
    except (OSError, ValueError):
        return name


def source_of(file, number):
    source = file.source
    return source[number - 1].rstrip("\n") if 0 < number <= len(source) else ""


def wanted_lines(run, file, functions):
    """The numbers of the lines to show."""
    wanted = set()
    count = len(file.source)
    for function in functions:
        if function.name != "<module>" and function.last - function.first < SHORT:
            wanted.update(range(function.first, function.last + 1))
        else:
            wanted.add(function.first)
    for number, line in file.lines.items():
        if run.share(line.total) >= LEAST_SHARE or line.notes:
            inside = any(function.first <= number <= function.last for function in functions)
            if inside:
                wanted.update(range(number - CONTEXT, number + CONTEXT + 1))
    return sorted(number for number in wanted if 0 < number <= count)


def of_file(run, file, functions, colors, width):
    paint = colors.paint
    yield paint(f"{shown_name(file.name)}", "BOLD") + f"  {percent(run.share(file.total)).strip()}"
    for function in functions:
        samples = function.samples
        yield f"  {percent(run.share(samples.total()))}  {function.name}: {model.kinds_of(samples)}"
    source = file.source
    if not source:
        yield "  (there is no source)"
        return
    yield ""
    previous = 0
    numbers = wanted_lines(run, file, functions)
    digits = len(str(numbers[-1])) if numbers else 1
    for number in numbers:
        if previous and number > previous + 1:
            yield paint(f"{'':{LEFT}}{'⋮':>{digits}}", "GREY")
        previous = number
        yield from of_line(run, number, digits, file.lines.get(number), source[number - 1], colors, width)


def of_line(run, number, digits, line, source, colors, width):
    paint = colors.paint
    code = source.rstrip().expandtabs()
    if line is None or not line.total:
        left = " " * LEFT
    else:
        share, kinds = run.share(line.total), model.kinds_of(line.samples)
        left = f"{percent(share)} {paint(bar(share, 6), color_of(line.samples))} {kinds[:17]:17} "
    yield f"{left}{paint(f'{number:{digits}}', 'GREY')} │ {code}".rstrip()
    if line is not None:
        indent = " " * (LEFT + digits) + " │ " + " " * (len(code) - len(code.lstrip()))
        for note in line.notes:
            parts = textwrap.wrap(note.text, max(30, width - len(indent) - 2))
            for at, part in enumerate(parts):
                yield f"{indent}{paint(('↑ ' if at == 0 else '  ') + part, 'CYAN')}"


