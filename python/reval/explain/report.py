"""The report, in the form that is asked for."""

import json
import os
import sys

from reval.explain import html, model, text, words

#: The least share of the time of a function that is shown.
LEAST_SHARE = 0.01
WORST = 3


def show(settings, found, cpu, wall):
    run = model.Run(found, cpu, wall)
    selection = Selection(run, settings["all"], settings["top"])
    wrote = []
    for name, make in ("json", as_json), ("html", html.page):
        if settings[name] is not None:
            content = make(run, selection)
            with open(settings[name], "w", encoding="utf-8", errors="surrogatepass") as file:
                file.write(content)
            wrote.append(settings[name])
    if sys.__stderr__ is None or sys.__stderr__.closed:
        return
    if wrote:
        lines = [f"reval explain: {path}" for path in wrote]
    else:
        lines = text.lines(run, selection, sys.__stderr__)
    # The program may have left something in the buffer.
    for stream in sys.stdout, sys.stderr:
        if stream is not None and not stream.closed:
            stream.flush()
    encoding = sys.__stderr__.encoding or "ascii"
    os.write(sys.__stderr__.fileno(), "".join(line + "\n" for line in lines).encode(encoding, "replace"))


class Selection:
    """What of a run is shown."""

    def __init__(self, run, everything, top):
        self.files = run.shown_files(everything)
        self.worst = run.worst_lines(everything, WORST)
        functions = [(file, function) for file in self.files for function in file.functions.values()]
        functions.sort(key=lambda item: -item[1].samples.total())
        least = 1 if top else max(1, LEAST_SHARE * run.total)
        functions = [item for item in functions if item[1].samples.total() >= least][:top]
        self.functions = {file.name: [] for file, _ in functions}
        for file, function in functions:
            self.functions[file.name].append(function)
        self.files = [file for file in self.files if file.name in self.functions]
        #: Samples in files that are not shown.
        self.hidden = run.total - run.without_place.total() - sum(file.total for file in self.files)


def as_json(run, selection):
    """A line of it has the samples of each kind, and notes."""
    def line(number, line):
        notes = [{"kind": note.kind, "text": note.text, "count": note.count} for note in line.notes]
        return {"line": number, "function": next(iter(line.functions), None), "samples": dict(line.samples),
                "share": round(run.share(line.total), 4), "notes": notes}

    def function(function):
        return {"name": function.name, "line": function.first, "samples": dict(function.samples)}

    files = [
        {
            "name": file.name,
            "samples": file.total,
            "functions": [function(item) for item in file.functions.values()],
            "lines": [line(number, item) for number, item in sorted(file.lines.items())],
        }
        for file in run.shown_files(True)
    ]
    worst = [{"file": file.name, **line(number, item)} for file, number, item in selection.worst]
    whole = {
        "version": 1,
        "program": sys.orig_argv,
        "seconds": {"processor": round(run.cpu, 3), "wall": round(run.wall, 3)},
        "samples": run.total,
        "elsewhere": run.elsewhere,
        "kinds": {kind: words.KINDS[kind][0] for kind in run.kinds},
        "total": dict(run.samples),
        "without_place": dict(+run.without_place),
        "worst": worst,
        "files": files,
    }
    return json.dumps(whole, indent=1) + "\n"
