"""objdump's listings of the library's machine code: what instructions mean, for each machine that it is built for."""

import platform
import re
import subprocess
from functools import cache

from .build import host

FUNCTION = re.compile(r"^[0-9a-f]+ <(\S+)>:$")
ADDRESS = re.compile("[0-9a-f]+")
RELOCATION = re.compile(r"^\s+[0-9a-f]+: (R_\S+)\s+(\S+)$")


class X86_64:
    NAME = "x86_64"
    INSTRUCTION = re.compile(r"^\s*([0-9a-f]+):\s+(\S+)\s*([^#<]*?)\s*(?:[#<].*)?$")
    JUMP = "jmp"

    @staticmethod
    def dispatches(mnemonic, operands):
        """Whether it jumps to an address that was computed."""
        return mnemonic == "jmp" and operands.startswith("*")

    @staticmethod
    def is_branch(mnemonic):
        return mnemonic.startswith(("j", "call"))

    @staticmethod
    def makes_frame(mnemonic, operands):
        return mnemonic == "push" or (mnemonic == "sub" and operands.endswith("%rsp"))

    @staticmethod
    def loses_frame_pointer(mnemonic, operands):
        """Whether something else than a frame's address gets into %rbp."""
        return (operands.rpartition(",")[2] in ("%rbp", "%ebp", "%bp", "%bpl") and mnemonic not in ("push", "pop")
                and not mnemonic.startswith(("cmp", "test", "call", "jmp"))
                and (mnemonic, operands) != ("mov", "%rsp,%rbp"))


class Aarch64:
    NAME = "aarch64"
    INSTRUCTION = re.compile(r"^\s*([0-9a-f]+):\s+(\S+)\s*([^<]*?)\s*(?:(?:<|//).*)?$")
    JUMP = "b"

    @staticmethod
    def dispatches(mnemonic, operands):
        """Whether it jumps to an address that was computed."""
        return mnemonic == "br"

    @staticmethod
    def is_branch(mnemonic):
        return mnemonic in ("b", "bl", "br", "blr", "cbz", "cbnz", "tbz", "tbnz") or mnemonic.startswith("b.")

    @staticmethod
    def makes_frame(mnemonic, operands):
        return operands.startswith("sp, sp, #") and mnemonic == "sub" or operands.endswith("]!") and "[sp, #-" in operands

    @staticmethod
    def loses_frame_pointer(mnemonic, operands):
        """Whether something else than a frame's address gets into x29."""
        first, _, rest = operands.partition(", ")
        second = rest.partition(", ")[0]
        if mnemonic.startswith(("st", "cmp", "cmn", "tst", "b", "cb", "tb", "ccm", "prfm")):
            return False
        if first in ("x29", "w29"):
            of_frame = mnemonic in ("mov", "add") and rest.startswith("sp") or mnemonic in ("ldp", "ldr") and "[sp" in rest
            return not of_frame
        return mnemonic.startswith(("ldp", "ldnp", "ldxp")) and second in ("x29", "w29") and "[sp" not in rest


@cache
def machine():
    """That of the library."""
    name = (host().get("REVAL_HOST_TARGET") or platform.machine()).partition("-")[0]
    return {kind.NAME: kind for kind in (X86_64, Aarch64)}[name]


def listing(library, *options):
    """The parts of objdump's listing, a function in each: its symbol and its lines."""
    command = [host().get("CROSS_COMPILE", "") + "objdump", "-d", "--no-show-raw-insn", *options, str(library)]
    text = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    for part in text.split("\n\n"):
        lines = part.splitlines()
        if lines and (match := FUNCTION.match(lines[0])):
            yield match[1], lines[1:]


def instruction(line):
    """Address, mnemonic and operands of a line, or None."""
    found = machine().INSTRUCTION.match(line)
    return found and (int(found[1], 16), found[2], found[3])


def target(mnemonic, operands):
    """The address that a branch names, or None."""
    last = operands.rpartition(",")[2].strip()
    return int(last, 16) if machine().is_branch(mnemonic) and ADDRESS.fullmatch(last) else None


def instructions(lines):
    """Those of a listing with relocations. Of a branch to another function, the operand is the symbol."""
    found = []
    for line in lines:
        if relocation := RELOCATION.match(line):
            if found and target(*found[-1][1:]) is not None:
                found[-1] = (*found[-1][:2], relocation[2])
        elif one := instruction(line):
            found.append(one)
    return found
