# Recursion: plain, mutual, through C, in generators, and too deep.
import functools
import sys


def factorial(n): return n * factorial(n - 1) if n else 1


def even(n): return True if n == 0 else odd(n - 1)


def odd(n): return False if n == 0 else even(n - 1)


def ackermann(m, n):
    if m == 0:
        return n + 1
    if n == 0:
        return ackermann(m - 1, 1)
    return ackermann(m - 1, ackermann(m, n - 1))


def hanoi(n, a, b, c):
    if n:
        yield from hanoi(n - 1, a, c, b)
        yield a, c
        yield from hanoi(n - 1, b, a, c)


@functools.lru_cache
def fibonacci(n): return n if n < 2 else fibonacci(n - 1) + fibonacci(n - 2)


class Tree:
    def __init__(self, depth): self.children = [Tree(depth - 1) for _ in range(2)] if depth else []

    def __len__(self): return 1 + sum(map(len, self.children))

    def __repr__(self): return f"T{self.children}"

    def __getattr__(self, name):
        if name.startswith("x"):
            return getattr(self, name[1:])
        raise AttributeError(name)


def endless(n):
    global deepest
    deepest = n
    endless(n + 1)


def endless_generator():
    yield from endless_generator()


log(factorial(20), even(11), ackermann(2, 2), list(hanoi(3, *"abc")), fibonacci(20))
log(len(Tree(3)), repr(Tree(2)), sorted(range(9), key=lambda n: factorial(n % 4)))
try:
    Tree(0).xxxy
except AttributeError as error:
    log(error)
sys.setrecursionlimit(150)
for function in lambda: endless(0), lambda: next(endless_generator()):
    try:
        function()
    except RecursionError as error:
        log(error)
sys.setrecursionlimit(1000)
log(deepest)
