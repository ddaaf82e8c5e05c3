"""pytest with coverage.py by sys.monitoring: outcomes, and which lines and branches were run."""

import json
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).parent
TESTS = '''
import pytest
from subject import classify, gathered

@pytest.fixture(params=[range(4), range(40)])
def numbers(request):
    yield request.param

@pytest.mark.parametrize("number, word", [(15, "both"), (10, "five"), (9, "three"), (7, None)])
def test_classify(number, word):
    assert classify(number) == word

def test_gathered(numbers):
    assert gathered(numbers)["both"][0] == 0

def test_fails():
    assert gathered(range(20)) == {"both": [0, 15], "five": [5], "three": 5}

def test_raises(capsys, monkeypatch):
    monkeypatch.setattr("subject.classify", lambda number: 1 // number)
    print("said")
    with pytest.raises(ZeroDivisionError):
        gathered(range(3))
    assert capsys.readouterr().out == "said\\n"
'''


def main():
    folder = Path(tempfile.mkdtemp())
    (folder / "test_subject.py").write_text(TESTS)
    (folder / "subject.py").write_text((HERE / "subject.py").read_text())

    def run(*arguments, core="sysmon"):
        env = os.environ | {"COVERAGE_CORE": core, "COLUMNS": "100"}
        done = subprocess.run([sys.executable, *arguments], cwd=folder, env=env, text=True, capture_output=True)
        return re.sub(r"in [\d.]+s|/tmp/\w+", "", done.stdout + done.stderr)

    for core in ("sysmon", "ctrace"):
        print(run("-m", "coverage", "run", "--branch", "-m", "pytest", "-p", "no:cacheprovider", "--color=no", core=core))
        print(run("-m", "coverage", "report", "-m"))
        run("-m", "coverage", "json", "-o", "out.json")
        found = json.loads((folder / "out.json").read_text())["files"]["subject.py"]
        print(found["executed_lines"], found["executed_branches"], found["missing_branches"])
        assert found["missing_lines"] == [13], found


main()
