"""Rewrites what the packages' files say about /usr, for host/prefix; the packaged interpreter runs it.

    relocate.py USR NEW PREFIX LINK_FLAGS     the files are in NEW, and PREFIX is where they are going to be;
                                              with LINK_FLAGS a program finds libpython and its libc
"""

import importlib.util
import json
import pprint
import re
import shlex
import sys
from pathlib import Path

MULTIARCH = sys.implementation._multiarch
NAME = f"python3.14{sys.abiflags}"
# Variables that name what is the machine's, or what configure was told.
NOT_OURS = re.compile(r"CONFIG_ARGS|DTRACE|INSTALL|MODULE_|TZPATH")

usr, new, prefix = map(Path, sys.argv[1:4])
link_flags = sys.argv[4].split()
library = new / "lib" / NAME.removesuffix(sys.abiflags)
has_shared_form = (new / "lib/libpython3.14.so").is_symlink()


def write(path, text):
    """The file may be a link to the package's, so it is replaced."""
    path.unlink(missing_ok=True)
    path.write_text(text)


def relocated(text):
    """`text` with the paths below /usr that it consists of below the prefix."""
    text = re.sub(rf"(?<!\S)/usr/lib/{MULTIARCH}(?![^/\s])", lambda _: f"{prefix}/lib", text)
    return re.sub(r"(?<!\S)/usr(?![^/\s])", lambda _: str(prefix), text)


def replace(text, old, new):
    if old not in text:
        raise SystemExit(f"relocate: the packages have changed: no {old!r}")
    return text.replace(old, new)


def variables(values):
    """sysconfig's, for this prefix."""
    values = {name: relocated(value) if isinstance(value, str) and not NOT_OURS.match(name) else value
              for name, value in values.items()}
    values["LINKFORSHARED"] += " " + shlex.join(link_flags)
    # The machine's time zones first; it need not have any.
    values["TZPATH"] += f":{prefix}/share/zoneinfo"
    return values


def sysconfig():
    for path in library.glob("_sysconfigdata_*.py"):
        if path.is_symlink():
            continue
        spec = importlib.util.spec_from_file_location(path.stem, path)
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        values = pprint.pformat(variables(module.build_time_vars), width=120)
        write(path, f"# For {prefix}: written by host/prefix\nbuild_time_vars = {values}\n")
    for path in library.glob("_sysconfig_vars_*.json"):
        write(path, json.dumps(variables(json.loads(path.read_text())), indent=2))


def makefile():
    path = library / f"config-3.14{sys.abiflags}-{MULTIARCH}/Makefile"
    text = re.sub(r"^(prefix|LIBDIR|WHEEL_PKG_DIR)=(\s*)(/usr\S*)", lambda found: (
        f"{found[1]}={found[2]}{relocated(found[3])}"), path.read_text(), flags=re.MULTILINE)
    write(path, text)


def build_details():
    for path in library.glob("build-details.*.json"):
        details = json.loads(path.read_text())
        details["base_prefix"] = str(prefix)
        details["base_interpreter"] = f"{prefix}/bin/python3.14"
        details["c_api"] = {name: relocated(value) for name, value in details["c_api"].items()}
        # The static library of the package has the C evaluator.
        details["libpython"] = {"dynamic": f"{prefix}/lib/libpython3.14.so.1.0"} if has_shared_form else {}
        write(path, json.dumps(details, indent=2) + "\n")


def pkgconfig():
    def escaped(path):
        return re.sub(r"([^\w/.+=@%~-])", r"\\\1", str(path))

    for kind in ("", "-embed"):
        text = (usr / f"lib/{MULTIARCH}/pkgconfig/python-3.14{sys.abiflags}{kind}.pc").read_text()
        text = replace(text, "prefix=/usr\n", f"prefix={escaped(prefix)}\n")
        if kind:
            text = replace(text, f"libdir=/usr/lib/{MULTIARCH}\n", "libdir=${prefix}/lib\n")
            text = replace(text, "Libs: -L${libdir}", f"Libs: -L${{libdir}} {shlex.join(link_flags)}")
        if not kind or has_shared_form:
            write(new / f"lib/pkgconfig/python-3.14{kind}.pc", text)
            write(new / f"lib/pkgconfig/python3{kind}.pc", text)


def config_script():
    """python3.14-config."""
    quoted = re.sub(r'(["\\$`])', r"\\\1", " ".join(link_flags))
    text = (usr / f"bin/{MULTIARCH}-{NAME}-config").read_text()
    text = replace(text, f'libdir=$(relocate "/usr/lib/{MULTIARCH}")', "libdir=$prefix_real/lib")
    text = replace(text, 'LIBS_EMBED="', f'LIBS_EMBED="{quoted} ')
    # The package's libraries, which it would name otherwise, have the C evaluator.
    text = replace(text, 'PY_ENABLE_SHARED="0"', 'PY_ENABLE_SHARED="1"')
    if not has_shared_form:
        text = replace(text, 'LIBS="$LIBS_EMBED"', 'echo "$0: this host has no shared library" >&2; exit 1')
    path = new / "bin/python3.14-config"
    write(path, text)
    path.chmod(0o755)


def ensurepip():
    """Debian's refuses to do anything for the system's Python, which this one is not."""
    path = library / "ensurepip/__init__.py"
    check = "    _ensurepip_is_disabled_in_debian_for_system()\n"
    write(path, replace(path.read_text(), check, ""))


def pip():
    """With a list of its files pip can replace itself."""
    packages = new / "lib/python3/dist-packages"
    [info] = packages.glob("pip-*.dist-info")
    files = [path.relative_to(packages) for path in sorted(packages.rglob("*")) if path.is_file()]
    names = [*files, *(f"../../../bin/{name}" for name in ("pip", "pip3", "pip3.14")), f"{info.name}/RECORD"]
    write(info / "RECORD", "".join(f"{name},,\n" for name in names))


TCL_LIBRARY = """
def _create(*args, create=_tkinter.create):
    import os
    if "TCL_LIBRARY" in os.environ:
        return create(*args)
    os.putenv("TCL_LIBRARY", {directory!r})
    try:
        return create(*args)
    finally:
        os.unsetenv("TCL_LIBRARY")


_tkinter.create = _create
"""


def tkinter():
    """Tcl looks for its scripts around sys.executable, which may be in a virtual environment, and in /usr/share."""
    path = library / "tkinter/__init__.py"
    if path.exists():
        line = "TclError = _tkinter.TclError\n"
        setting = TCL_LIBRARY.format(directory=str(prefix / "lib/tcl8.6"))
        write(path, replace(path.read_text(), line, f"{line}{setting}"))


for step in sysconfig, makefile, build_details, pkgconfig, config_script, ensurepip, pip, tkinter:
    step()
