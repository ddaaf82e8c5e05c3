"""bdb: stops at breakpoints, steps, nexts, returns, conditions and exceptions, with both of its back ends."""

import bdb
import os
import sys

import subject

FILE = subject.__file__


class Debugger(bdb.Bdb):
    """Tells where it stops, and goes on in a way that depends on how often it has stopped."""

    def __init__(self, backend, plan):
        super().__init__(skip=["threading", "_weakrefset"], backend=backend)
        self.plan, self.stops = plan, 0

    def tell(self, what, frame, *more):
        self.stops += 1
        print(what, os.path.basename(frame.f_code.co_filename), frame.f_code.co_name, frame.f_lineno, *more)
        step = self.plan[self.stops % len(self.plan)]
        if self.stops > 400:
            self.set_quit()
        elif step == "return":
            self.set_return(frame)
        elif step == "next":
            self.set_next(frame)
        elif step == "until":
            self.set_until(frame)
        elif step == "continue":
            self.set_continue()
        else:
            self.set_step()

    def user_call(self, frame, arguments): self.tell("call", frame)

    def user_line(self, frame): self.tell("line", frame)

    def user_return(self, frame, value): self.tell("return", frame, type(value).__name__)

    def user_exception(self, frame, info): self.tell("exception", frame, info[0].__name__, info[1])


for backend in "settrace", "monitoring":
    for plan in (["step"], ["next", "step"], ["return", "step", "step"], ["until", "step", "next"], ["continue"],
                 ["step", "step", "step", "continue"]):
        debugger = Debugger(backend, plan)
        for line, condition in (16, None), (33, "i == 1"), (64, None), (108, None), (110, None):
            print(debugger.set_break(FILE, line, cond=condition))
        print(backend, plan)
        try:
            debugger.runcall(subject.main)
        except bdb.BdbQuit:
            print("quit")
        debugger.clear_all_breaks()
        print(sys.gettrace(), sys.monitoring._all_events())
