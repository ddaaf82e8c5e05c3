"""What pyproject.toml cannot say: each core is built for one host, and a .pth file lies beside the package.

The hosts are those whose folders of headers REVAL_HEADERS names, separated by spaces, else the Python that runs this.
"""

import os
import re
import shutil
import sys
import sysconfig
import tomllib
from pathlib import Path

from setuptools import setup
from setuptools.command.build_ext import build_ext
from setuptools.command.build_py import build_py
from setuptools_rust import Binding, RustExtension, Strip

ROOT = Path(__file__).resolve().parent
sys.path.insert(0, str(ROOT / "python"))
import reval  # noqa: E402


class BuildWithPth(build_py):
    def run(self):
        super().run()
        shutil.copy(ROOT / "python/reval.pth", self.build_lib)

    def get_outputs(self, include_bytecode=True):
        return [*super().get_outputs(include_bytecode), str(Path(self.build_lib, "reval.pth"))]


class BuildWithPlainNames(build_ext):
    """Every Python looks for NAME.so, also if it is of another kind than the one that runs this."""

    def get_ext_filename(self, fullname):
        return os.path.join(*fullname.split(".")) + ".so"


def this_host():
    """The kind of this Python, and what build.rs reads."""
    def on(name):
        return str(sysconfig.get_config_var(name) or 0)
    return reval._kind(), {
        "REVAL_HOST_INCLUDE": sysconfig.get_path("include"),
        "REVAL_HOST_PLATINCLUDE": sysconfig.get_path("platinclude"),
        "REVAL_HOST_GIL_DISABLED": on("Py_GIL_DISABLED"),
        "REVAL_HOST_DEBUG": on("Py_DEBUG"),
    }


def host_of(include):
    """The same for the Python whose headers are in this folder."""
    version = re.search(r'^#define PY_VERSION\s+"([^"+]+)', Path(include, "patchlevel.h").read_text(), re.MULTILINE)[1]
    config = Path(include, "pyconfig.h").resolve()
    settings = set(re.findall(r"^#define (\w+) 1$", config.read_text(), re.MULTILINE))
    free_threaded, debug = "Py_GIL_DISABLED" in settings, "Py_DEBUG" in settings
    return version.replace(".", "_") + "t" * free_threaded + "d" * debug, {
        "REVAL_HOST_INCLUDE": include,
        "REVAL_HOST_PLATINCLUDE": str(config.parent),
        "REVAL_HOST_GIL_DISABLED": str(int(free_threaded)),
        "REVAL_HOST_DEBUG": str(int(debug)),
    }


def core(kind, settings):
    # Debug hosts have no compiler (src/lib.rs).
    has_compiler = settings["REVAL_HOST_DEBUG"] == "0" and os.environ.get("REVAL_COMPILER") != "no"
    return RustExtension(
        f"reval.cores.{kind}._reval",
        path=str(ROOT / "Cargo.toml"),
        binding=Binding.NoBinding,
        features=["attach", *(["jit"] if has_compiler else [])],
        # The evaluator's name stays, for debuggers.
        strip=Strip.Debug,
        debug=False,
        env=os.environ | settings,
    )


FOLDERS = os.environ.get("REVAL_HEADERS", "").split()
HOSTS = dict(map(host_of, FOLDERS)) if FOLDERS else dict([this_host()])
(ROOT / "target/wheel").mkdir(parents=True, exist_ok=True)

setup(
    version=tomllib.loads((ROOT / "Cargo.toml").read_text())["package"]["version"],
    packages=["reval", "reval.explain", "reval.explain.hook"],
    package_dir={"": "python"},
    package_data={"reval": ["py.typed", "*.pyi"]},
    cmdclass={"build_py": BuildWithPth, "build_ext": BuildWithPlainNames},
    rust_extensions=[core(kind, settings) for kind, settings in HOSTS.items()],
    zip_safe=False,
)
