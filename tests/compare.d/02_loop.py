# options: -I -S
total = 0
for i in range(10):
    if i == 3:
        continue
    if i == 8:
        break
    total += i
else:
    print("never")
print(total, i)

n = 0
while n < 5:
    n += 1
    for j in (1, 2):
        if j == n:
            break
    else:
        print("no break for", n)
else:
    print("while ended", n)

while True:
    n -= 1
    if not n:
        break
print(n)

for x in []:
    pass
else:
    print("empty")

for a, (b, *c) in [(1, (2, 3, 4)), (5, "xyz")]:
    print(a, b, c)

for k in {"a": 1, "b": 2}:
    print(k)
for k, v in {"a": 1, "b": 2}.items():
    print(k, v)
for i, c in enumerate("xyz", 1):
    print(i, c)
for p in zip([1, 2], "ab"):
    print(p)


def nested(n):
    found = []
    for i in range(n):
        for j in range(i):
            if i * j % 7 == 1:
                found.append((i, j))
                break
        else:
            continue
        found.append(None)
    return found


print(nested(12))


def countdown(n):
    while n:
        n -= 1
        yield n


print(sum(range(1000)), sum(countdown(50)))
big = 0
for i in range(100_000):
    big += i & 3
print(big)
