# environment: PYTHON_JIT=1
"""Loops where tier 2 is on, and that are too short for traces: JUMP_BACKWARD_JIT and its counter.

Which executors a longer loop leaves in the bytecode is another matter: reval's traces lead further than the host's.
"""

from forms import function, use

LOOPS = {
    "while": ("while n:", "  n -= 1", "return n"),
    "for": ("total = 0", "for i in range(n): total += i", "return total"),
    "list": ("for i in [1, 2] * n: pass",),
    "branch": ("odd = 0", "for i in range(n):", "  if i % 2: odd += 1", "  elif i > 100: odd -= 1"),
    "nested": ("for i in range(n // 10):", "  for j in range(n // 10): pass"),
    "float": ("x = 0.0", "for i in range(n): x += 0.5", "return x"),
    "text": ("s = ''", "for i in range(n): s += 'a'", "return s"),
    "generator": ("return sum(i for i in range(n))",),
    "call": ("for i in range(n): len('ab')",),
    "changing": ("x = 0", "for i in range(n):", "  if i > 5000: x = 'a'", "  x + x"),
}
for name, body in LOOPS.items():
    for count in (1, 5, 100, 1000):
        use(function(f"{name}_{count}", "n", *body), count, times=3)
