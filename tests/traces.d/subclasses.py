# environment: PYTHON_JIT_SIDE_EXIT_INITIAL_VALUE=1 PYTHON_JIT_SIDE_EXIT_INITIAL_BACKOFF=1
"""Loops over, and lengths of, objects of classes that inherit from list and tuple, and that change while loops run."""


class Items(list):
    pass


class Pair(tuple):
    pass


class Reversed(list):
    def __iter__(self):
        return reversed(list(iter_of_list(self)))

    def __len__(self):
        return 1000 + list.__len__(self)


def iter_of_list(items):
    return list.__iter__(items)


def work(containers):
    total, lengths = 0, 0
    for container in containers:
        lengths += len(container)
        for item in container:
            total = total * 3 % 1000003 + item
    return total, lengths


def changes(make, change):
    containers = [make([number, 2, 3]) for number in range(200)]

    class Changing(type(containers[0])):
        pass

    changing = [Changing(container) for container in containers]
    before = work(changing)
    change(Changing)
    return before, work(changing), work(containers)


def new_iter(cls):
    cls.__iter__ = lambda self: iter([7])


def new_len(cls):
    cls.__len__ = lambda self: 5


def wrong_iter(cls):
    cls.__iter__ = lambda self: 7


def wrong_len(cls):
    cls.__len__ = lambda self: -1


for make in (list, tuple, Items, Pair, Reversed):
    print(make.__name__, work([make([number, 2, 3]) for number in range(200)]))
    mixed = [[1, 2], Items([3, 4]), (5, 6), Pair((7, 8)), Reversed([9, 10])] * 40
    print(make.__name__, work([make([number]) for number in range(100)] + mixed))
    for change in (new_iter, new_len, wrong_iter, wrong_len):
        try:
            print(change.__name__, changes(make, change))
        except Exception as error:
            print(change.__name__, type(error).__name__, error)
