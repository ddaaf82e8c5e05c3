"""Cases for src/attach/code.rs."""

import ctypes
from ctypes import PYFUNCTYPE, c_int, c_size_t, c_void_p, py_object, pythonapi

from harness import ADDRESSES, HAS_COMPILER, TESTED, both, same

# The offset of the field in a code object, behind `co_name`, `co_qualname`, `co_linetable`, `co_weakreflist`.
CO_EXECUTORS = 0x98


def test_code():
    ranges = both("_PyCode_InitAddressRange", c_int, py_object, c_void_p)
    far = compile("\n" * 1000 + "x", "", "eval")
    for code in (test_code.__code__, (lambda: 0).__code__, compile("", "", "exec"), far):
        results = []
        for function in ranges:
            memory = ctypes.create_string_buffer(40)
            results.append((function(code, memory), memory.raw[:12], memory.raw[16:20], memory.raw[24:40]))
        same(f"{code}", *results)
    for table in ("_PyOpcode_Caches", "_PyOpcode_Deopt"):
        TESTED.add(table)
        same(table, *[ctypes.string_at(addresses[table], 256) for _, addresses in ADDRESSES])


def test_executors():
    if not HAS_COMPILER:
        return
    allocate = PYFUNCTYPE(c_void_p, c_size_t)(("PyMem_Malloc", pythonapi))
    results = []
    for clear in both("_PyCode_Clear_Executors", None, py_object):
        code = compile("0", "", "eval")
        # The field is the only one that then has the address of the array, which has room for four and holds none.
        array = allocate(8 + 4 * 8)
        ctypes.memmove(array, bytes([1, 0, 0, 0, 4] + [0] * 35), 40)
        field = c_void_p.from_address(id(code) + CO_EXECUTORS)
        before, field.value = field.value, array
        clear(code)
        results.append((before, field.value))
    same("executors", *results)
    assert results[0] == (None, None), results
