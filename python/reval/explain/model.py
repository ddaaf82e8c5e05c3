"""What was found: samples, and notes on lines, as objects that reports are made of."""

import linecache
import os
import sys
import sysconfig
from collections import Counter, defaultdict
from dataclasses import dataclass, field

from reval.explain import words

#: What fewer samples say depends on chance.
FEWEST_SAMPLES = 100
#: A trace that was left less often, or less often in a second, is no reason for being slow.
FEWEST_EXITS = 100
FEWEST_EXITS_IN_A_SECOND = 5000
#: The least share of a line's samples, and of all, that C code needs to be named there.
LEAST_SHARE_OF_C = 0.2
LEAST_SHARE_OF_ALL = 0.01
IN_MACHINE_CODE = "compiled"
C_CODE = "c", "compiled_c"
#: The kinds of notes, the most important one first: C code, where traces are left, how attempts to make them ended.
NOTES = "c", "exit", "attempt"


@dataclass
class Note:
    """What is to be said about a line."""

    kind: str  # one of NOTES
    text: str
    count: int


@dataclass
class Line:
    samples: Counter = field(default_factory=Counter)
    notes: list = field(default_factory=list)
    functions: Counter = field(default_factory=Counter)

    @property
    def total(self):
        return self.samples.total()

    @property
    def outside(self):
        """The samples outside of machine code."""
        return self.total - self.samples[IN_MACHINE_CODE]


@dataclass
class Function:
    name: str
    first: int
    last: int
    samples: Counter = field(default_factory=Counter)


@dataclass
class File:
    name: str
    lines: defaultdict = field(default_factory=lambda: defaultdict(Line))
    functions: dict = field(default_factory=dict)

    @property
    def total(self):
        return sum(line.total for line in self.lines.values())

    @property
    def is_of_library(self):
        """Of the standard library."""
        return self.name.startswith("<frozen ") or is_in_library(self.name)

    @property
    def source(self):
        """Its lines, with their ends. Nothing if there is no such file."""
        if self.name == "<string>" and "-c" in sys.orig_argv:
            return sys.orig_argv[sys.orig_argv.index("-c") + 1].splitlines(keepends=True)
        return linecache.getlines(self.name)


def is_in_library(name):
    library = sysconfig.get_path("stdlib")
    inside = name.startswith(library + os.sep)
    return inside and not name.startswith((os.path.join(library, "site-packages"), os.path.join(library, "dist-packages")))


class Run:
    """A program's run."""

    def __init__(self, found, cpu, wall):
        self.cpu, self.wall = cpu, wall
        self.kinds = found["kinds"]
        self.elsewhere = found["elsewhere"]
        self.files = {}
        self.without_place = Counter(dict(zip(self.kinds, found["without_place"])))
        self._codes, self._places = found["codes"], found["places"]
        self._add_samples()
        self._add_attempts(found["attempts"])
        self._add_exits(found["exits"])
        self.samples = self.without_place.copy()
        for file in self.files.values():
            for line in file.lines.values():
                self.samples += line.samples
        self._name_c_code()
        for file in self.files.values():
            for line in file.lines.values():
                line.notes.sort(key=lambda note: (NOTES.index(note.kind), -note.count))

    @property
    def total(self):
        return self.samples.total()

    def share(self, samples):
        return samples / self.total if self.total else 0.0

    def _file(self, name):
        return self.files.setdefault(name, File(name))

    def _where(self, place):
        """File, line and function of a place."""
        index, _, number, _ = self._places[place]
        code, file, name, first = self._codes[index]
        file = self._file(file)
        function = file.functions.get((name, first))
        if function is None:
            last = first
            if code is not None:
                last = max((line for _, _, line in code.co_lines() if line), default=first)
            function = file.functions[name, first] = Function(name, first, last)
        function.last = max(function.last, number)
        return file, number or first, function

    def _add_samples(self):
        for place, (_, _, _, counts) in enumerate(self._places):
            samples = Counter({kind: count for kind, count in zip(self.kinds, counts) if count})
            if samples:
                file, number, function = self._where(place)
                line = file.lines[number]
                line.samples += samples
                line.functions[function.name] += samples.total()
                function.samples += samples

    def _add_attempts(self, attempts):
        counts, origins = Counter(), defaultdict(set)
        for start, end, outcome, detail, count in attempts:
            text = words.of_attempt(outcome, detail)
            if text is None:
                continue
            file, first, _ = self._where(start)
            where, number, _ = self._where(end) if end >= 0 else (file, first, None)
            counts[where.name, number, text] += count
            if where is file:
                origins[where.name, number, text].add(first)
        for (name, number, text), count in counts.items():
            text += words.of_origins(origins[name, number, text], number)
            self._file(name).lines[number].notes.append(Note("attempt", text, count))

    def _add_exits(self, exits):
        counts = Counter()
        ends = Counter()
        for place, reasons, detail, count in exits:
            file, number, _ = self._where(place)
            counts[file.name, number, tuple(reasons), detail] += count
            if reasons == ["ended"]:
                ends[file.name, number] += count
        for (name, number, reasons, detail), count in counts.items():
            if reasons == ("interpreted",):
                # These have their own notes.
                count -= ends[name, number]
            if count >= max(FEWEST_EXITS, FEWEST_EXITS_IN_A_SECOND * self.cpu):
                text = words.of_exit(reasons, detail, count)
                self._file(name).lines[number].notes.append(Note("exit", text, count))

    def _name_c_code(self):
        """Says which functions C code is."""
        found = defaultdict(Counter)
        instructions = {}
        for place, (index, offset, _, counts) in enumerate(self._places):
            count = sum(count for kind, count in zip(self.kinds, counts) if kind in C_CODE)
            code = self._codes[index][0]
            if not count or code is None or offset < 0:
                continue
            file, number, _ = self._where(place)
            if index not in instructions:
                instructions[index] = words.Instructions(code, file.source)
            text = instructions[index].describe(offset)
            if text:
                found[file.name, number][text] += count
        for (name, number), texts in found.items():
            line = self._file(name).lines[number]
            for text, count in texts.most_common():
                if count >= max(LEAST_SHARE_OF_C * line.total, LEAST_SHARE_OF_ALL * self.total):
                    line.notes.append(Note("c", text, count))

    def shown_files(self, everything):
        """Those to show, the one with most samples first."""
        files = [file for file in self.files.values() if file.total and (everything or not file.is_of_library)]
        return sorted(files, key=lambda file: -file.total)

    def worst_lines(self, everything, count):
        """The lines with most samples outside of machine code: file, number, line."""
        lines = [(file, number, line) for file in self.shown_files(everything) for number, line in file.lines.items()]
        lines = [item for item in lines if item[2].outside]
        return sorted(lines, key=lambda item: -item[2].outside)[:count]


def kinds_of(samples):
    """What a line is mostly in, in one or two words."""
    counts = Counter()
    for kind, count in samples.items():
        counts[words.KINDS[kind][1]] += count
    total = counts.total()
    return " + ".join(name for name, count in counts.most_common(2) if count >= 0.25 * total)
