"""What measured.py measures, and debugged.py debugs."""


def classify(number):
    if number % 15 == 0:
        return "both"
    if number % 5 == 0:
        return "five"
    return "three" if number % 3 == 0 else None


def never():
    return "not run"


def gathered(numbers):
    found = {}
    for number in numbers:
        word = classify(number)
        match word:
            case None:
                continue
            case "both" | "five":
                found.setdefault(word, []).append(number)
            case _:
                found[word] = found.get(word, 0) + 1
    return found
