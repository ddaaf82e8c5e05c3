"""Cases for src/attach/frames.rs."""

import gc
import ctypes
import sys
import threading
from ctypes import PYFUNCTYPE, c_size_t, c_void_p, pythonapi
from pathlib import Path

from harness import THREAD, both, increment, same, word


def test_data_stack():
    push = both("_PyThreadState_PushFrame", c_void_p, c_void_p, c_size_t)
    pop = PYFUNCTYPE(None, c_void_p, c_void_p)(("_PyThreadState_PopFrame", pythonapi))

    def result(function, size):
        """Where the frame is, and the header of its chunk if it is the first there."""
        frame = function(THREAD, size)
        ctypes.memset(frame, 0, size * 8)
        start = frame - 24
        chunk = (word(start), word(start + 8)) if start % 4096 == 0 else frame
        pop(THREAD, frame)
        return chunk

    sizes = [1, 10, 100, 1000, 3000, 5000, 20_000, 100_000]
    for size in sizes:
        same(f"{size} words", *[result(function, size) for function in push])

    # Chunks on top of each other.
    def results(function):
        frames = [function(THREAD, size) for size in sizes]
        headers = [word(frame - 16) if (frame - 24) % 4096 == 0 else 0 for frame in frames]
        tops = [word(frame - 8) for frame, header in zip(frames, headers) if header]
        for frame in reversed(frames):
            pop(THREAD, frame)
        return headers, tops

    same("many frames", *[results(function) for function in push])

    # In a thread of its own, which has no chunk yet when its first frame is pushed by reval.
    def deep(depth):
        return depth and 1 + deep(depth - 1)

    threads = [threading.Thread(target=deep, args=(300,)) for _ in range(3)]
    for thread in threads:
        thread.start()
        thread.join()


def frame_in(generator):
    """The address of the generator's frame. It begins with a reference to the code."""
    code = id(generator.gi_code)
    for address in range(id(generator) + 16, id(generator) + 400, 8):
        if word(address) & ~1 == code:
            return address
    raise LookupError


LOG = []


class Noted:
    def __init__(self, name):
        self.name = name

    def __del__(self):
        LOG.append(self.name)


def counting(argument):
    first, second = Noted("first"), Noted("second")
    for item in [Noted("on the stack"), 2]:
        cell = [lambda: second]
        yield first, argument, cell, item


def unstarted(argument):
    yield argument


def facts(frame):
    return (frame.f_code, frame.f_lineno, frame.f_lasti, frame.f_back, frame.f_trace, frame.f_trace_lines,
            frame.f_trace_opcodes, sorted(frame.f_locals), frame.f_globals is globals(), frame.f_builtins)


def test_frame_objects():
    make = both("_PyFrame_MakeAndSetFrameObject", c_void_p, c_void_p)
    results = []
    for function in make:
        generators = counting(1), unstarted(2)
        next(generators[0])
        made = [function(frame_in(generator)) for generator in generators]
        same("the generator's frame object", made, [id(generator.gi_frame) for generator in generators])
        results.append([(facts(generator.gi_frame), sys.getrefcount(generator.gi_frame)) for generator in generators])
        same("what it tracks", True, all(gc.is_tracked(generator.gi_frame) is False for generator in generators))
    same("frame objects", *results)


def test_clearing():
    clear = both("_PyFrame_ClearExceptCode", None, c_void_p)
    for start in (False, True):
        for observed in (False, True):
            results = []
            for function in clear:
                argument = Noted("argument")
                LOG.clear()
                generator = counting(argument) if start else unstarted(argument)
                if start:
                    next(generator)
                increment(generator)  # It must never be freed.
                frame = generator.gi_frame if observed else None
                code = generator.gi_code
                before = sys.getrefcount(argument), sys.getrefcount(code)
                function(frame_in(generator))
                counts = sys.getrefcount(argument), sys.getrefcount(code)
                result = [[count - earlier for count, earlier in zip(counts, before)], LOG[:]]
                if frame:
                    result += [facts(frame), gc.is_tracked(frame), frame.f_locals["argument"] is argument]
                    result.append([type(value) for value in frame.f_locals.values()])
                    del frame
                    result += [sys.getrefcount(argument) - before[0], sys.getrefcount(code) - before[1], LOG[:]]
                results.append(result)
            same(f"clearing, started: {start}, observed: {observed}", *results)

    # The caller becomes f_back, and a set exception stays.
    results = []
    for function in clear:
        def caller():
            return inner()

        def inner():
            generator = counting(1)
            next(generator)
            increment(generator)
            frame = generator.gi_frame
            # As if it were running. What `word` finds is its own frame, and below it this one.
            address = frame_in(generator)
            c_void_p.from_address(address + 8).value = word(word(THREAD_FRAME) + 8)
            function(address)
            return frame.f_back and frame.f_back.f_code.co_name
        results.append(caller())
    same("f_back", *results)


def thread_frame():
    """The address of the thread's pointer to its current frame: that of `word` while it reads."""
    for address in range(THREAD, THREAD + 400, 8):
        frame = word(address)
        if frame % 8 == 0 and is_mapped(frame) and word(frame) & ~1 == id(word.__code__):
            return address
    raise LookupError


def is_mapped(address):
    for line in MAPS:
        start, end = (int(part, 16) for part in line.split(" ")[0].split("-"))
        if start <= address < end - 8 and line.split(" ")[1].startswith("rw"):
            return True
    return False


MAPS = Path("/proc/self/maps").read_text().splitlines()
THREAD_FRAME = thread_frame()
