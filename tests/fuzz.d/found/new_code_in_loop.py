# A function whose code is replaced while it runs, in a loop that becomes hot.
class C:
    def m(self, n=1):
        return n


def hot(n):
    o, seen = C(), 0
    for i in range(n):
        hot.__code__ = hot.__code__.replace(co_name="other")
        seen += o.m(i)
    return seen, hot.__code__.co_name


attempt(hot, 18)
attempt(hot, 70)
