"""What the programs are made with: functions of one line, each with code of its own, and their use.

A program crosses a family's instructions with the objects that they may meet: what the specializer accepts, what it
refuses, and what makes it change its mind.
"""

made = {}


def function(name, parameters, *body, namespace=None):
    """The function `def name(parameters): body`, of its own code."""
    namespace = {"__builtins__": __builtins__} if namespace is None else namespace
    source = f"def {name}({parameters}):\n" + "".join(f"    {line}\n" for line in body)
    exec(compile(source, f"<{name}>", "exec"), namespace)
    number = made[name] = made.get(name, 0) + 1
    kept.append((number, namespace[name]))
    return namespace[name]


kept = []


def use(called, *args, times=4):
    """Calls it often enough to be specialized; what it raises is its own affair."""
    for _ in range(times):
        try:
            called(*args)
        except Exception:
            pass


def change(called, first, second, cooldown=60):
    """One kind of arguments until it is specialized, another one for longer than the first form is kept."""
    use(called, *first)
    use(called, *second, times=cooldown)
    use(called, *first, times=cooldown)


def label(text):
    """A text as part of a name."""
    return "".join(char if char.isalnum() else f"_{ord(char):x}_" for char in text)
