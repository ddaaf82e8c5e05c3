"""debugpy: a client of the debug adapter protocol sets breakpoints, steps, evaluates, and lets the program end."""

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

SUBJECT = Path(__file__).with_name("subject.py")
PROGRAM = f"import sys; sys.path.insert(0, {str(SUBJECT.parent)!r}); import subject; print(subject.gathered(range(31)))"


class Adapter:
    def __init__(self, port):
        self.number, self.events = 0, []
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.file = self.socket.makefile("rb")

    def send(self, command, **arguments):
        self.number += 1
        body = json.dumps({"seq": self.number, "type": "request", "command": command, "arguments": arguments}).encode()
        self.socket.sendall(b"Content-Length: %d\r\n\r\n" % len(body) + body)
        return self.number

    def read(self):
        size = 0
        while line := self.file.readline().strip():
            name, _, value = line.partition(b": ")
            size = int(value) if name == b"Content-Length" else size
        return json.loads(self.file.read(size))

    def ask(self, command, **arguments):
        return self.answer(self.send(command, **arguments))

    def answer(self, number):
        while True:
            message = self.read()
            if message["type"] == "response" and message["request_seq"] == number:
                assert message["success"], message
                return message.get("body", {})
            self.events.append(message)

    def wait(self, event):
        while True:
            for message in self.events:
                if message.get("event") == event:
                    self.events.remove(message)
                    return message.get("body", {})
            self.events.append(self.read())


def main():
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = [sys.executable, "-Xfrozen_modules=off", "-m", "debugpy", "--listen", f"127.0.0.1:{port}", "--wait-for-client",
               "-c", PROGRAM]
    debugged = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                                env=os.environ | {"PYDEVD_DISABLE_FILE_VALIDATION": "1"})
    adapter = connect(port)
    adapter.ask("initialize", adapterID="test", pathFormat="path")
    attached = adapter.send("attach", justMyCode=True)
    adapter.wait("initialized")
    lines = [{"line": 9, "condition": "number > 10"}, {"line": 24}]
    adapter.ask("setBreakpoints", source={"path": str(SUBJECT)}, breakpoints=lines)
    adapter.ask("configurationDone")
    adapter.answer(attached)
    steps = iter(["next", "stepOut", "stepIn", "next", "next", "next", "continue", "next", "continue"])
    for step in steps:
        stopped = adapter.wait("stopped")
        thread = stopped["threadId"]
        frames = adapter.ask("stackTrace", threadId=thread)["stackFrames"]
        frame = frames[0]
        scope = adapter.ask("scopes", frameId=frame["id"])["scopes"][0]
        variables = adapter.ask("variables", variablesReference=scope["variablesReference"])["variables"]
        value = adapter.ask("evaluate", expression="number * 2", frameId=frame["id"], context="watch")["result"]
        print(stopped["reason"], [(f["name"], f["line"]) for f in frames][:2],
              {v["name"]: v["value"] for v in variables if " " not in v["name"]}, value, flush=True)
        adapter.ask(step, threadId=thread)
    adapter.wait("stopped")
    adapter.ask("setBreakpoints", source={"path": str(SUBJECT)}, breakpoints=[])
    adapter.ask("continue", threadId=thread)
    adapter.wait("terminated")
    adapter.ask("disconnect")
    print(debugged.communicate(timeout=60)[0], debugged.returncode)


def connect(port):
    """When it listens."""
    import time
    for _ in range(600):
        try:
            return Adapter(port)
        except ConnectionRefusedError:
            time.sleep(0.1)
    raise TimeoutError("debugpy does not listen")


main()
