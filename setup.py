"""What pyproject.toml cannot say: the core is built for one host, and a .pth file lies beside the package."""

import os
import shutil
import sys
import sysconfig
import tomllib
from pathlib import Path

from setuptools import setup
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


# For build.rs. Whatever is set already describes another host.
HEADERS = {
    "REVAL_HOST_INCLUDE": sysconfig.get_path("include"),
    "REVAL_HOST_PLATINCLUDE": sysconfig.get_path("platinclude"),
    "REVAL_HOST_GIL_DISABLED": str(sysconfig.get_config_var("Py_GIL_DISABLED") or 0),
    "REVAL_HOST_DEBUG": str(sysconfig.get_config_var("Py_DEBUG") or 0),
}
(ROOT / "target/wheel").mkdir(parents=True, exist_ok=True)
for name, value in HEADERS.items():
    os.environ.setdefault(name, value)

setup(
    version=tomllib.loads((ROOT / "Cargo.toml").read_text())["package"]["version"],
    packages=["reval"],
    package_dir={"": "python"},
    package_data={"reval": ["py.typed", "*.pyi"]},
    cmdclass={"build_py": BuildWithPth},
    rust_extensions=[
        RustExtension(
            f"reval.cores.{reval._kind()}._reval",
            path=str(ROOT / "Cargo.toml"),
            binding=Binding.NoBinding,
            features=["attach"],
            # The evaluator's name stays, for debuggers.
            strip=Strip.Debug,
            debug=False,
        )
    ],
    zip_safe=False,
)
