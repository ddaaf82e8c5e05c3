"""Cases for src/attach/calls.rs."""

import os
import sys
from ctypes import POINTER, byref, c_int, c_size_t, c_ssize_t, c_void_p, py_object

from harness import NULL_REFERENCE, THREAD, Name, both, increment, same, taken, word


def test_unpacking():
    unpack = both("_PyStack_UnpackDict", c_void_p, c_void_p, c_void_p, c_ssize_t, py_object, POINTER(c_void_p))
    free = both("_PyStack_UnpackDict_FreeNoDecRef", None, c_void_p, py_object)

    def call(pair, arguments, keywords):
        function, free = pair
        array = (c_void_p * (len(arguments) + 1))(*map(id, arguments))
        kwnames = c_void_p()
        objects = [*arguments, *keywords, *keywords.values()]
        before = [sys.getrefcount(each) for each in objects]
        try:
            values = function(THREAD, array, len(arguments), keywords, byref(kwnames))
        except TypeError as error:
            return str(error), [sys.getrefcount(each) for each in objects] == before
        names = taken(kwnames.value)
        found = [taken(word(values + 8 * index)) for index in range(len(arguments) + len(keywords))]
        c_size_t.from_address(values - 8).value = 0
        grown = [after - count for after, count in zip([sys.getrefcount(each) for each in objects], before)]
        free(values, names)
        return names, found, grown

    objects = [object(), [], "text", 5]
    for arguments in ([], objects):
        for keywords in ({}, {"a": objects}, {"b": object(), "a": []}, {Name("n"): objects}, {1: objects},
                         {"a": [], None: objects}):
            same(f"unpacking {arguments} {keywords}", *[call(pair, arguments, keywords) for pair in zip(unpack, free)])


class Attributes:
    constant = [1]

    def method(self):
        pass

    @property
    def computed(self):
        return self.constant

    @property
    def failing(self):
        raise KeyError("failing")

    @staticmethod
    def static():
        pass

    @classmethod
    def of_class(cls):
        pass


class Hooked(Attributes):
    def __getattr__(self, name):
        return name


class Fixed:
    __slots__ = ("slot",)

    def method(self):
        pass


def test_methods():
    find = both("_PyObject_GetMethodStackRef", c_int, c_void_p, POINTER(c_size_t), py_object, POINTER(c_size_t))
    instance = Attributes()
    instance.own, instance.static = [2], "shadows"
    in_dict = Attributes()
    in_dict.__dict__["method"] = "shadows"
    in_dict.__dict__[5] = 1
    objects = [instance, in_dict, Hooked(), Fixed(), Attributes, [], 5, "text", os, None, len]
    wanted = ["method", "constant", "computed", "failing", "static", "of_class", "own", "absent", "slot", "append",
              "__class__", "__init__", "path"]

    def call(function, each, name):
        increment(each)
        this, method = c_size_t(id(each)), c_size_t(NULL_REFERENCE)
        before = sys.getrefcount(each)
        try:
            status = function(THREAD, byref(this), name, byref(method))
        except Exception as error:
            status = type(error), str(error)
        found = None if method.value == NULL_REFERENCE else taken(method.value & ~1)
        left = sys.getrefcount(each) - before
        description = (type(found), getattr(found, "__name__", None), found if type(found) in (list, str) else None)
        # What is freed with the method that is bound to it was counted, too.
        bound = getattr(found, "__self__", None) is each
        return status, description, this.value == NULL_REFERENCE, left - bound

    for each in objects:
        for name in wanted:
            same(f"{each!r:.50}.{name}", *[call(function, each, name) for function in find])
