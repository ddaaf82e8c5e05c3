# sys.remote_exec from another process: scripts run in the main thread of a program that computes, waits or has busy
# threads; once each; what a script raises does the program no harm.
import os
import subprocess
import sys
import tempfile

from lib.bounded import check, done, times

PROGRAM = """
import os, sys, threading, time
sys.setswitchinterval(1e-4)
main, ran, told, stop = threading.get_ident(), [], 0, False
def spin():
    while not stop: [x for x in range(20)]
def script_ran(name):
    ran.append((name, threading.get_ident() == main))
def say(*words):
    os.write(1, (" ".join(map(str, words)) + "\\n").encode())
threads = [threading.Thread(target=spin) for _ in range(THREADS)]
for t in threads: t.start()
say("ready")
while told < 2 * N:
    WAIT
    # Told from here, the script has ended, and what it raised is reported: the next one may come.
    if told < len(ran):
        say(*ran[told])
        told += 1
stop = True
for t in threads: t.join()
say(len(ran))
"""
n = times(5)
ran = 0
with tempfile.TemporaryDirectory() as folder:
    for threads, wait in ((0, "pass"), (3, "pass"), (3, "time.sleep(0.001)"), (0, "[x for x in range(100)]")):
        source = PROGRAM.replace("THREADS", str(threads)).replace("WAIT", wait).replace("* N:", f"* {n}:")
        with subprocess.Popen([sys.executable, "-c", source], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                              text=True) as child:
            try:
                check(child.stdout.readline() == "ready\n")
                for number in range(2 * n):
                    # Every second one fails: it is reported, and that is all.
                    path = os.path.join(folder, f"script{number}")
                    with open(path, "w") as file:
                        file.write(f"import __main__; __main__.script_ran({number})\n")
                        if number % 2 == 0:
                            file.write("raise LookupError('in a script')")
                    sys.remote_exec(child.pid, path)
                    line = child.stdout.readline()
                    check(line == f"{number} True\n", line)
                    ran += 1
                check(child.stdout.read() == f"{2 * n}\n")
                errors = child.stderr.read()
                check(errors.count("LookupError: in a script") == n, errors)
                check(errors.count("Error executing debugger script") == n, errors)
                check(child.wait() == 0, child.returncode)
            finally:
                child.kill()

    # A program may refuse.
    path = os.path.join(folder, "never")
    with open(path, "w") as file:
        file.write("import os; os._exit(66)")
    for options, env in ((["-X", "disable-remote-debug"], {}), ([], {"PYTHON_DISABLE_REMOTE_DEBUG": "1"})):
        with subprocess.Popen([sys.executable, *options, "-c", "print(flush=True); input(); [x for x in range(1000)]"],
                              stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=os.environ | env) as child:
            try:
                child.stdout.readline()
                try:
                    sys.remote_exec(child.pid, path)
                    check(False, "not refused")
                except RuntimeError as e:
                    check("disabled" in str(e) or "not enabled" in str(e), e)
                child.communicate(b"\n")
                check(child.returncode == 0, child.returncode)
            finally:
                child.kill()

    # In the program itself.
    with open(path, "w") as file:
        file.write("import __main__; __main__.ran += 1")
    before = ran
    sys.remote_exec(os.getpid(), path)
    for _ in range(1000):
        pass
    check(ran == before + 1)
done(scripts=ran)
