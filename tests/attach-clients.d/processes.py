"""multiprocessing in its three ways, process pools, pipes, shared memory; subinterpreters and their pools."""

import concurrent.futures
import multiprocessing
import os
from concurrent import interpreters
from multiprocessing import shared_memory


def enabled(expected):
    """Whether a child runs on what its parent runs on."""
    import sys
    installed = sys.modules.get("reval")
    return (installed is not None and installed.status()["enabled"]) == expected


def work(number):
    def fibonacci(n):
        return n if n < 2 else fibonacci(n - 1) + fibonacci(n - 2)
    if number == 13:
        raise ValueError("thirteen")
    return fibonacci(number)


def child(pipe, name, expected):
    block = shared_memory.SharedMemory(name, track=False)
    for place in range(64):
        block.buf[place] = place * 3 % 256
    block.close()
    pipe.send((pipe.recv() * 2, enabled(expected)))


def main():
    expected = "REVAL" in os.environ
    for method in ("fork", "spawn", "forkserver"):
        context = multiprocessing.get_context(method)
        with context.Pool(2) as workers:
            print(method, workers.map(work, range(12)), all(workers.map(enabled, [expected] * 4)))
            print(list(workers.imap_unordered(work, [5] * 4)), workers.apply_async(work, (13,)).wait())
            try:
                workers.apply(work, (13,))
            except ValueError as error:
                print(repr(error))
        block = shared_memory.SharedMemory(create=True, size=64)
        here, there = context.Pipe()
        process = context.Process(target=child, args=(there, block.name, expected))
        process.start()
        here.send([method])
        print(here.recv(), bytes(block.buf[:6]))
        process.join()
        block.close()
        block.unlink()
        print(process.exitcode)
    with concurrent.futures.ProcessPoolExecutor(2) as workers:
        print(list(workers.map(work, range(10), chunksize=3)))
    with concurrent.futures.InterpreterPoolExecutor(2) as workers:
        print(list(workers.map(work, range(10))), set(workers.map(enabled, [expected] * 4)))
        try:
            workers.submit(work, 13).result()
        except ValueError as error:
            print(repr(error))
    numbers = interpreters.create_queue()
    with_queue = interpreters.create()
    with_queue.prepare_main(numbers=numbers)
    with_queue.exec("for number in range(5): numbers.put(number ** 2)")
    print([numbers.get() for _ in range(5)], with_queue.call(sum, [1, 2, 3]))
    try:
        with_queue.exec("[][0]")
    except interpreters.ExecutionFailed as error:
        print(error.excinfo.type.__name__, error.excinfo.msg)
    with_queue.close()


if __name__ == "__main__":
    main()
