"""Programs for Windows: mingw's compiler, and a wine that runs what it has made. host/wine fetches both."""

import os
import shutil
import subprocess
import sys
import unittest

from lib.build import ROOT

SYSROOT = ROOT / "build/tools/wine/root"
GCC = SYSROOT / "usr/bin/x86_64-w64-mingw32-gcc-win32"
NM, OBJDUMP = SYSROOT / "usr/bin/x86_64-w64-mingw32-nm", SYSROOT / "usr/bin/x86_64-w64-mingw32-objdump"
HEADERS = SYSROOT / "usr/x86_64-w64-mingw32/include"
ZLIB = SYSROOT / "usr/x86_64-w64-mingw32/lib/zlib1.dll"
EXE, SERVER = SYSROOT / "usr/lib/wine/wine64", SYSROOT / "usr/lib/wine/wineserver"


def fetch(name):
    """Ends the test `name`, with one line that says so, if there is no wine for this machine."""
    if subprocess.run([ROOT / "host/wine"]).returncode:
        print(f"{name}: NOT TESTED: wine cannot be had here", file=sys.stderr)
        raise unittest.SkipTest("no wine")


def windows(path):
    """How a program in wine names a file."""
    return "Z:" + str(path).replace("/", "\\")


class Wine:
    """A Windows whose drive C: and user are in `work`."""

    def __init__(self, work):
        self.work, self.prefix = work, work / "prefix"

    def environment(self, **variables):
        """Of a program: nothing of this process, and no display."""
        return {"HOME": str(self.work), "LC_ALL": "C.UTF-8", "PATH": os.environ["PATH"],
                "LD_LIBRARY_PATH": str(SYSROOT / "usr/lib/x86_64-linux-gnu"),
                "WINEPREFIX": str(self.prefix), "WINEDEBUG": "-all",
                "WINEDLLOVERRIDES": "mscoree,mshtml,winemenubuilder.exe=", **variables}

    def start(self):
        system = self.prefix / "drive_c/windows/system32"
        system.mkdir(parents=True)
        # Wine's own libraries need this one, and look for it only there.
        shutil.copy(ZLIB, system)
        # The server and what the first command starts, the services of a Windows, stay until the end. They keep what
        # they write to open, so it must be no pipe.
        for command in [SERVER, "-p"], [EXE, "cmd", "/c", "exit"]:
            subprocess.run(command, env=self.environment(), check=True, timeout=300, stdin=subprocess.DEVNULL,
                           stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def stop(self):
        subprocess.run([SERVER, "-k"], env=self.environment())
        shutil.rmtree(self.prefix)  # most of a gigabyte

    def run(self, *command, cwd, timeout=300, **variables):
        return subprocess.run([EXE, *command], cwd=cwd, env=self.environment(**variables), stdin=subprocess.DEVNULL,
                              text=True, errors="replace", capture_output=True, timeout=timeout)
