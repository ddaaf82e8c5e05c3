# options: -I -S
class Point:
    """A point."""

    dims = 2

    def __init__(self, x, y=0):
        self.x = x
        self.y = y

    def __repr__(self):
        return f"Point({self.x}, {self.y})"

    def __eq__(self, other):
        return isinstance(other, Point) and (self.x, self.y) == (other.x, other.y)

    def __add__(self, other):
        if not isinstance(other, Point):
            return NotImplemented
        return Point(self.x + other.x, self.y + other.y)

    @property
    def norm(self):
        return abs(self.x) + abs(self.y)

    @norm.setter
    def norm(self, value):
        self.x, self.y = value, 0

    @classmethod
    def make(cls, *args):
        return cls(*args)

    @staticmethod
    def zero():
        return Point(0)


class Point3(Point):
    def __init__(self, x, y, z):
        super().__init__(x, y)
        self.z = z

    def __repr__(self):
        return super().__repr__() + f"+{self.z}"


p, q = Point(1, 2), Point3(3, 4, 5)
print(p, q, p + q, p == Point(1, 2), p != q, p.norm, Point.make(7), Point.zero(), Point.__doc__)
p.norm = 9
print(p, p.dims, Point.dims, p.__dict__, q.__dict__)
p.dims = 3
print(p.dims, Point.dims)
del p.dims
print(p.dims, Point3.__mro__[1].__name__, isinstance(q, Point))
bound = q.make
print(bound(1, 2, 3))
for what in ("p.missing", "Point.missing", "p + 1", "Point()", "Point(1, 2, 3)", "p()", "del_()", "p < q", "Point3.make(1)"):
    def del_():
        del p.missing
    try:
        eval(what)
    except Exception as e:
        print(what, "->", type(e).__name__, e)


class Slots:
    __slots__ = ("a", "b")


s = Slots()
s.a = 1
print(s.a)
for what in ("s.b", "s.c"):
    try:
        print(eval(what))
    except AttributeError as e:
        print(e, e.name, e.obj is s)
try:
    s.c = 1
except AttributeError as e:
    print(e)
del s.a
print(hasattr(s, "a"))
