# A storm of signals while threads start and stop: every handler runs in the main thread, none that is waited for is
# lost, and what a handler raises arrives in the main thread.
import itertools
import os
import signal
import subprocess
import sys
import threading
import time

from lib.bounded import EXPECTED, MAIN, Crew, check, done, eventually, times, work

handled = dict.fromkeys((signal.SIGALRM, signal.SIGUSR1, signal.SIGUSR2), 0)
elsewhere = 0


def count(number, frame):
    global elsewhere
    handled[number] += 1
    elsewhere += threading.get_ident() != MAIN


for number in handled:
    signal.signal(number, count)

SENDER = """
import os, signal, sys
os.set_blocking(0, False)
while True:
    for _ in range(20):
        os.kill(int(sys.argv[1]), signal.SIGUSR1)
    try:
        if os.read(0, 1) == b"":
            break
    except BlockingIOError:
        pass
"""


def short():
    check(work() == EXPECTED)


# A timer and another process send as fast as they can; one thread sends, and waits each time until it was handled.
sent = 0
answers = times(60)


def sends_and_waits():
    global sent
    for turn in range(answers):
        target = threading.get_ident() if turn % 2 else MAIN
        before = handled[signal.SIGUSR2]
        signal.pthread_kill(target, signal.SIGUSR2)
        sent += 1
        eventually(lambda: handled[signal.SIGUSR2] > before, "SIGUSR2 is handled")


sender = subprocess.Popen([sys.executable, "-S", "-c", SENDER, str(os.getpid())], stdin=subprocess.PIPE)
signal.setitimer(signal.ITIMER_REAL, 0.0003, 0.0003)
started = 0
with Crew() as crew:
    sending = crew.add(sends_and_waits)
    while sending.is_alive() or min(handled.values()) < 50:
        with Crew() as visitors:
            for _ in range(4):
                visitors.add(short)
                started += 1
signal.setitimer(signal.ITIMER_REAL, 0)
sender.stdin.close()
check(sender.wait() == 0)
check(sent == answers == handled[signal.SIGUSR2], sent, answers, handled)
check(elsewhere == 0, elsewhere, "handlers ran in other threads")


# Handlers that raise, while other threads compute.
class Tick(Exception):
    pass


def tick(number, frame):
    raise Tick


signal.signal(signal.SIGALRM, tick)
stop, ticks = False, 0


def computes():
    while not stop:
        short()


with Crew() as crew:
    crew.add(computes)
    crew.add(computes)
    for turn in range(times(40)):
        try:
            signal.setitimer(signal.ITIMER_REAL, 0.0005)
            for i in itertools.count():
                pass
        except Tick:
            ticks += 1
    check(ticks == times(40), ticks)

    # A lock that nobody gives back, and an interrupt from another thread. One that comes just before the wait begins
    # is seen at its end.
    lock, interrupts, prompt, waiting = threading.Lock(), 0, 0, False

    def interrupts_main():
        eventually(lambda: waiting, "the main thread waits")
        time.sleep(0.002)
        signal.pthread_kill(MAIN, signal.SIGINT)

    lock.acquire()
    for turn in range(times(10)):
        waiting = False
        crew.add(interrupts_main)
        begin = time.monotonic()
        try:
            waiting = True
            lock.acquire(timeout=2)
        except KeyboardInterrupt:
            interrupts += 1
            prompt += time.monotonic() - begin < 2
    check(interrupts == times(10), interrupts)
    check(prompt > interrupts // 2, prompt, interrupts)
    stop = True
done(threads=started, **{number.name: n for number, n in handled.items()}, ticks=ticks, interrupts=interrupts)
