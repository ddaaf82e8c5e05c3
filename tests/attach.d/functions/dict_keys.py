"""Cases for src/attach/dict_keys.rs."""

from ctypes import POINTER, byref, c_ssize_t, c_uint32, c_void_p, py_object

from harness import INTERPRETER, RANDOM, Name, Twin, both, names, outcome, same, same_calls, word


MA_KEYS = 32
assert dict.__basicsize__ == 48


def keys_of(dictionary):
    return word(id(dictionary) + MA_KEYS)


def dictionaries():
    yield {}
    for count in (1, 5, 6, 100, 200, 300, 30_000, 90_000):
        yield dict.fromkeys(names(count))
        deleted = dict.fromkeys(names(count))
        for name in RANDOM.sample(names(count), count // 2):
            del deleted[name]
        yield deleted
        yield dict.fromkeys([*names(count), 1, None, Name("other")])
    for _ in range(300):
        table = {}
        for _ in range(RANDOM.randrange(60)):
            name = f"name{RANDOM.randrange(40)}"
            if RANDOM.random() < 0.6:
                table[name] = None
            else:
                table.pop(name, None)
        yield table
    yield {Twin("name1"): 1, "name2": 2}
    yield {1: 1, Name("name1"): 1}


def test_dictionaries():
    lookup = both("_PyDictKeys_StringLookup", c_ssize_t, c_void_p, py_object)
    index = both("_PyDict_LookupIndex", c_ssize_t, py_object, py_object)
    versioned = both("_PyDictKeys_StringLookupAndVersion", c_ssize_t, c_void_p, py_object, POINTER(c_uint32))
    version = both("_PyDict_GetKeysVersionForCurrentState", c_uint32, c_void_p, py_object)
    for table in dictionaries():
        wanted = [*table][:15] + [*table][-15:] + names(10) + ["", "\u1234", Name("name1"), 1]
        for name in wanted:
            # A string with the same text, but another object.
            for name in {id(name): name, 0: "".join([name])}.values() if type(name) is str else [name]:
                same_calls(lookup, keys_of(table), name)
                if type(name) is str:
                    same_calls(index, table, name)

    # Versions are counted, by whichever function.
    for first, second in (version, version[::-1]):
        one, two = {"a": 1}, {"a": 1}
        number = first(INTERPRETER, one)
        same("the version stays", number, second(INTERPRETER, one))
        same("the next version", number + 1, second(INTERPRETER, two))
    for first, second in (versioned, versioned[::-1]):
        for table, name in (({"a": 1}, "a"), ({"a": 1}, "b"), ({1: 1}, "a"), ({"a": 1}, 1)):
            results = []
            for function in (first, second):
                number = c_uint32(77)
                results.append((function(keys_of(table), name, byref(number)), number.value))
            same(f"index and version of {name!r}", *results)

    # A comparison that changes the table, or fails.
    for action in ("clear", "grow", "fail", "nothing"):
        results = []
        for function in index:
            table = {}

            def change():
                if action == "clear":
                    table.clear()
                elif action == "grow" and len(table) < 50:
                    table.update(dict.fromkeys(names(50)))
                elif action == "fail":
                    raise KeyError("comparison")

            table[Twin("name1", change)] = 1
            table["name2"] = 2
            results.append((outcome(function, table, "name1"), len(table)))
        same(f"a comparison that does: {action}", *results)


def test_shared_keys():
    lookup = both("_PyDictKeys_StringLookupSplit", c_ssize_t, c_void_p, py_object)
    for count in (0, 1, 5, 20, 29):
        cls = type("Shared", (), {})
        # The class keeps the table that its instances share.
        for _ in range(3):
            instance = cls()
            for name in names(count):
                setattr(instance, name, 1)
        keys = keys_of(instance.__dict__)
        for name in [*names(40), "", "\u1234"]:
            same_calls(lookup, keys, name, what=f"{count} shared keys ")
            same_calls(lookup, keys, "".join([name]), what=f"{count} shared keys ")
