# options: -I -S
a, b, x, y = 17, 5, 2.5, -4.0
print(a + b, a - b, a * b, a // b, a % b, a / b, a ** b, a << b, a >> 1, a & b, a | b, a ^ b)
print(x + y, x - y, x * y, x / y, x // y, x % y, x ** 2, a + x, x * b)
print("ab" + "cd", "ab" * 3, [1] + [2], (1,) * 2, "%s-%d" % ("k", 4))
print(-a, +a, ~a, not a, -x, not "")
print(a < b, a <= b, a == b, a != b, a > b, a >= b, x < y, "a" < "b", 1 < a < 20, 1 < a < 3)
print(a is b, a is not b, 3 in [1, 3], 3 not in (1, 3), "b" in "abc", "k" in {"k": 1}, 4 in {4, 5})
print(10 ** 40 * 3, -(2 ** 70) // 7, (2 ** 70) % 1000007, 1 << 100)
print(a and b, 0 and b, a or b, 0 or b, a if x > y else b)
a += 1; a -= 3; a *= 4; a //= 3; a %= 13; a **= 2; a <<= 3; a >>= 1; a |= 3; a &= 0xFE; a ^= 7
x /= 2
print(a, x)
l = [1]
m = l
l += [2]
l *= 2
print(l, m is l)


class M:
    def __matmul__(self, other):
        return "matmul", other

    def __rmatmul__(self, other):
        return "rmatmul", other

    def __imatmul__(self, other):
        return "imatmul", other

    def __index__(self):
        return 2


m = M()
print(m @ 1, 1 @ m, [5, 6, 7][m])
m @= 9
print(m)
print(complex(1, 2) * 2j, True + True, b"a" + b"b", {1, 2} | {3}, {1: 2} | {3: 4}, {1, 2, 3} & {2, 3} - {3})
