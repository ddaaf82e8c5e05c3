"""pyperformance's benchmarks: fetching them, and which of them are run."""

import os
import subprocess
import sys
import tempfile
import tomllib
import zipfile
from pathlib import Path

from common import INTERPRETERS, WORK, end

PYPERFORMANCE = "pyperformance==1.14.0"

# Not run, besides those that need packages from elsewhere.
LEFT_OUT = {
    "2to3": "measures the start of another process",
    "python_startup": "measures the start of another process",
    "python_startup_no_site": "measures the start of another process",
    "concurrent_imap": "measures processes that talk to each other",
    "asyncio_tcp": "measures the sockets of the operating system",
    "asyncio_tcp_ssl": "measures the sockets of the operating system",
}
# Share of the reference's time, in percent, that these programs spend in the C evaluator itself (samples of the
# processor clock in _PyEval_EvalFrameDefault). All others spend a quarter or more there.
IN_C = {
    "pickle_dict": 1, "pickle": 2, "pickle_list": 2, "unpickle": 2, "unpickle_list": 2, "regex_effbot": 2,
    "create_gc_cycles": 4, "json_loads": 4, "pidigits": 4, "gc_traversal": 5, "regex_dna": 6, "regex_v8": 6,
    "sqlite_synth": 8, "json_dumps": 14, "pathlib": 16, "telco": 17, "xml_etree_generate": 19,
    "xml_etree_iterparse": 19, "xml_etree_parse": 19, "xml_etree_process": 19, "async_tree_cpu_io_mixed": 21,
    "async_tree_eager_io": 21, "meteor_contest": 22,
}
# What 3.15 has in C, and 3.14 in Python: they would compare libraries.
IN_C_NEXT = {
    "ascii85_large", "ascii85_small", "base16_large", "base16_small", "base32_large", "base32_small", "base64_large",
    "base64_small", "base85_large", "base85_small", "urlsafe_base64_small",
}
# The sixteen variants of one program would weigh too much.
ASYNC_TREES = {"async_tree", "async_tree_cpu_io_mixed", "async_tree_memoization", "async_tree_eager_io"}


def pip():
    """The command of a pip that works: that of the reference interpreter, or that of this machine's Python."""
    for python in (INTERPRETERS["reference"], sys.executable):
        command = [python, "-m", "pip", "--disable-pip-version-check"]
        if subprocess.run([*command, "--version"], capture_output=True).returncode == 0:
            return command
    end("no pip to fetch pyperformance with: install python3-pip")


def fetch():
    """The folder of the benchmark files."""
    folder = WORK / PYPERFORMANCE
    if not folder.exists():
        print(f"bench: fetching {PYPERFORMANCE}", file=sys.stderr)
        WORK.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=WORK) as download:
            done = subprocess.run([*pip(), "download", "--quiet", "--no-deps", "--dest", download, PYPERFORMANCE],
                                  capture_output=True, text=True)
            if done.returncode:
                reason = (done.stderr.splitlines() or ["pip said nothing"])[-1].removeprefix("ERROR: ")
                if "connection broken" in done.stderr:
                    reason = "no connection to the package index"
                end(f"cannot fetch {PYPERFORMANCE}: {reason}")
            [wheel] = Path(download).glob("*.whl")
            zipfile.ZipFile(wheel).extractall(f"{download}/unpacked")
            os.rename(f"{download}/unpacked", folder)
    return folder / "pyperformance" / "data-files" / "benchmarks"


def inventory(folder):
    """(what can be run: name -> command line, what is left out: name -> reason)."""
    runnable, left_out = {}, {}
    for line in (folder / "MANIFEST").read_text().splitlines():
        if "\t<local" not in line or line.startswith("#"):
            continue
        name, where = line.split("\t")
        place = folder / f"bm_{where.strip('<>').partition(':')[2] or name}"
        own = place / f"bm_{name}.toml"
        settings = tomllib.loads((own if own.exists() else place / "pyproject.toml").read_text())
        requirements = [line.partition("=")[0].strip() for line in read(place / "requirements.txt").splitlines()
                        if line.strip() and not line.startswith("#")]
        if name in LEFT_OUT:
            left_out[name] = LEFT_OUT[name]
        elif name.startswith("async_tree") and name not in ASYNC_TREES:
            left_out[name] = "one more variant of async_tree"
        elif requirements:
            left_out[name] = "needs " + ", ".join(requirements)
        else:
            options = settings["tool"]["pyperformance"].get("extra_opts", [])
            runnable[name] = [str(place / "run_benchmark.py"), *options]
    return runnable, left_out


def read(path):
    return path.read_text() if path.exists() else ""
