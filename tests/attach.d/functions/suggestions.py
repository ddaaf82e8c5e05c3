"""Cases for src/attach/suggestions.rs."""

import os
from ctypes import c_void_p, py_object

from harness import RANDOM, both, names, same, same_calls, taken


def test_suggestions():
    suggest = both("_Py_CalculateSuggestions", c_void_p, py_object, py_object)

    def misspelt(name):
        letters = [*name]
        for _ in range(RANDOM.randrange(4)):
            at = RANDOM.randrange(len(letters) + 1)
            match RANDOM.randrange(4):
                case 0:
                    letters.insert(at, RANDOM.choice("abcxyzAé_"))
                case 1:
                    letters[at:at + 1] = []
                case 2:
                    letters[at:at + 1] = RANDOM.choice("abcxyzAé_")
                case 3:
                    letters[at:at + 1] = "".join(letters[at:at + 1]).swapcase()
        return "".join(letters)

    known = [*dir(os), *dir(str), *"aé_", "x" * 39, "x" * 41 + "y", "x" * 60, ""]
    for _ in range(3000):
        candidates = RANDOM.sample(known, RANDOM.randrange(1, 40))
        name = misspelt(RANDOM.choice(candidates))
        same(f"{name!r} of {candidates}", *[taken(function(candidates, name)) for function in suggest])
    for count in (749, 750, 800):
        same(f"{count} candidates", *[taken(function(names(count), "nam5")) for function in suggest])
    same_calls(suggest, ["abc"], "ab\udc80")
    same_calls(suggest, ["ab\udc80", "abc"], "abd")
    same_calls(suggest, [], "abd")
