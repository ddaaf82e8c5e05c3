# Pattern matching: every kind of pattern, guards, failures half-way.
from collections import OrderedDict


class Point:
    __match_args__ = "x", "y"

    def __init__(self, x, y): self.x, self.y = x, y


def kind(value):
    match value:
        case 0 | 1:
            return "small"
        case None:
            return "none"
        case str() as text if text:
            return "text", text
        case "":
            return "empty text"
        case []:
            return "empty list"
        case [x]:
            return "one", x
        case [0, *rest] | [1, _, *rest]:
            return "begins", rest
        case [Point(x, 0), Point(0, y)]:
            return "axes", x, y
        case [_, *_, last] if last == 9:
            return "last"
        case {"a": 1, "b": [b, *_]}:
            return "mapping", b
        case {"a": a, **rest} if rest:
            return "rest", a, rest
        case {}:
            return "some mapping"
        case Point(x=3, y=y):
            return "three", y
        case Point(x, y) if x == y:
            return "diagonal"
        case Point():
            return "point"
        case float(x) | complex(real=x):
            return "number", x
        case True | False:
            return "never, they are 0 and 1"
    return "other"


def no_default(value):
    match value:
        case (1, 2):
            pass
        case (a, b) if a > b:
            log("descending")


def nested(value):
    match value:
        case {"k": [{"l": (x, y)} | {"m": [x, y]}, *_]}:
            return x, y
        case _:
            return None


for value in (0, 1, 2, None, "abc", "", [], [5], [0, 1, 2], [1, 2, 3], (Point(1, 0), Point(0, 2)), [7, 8, 9], [7, 8],
              {"a": 1, "b": [4, 5]}, {"a": 2, "c": 3}, {"a": 2}, {}, Point(3, 4), Point(4, 4), Point(4, 5), 1.5, 2j,
              b"bytes", {1, 2}, OrderedDict(a=1), range(3), object()):
    log(kind(value))
for pair in (1, 2), (2, 1), (0, 1), 5:
    no_default(pair)
for value in ({"k": [{"l": (1, 2)}]}, {"k": [{"m": [3, 4]}, 5]}, {"k": []}, 3):
    log(nested(value))


class Bad:
    __match_args__ = 5


for case in (Bad(), Point(1, 2)):
    try:
        match case:
            case Bad(x):
                pass
            case Point(a, b, c):
                pass
    except TypeError as error:
        log(error)
