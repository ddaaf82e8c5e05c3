"""The report as a web page: one file, which needs nothing else."""

import os
from html import escape

from reval.explain import model, text, words

STYLE = """
:root { color-scheme: light dark; --back: #fff; --fore: #1c1e21; --faint: #6b7280; --line: #e5e7eb; --head: #f6f7f9;
  --compiled: #15803d; --C: #2563eb; --trace: #b45309; --bytecode: #c2410c; --collector: #9333ea; --making: #0e7490;
  --note: #0b6b8a; }
@media (prefers-color-scheme: dark) { :root { --back: #16181c; --fore: #e4e6ea; --faint: #969ca8; --line: #2b2f36;
  --head: #1f2228; --compiled: #4ade80; --C: #7aa7ff; --trace: #fbbf24; --bytecode: #fb923c; --collector: #c792ff;
  --making: #45d0e6; --note: #6cc9e8; } }
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 24px; max-width: 1200px; background: var(--back); color: var(--fore);
  font: 15px/1.5 system-ui, sans-serif; }
h1 { font-size: 22px; margin: 0 0 4px; } h2 { font-size: 17px; margin: 32px 0 8px; overflow-wrap: anywhere; }
p { margin: 4px 0; } .faint { color: var(--faint); }
code, td.code, td.number, td.share { font-family: ui-monospace, "DejaVu Sans Mono", monospace; font-size: 13px; }
.stack { display: flex; height: 22px; border-radius: 4px; overflow: hidden; margin: 16px 0 8px; background: var(--line); }
.stack > i, .bar > i { display: block; height: 100%; }
.legend { display: flex; flex-wrap: wrap; gap: 4px 20px; padding: 0; margin: 0; list-style: none; }
.legend i { display: inline-block; width: 11px; height: 11px; border-radius: 2px; margin-right: 6px; }
ol.worst { padding-left: 22px; } ol.worst li { margin: 8px 0; }
.scroll { overflow-x: auto; border: 1px solid var(--line); border-radius: 6px; }
table { border-collapse: collapse; width: 100%; } td { padding: 0 8px; vertical-align: top; white-space: pre; }
td.share { text-align: right; width: 56px; } td.bars { padding: 4px 0; } td.kind { width: 110px;
  font-size: 12px; color: var(--faint); } td.number { text-align: right; color: var(--faint);
  border-right: 1px solid var(--line); width: 40px; } td.code { tab-size: 4; }
.bar { display: flex; width: 90px; height: 13px; border-radius: 2px; overflow: hidden; } tr.gap td { background: var(--head);
  color: var(--faint); text-align: center; line-height: 1.2; } .note { display: block; color: var(--note);
  white-space: normal; padding-left: 2ch; text-indent: -2ch; } li .note { font-size: 14px; }
.functions { margin: 0 0 8px; padding: 0; list-style: none; }
""" + "".join(f".k-{name} {{ background: var(--{name}); }}\n" for name in ("compiled", "C", "trace", "bytecode", "collector", "making"))


def page(run, selection):
    parts = [
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n',
        f"<title>Where the time goes: {program_of(selection)}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n",
        *summary(run, selection),
    ]
    for file in selection.files:
        parts += of_file(run, file, selection.functions[file.name])
    parts.append("</body>\n</html>\n")
    return "".join(parts).encode(errors="replace").decode()


def program_of(selection):
    return escape(os.path.basename(selection.files[0].name)) if selection.files else "a program"


def stack(samples, total, name):
    """A bar of all kinds."""
    counts = {}
    for kind, (_, short) in words.KINDS.items():
        if samples[kind]:
            counts[short] = counts.get(short, 0) + samples[kind]
    parts = "".join(f'<i class="k-{kind}" style="width:{100 * count / total:.2f}%" title="{kind}"></i>'
                    for kind, count in counts.items())
    return f'<div class="{name}">{parts}</div>'


def summary(run, selection):
    yield f"<h1>Where the time of {program_of(selection)} goes</h1>\n"
    yield f'<p class="faint">{run.cpu:.2f} s of processor time, {run.total} samples'
    if run.total < model.FEWEST_SAMPLES:
        yield ": few, the shares are rough"
    yield "</p>\n"
    if run.total:
        yield stack(run.samples, run.total, "stack") + '\n<ul class="legend">\n'
        for kind in run.kinds:
            if count := run.samples[kind]:
                name, short = words.KINDS[kind]
                yield f'<li><i class="k-{short}"></i>{text.percent(run.share(count)).strip()} {escape(name)}</li>\n'
        yield "</ul>\n"
    if selection.hidden > 0.01 * run.total:
        yield (f'<p class="faint">{text.percent(run.share(selection.hidden)).strip()} of all is in code that is not shown '
               "(--all).</p>\n")
    if selection.worst:
        yield '<h2>Most of the time outside of machine code</h2>\n<ol class="worst">\n'
        for file, number, line in selection.worst:
            source = escape(text.source_of(file, number).strip())
            yield (f"<li>{text.percent(run.share(line.outside)).strip()} in "
                   f'<a href="#{anchor(file, number)}">{escape(text.shown_name(file.name))}:{number}</a> '
                   f"<code>{source}</code>")
            yield "".join(f'<span class="note">{escape(reason)}</span>' for reason in text.reasons(line))
            yield "</li>\n"
        yield "</ol>\n"


def anchor(file, number):
    return escape(f"{file.name}:{number}".replace(" ", "%20"), quote=True)


def of_file(run, file, functions):
    yield f"<h2>{escape(text.shown_name(file.name))} <span class=\"faint\">{text.percent(run.share(file.total)).strip()}"
    yield '</span></h2>\n<ul class="functions">\n'
    for function in functions:
        share = text.percent(run.share(function.samples.total())).strip()
        yield f"<li>{share} <code>{escape(function.name)}</code> <span class=\"faint\">{model.kinds_of(function.samples)}</span></li>\n"
    yield "</ul>\n"
    source = file.source
    if not source:
        yield '<p class="faint">There is no source.</p>\n'
        return
    yield '<div class="scroll"><table>\n'
    most = max((line.total for line in file.lines.values()), default=1)
    previous = 0
    for number in text.wanted_lines(run, file, functions):
        if previous and number > previous + 1:
            yield '<tr class="gap"><td colspan="5">⋮</td></tr>\n'
        previous = number
        yield of_line(run, file, number, source[number - 1].rstrip(), most)
    yield "</table></div>\n"


def of_line(run, file, number, source, most):
    line = file.lines.get(number)
    share = bars = kinds = notes = ""
    if line is not None and line.total:
        share = text.percent(run.share(line.total))
        bars = stack(line.samples, most, "bar")
        kinds = model.kinds_of(line.samples)
    if line is not None:
        indent = len(source.expandtabs()) - len(source.expandtabs().lstrip())
        notes = "".join(f'<span class="note" style="margin-left:{indent}ch">↑ {escape(note.text)}</span>'
                        for note in line.notes)
    return (f'<tr id="{anchor(file, number)}"><td class="share">{share}</td><td class="bars">{bars}</td>'
            f'<td class="kind">{kinds}</td><td class="number">{number}</td>'
            f'<td class="code">{escape(source)}{notes}</td></tr>\n')
