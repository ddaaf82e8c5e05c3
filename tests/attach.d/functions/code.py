"""Cases for src/attach/code.rs."""

import ctypes
from ctypes import c_int, c_void_p, py_object

from harness import ADDRESSES, TESTED, both, same


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
