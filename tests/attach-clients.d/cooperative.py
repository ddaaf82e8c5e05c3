"""gevent: patched sockets and locks, pools, timeouts, a server and its clients."""

from gevent import monkey

monkey.patch_all()

import queue  # noqa: E402
import socket  # noqa: E402
import threading  # noqa: E402
import time  # noqa: E402

import gevent  # noqa: E402
from gevent import event, pool, server  # noqa: E402


def handle(connection, _):
    with connection, connection.makefile("rwb") as file:
        for line in file:
            gevent.sleep(0)
            file.write(line.upper())
            file.flush()


def ask(address, number):
    with socket.create_connection(address) as connection, connection.makefile("rwb") as file:
        answers = []
        for question in range(10):
            file.write(f"client {number} asks {question}\n".encode())
            file.flush()
            answers.append(file.readline())
        return answers[-1].decode().strip()


def main():
    listening = server.StreamServer(("127.0.0.1", 0), handle)
    listening.start()
    address = listening.address
    print(pool.Pool(7).map(lambda number: ask(address, number), range(30)))
    listening.stop()

    answer, numbers = event.AsyncResult(), queue.Queue()
    threads = [threading.Thread(target=lambda n=n: numbers.put(answer.get() * n)) for n in range(5)]
    for thread in threads:
        thread.start()
    answer.set(6)
    for thread in threads:
        thread.join()
    print(sorted(numbers.get() for _ in range(5)))
    try:
        with gevent.Timeout(0.05):
            while True:
                time.sleep(0.01)
    except gevent.Timeout:
        print("timed out")

    def fails():
        raise LookupError("in a greenlet")
    gevent.get_hub().print_exception = lambda *_: None
    failing = gevent.spawn(fails)
    gevent.joinall([failing])
    print(repr(failing.exception))
    killed = gevent.spawn(lambda: [gevent.sleep(0) for _ in iter(int, 1)])
    gevent.sleep(0)
    killed.kill()
    print(killed.dead, killed.value)


main()
