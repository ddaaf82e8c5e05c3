# The jump that closes the loop has an EXTENDED_ARG, and a tool watches that: no executor may take its place.

def f0(n):
    t = 0
    for i in range(n):
        t = (i * 3 + t) % 10
        t = (i * 4 + t) % 11
        t = (i * 5 + t) % 12
        t = (i * 6 + t) % 13
        t = (i * 7 + t) % 14
        t = (i * 8 + t) % 15
        t = (i * 9 + t) % 16
        t = (i * 10 + t) % 17
        t = (i * 11 + t) % 18
        t = (i * 12 + t) % 19
        t = (i * 13 + t) % 20
        t = (i * 14 + t) % 21
        t = (i * 15 + t) % 22
        t = (i * 16 + t) % 23
        t = (i * 17 + t) % 24
        t = (i * 18 + t) % 25
        t = (i * 19 + t) % 26
        t = (i * 20 + t) % 27
        t = (i * 21 + t) % 28
        t = (i * 22 + t) % 29
        t = (i * 23 + t) % 30
        t = (i * 24 + t) % 31
        t = (i * 25 + t) % 32
        t = (i * 26 + t) % 33
        t = (i * 27 + t) % 34
        t = (i * 28 + t) % 35
        t = (i * 29 + t) % 36
        t = (i * 30 + t) % 37
        t = (i * 31 + t) % 38
        t = (i * 32 + t) % 39
        t = (i * 33 + t) % 40
        t = (i * 34 + t) % 41
        t = (i * 35 + t) % 42
        t = (i * 36 + t) % 43
        t = (i * 37 + t) % 44
        t = (i * 38 + t) % 45
        t = (i * 39 + t) % 46
        t = (i * 40 + t) % 47
        t = (i * 41 + t) % 48
        t = (i * 42 + t) % 49
    return t
local_events(2, f0, ['INSTRUCTION'], 5)
for lv0 in range(40):
    attempt(f0, 4)
