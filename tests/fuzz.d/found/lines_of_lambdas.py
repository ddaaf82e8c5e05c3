# Lines are disabled one by one, in functions that C code calls.
monitor(4, ["LINE", "JUMP"], 1)


def hot(n):
    def key(v):
        return 0

    data = [0 for k in range(18)]
    for use in (lambda: list(map(key, data)), lambda: list(filter(key, data))):
        use()


attempt(hot, 70)
attempt(hot, 29)
