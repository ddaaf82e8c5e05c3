# RAISE names the same offset when the instruction that raises is part of a trace.
monitor(1, ["RERAISE", "RAISE"])


def hot():
    for i in range(70):
        try:
            undefined[0] = undefined[1]
        except NameError as e:
            if i % 20 == 0:
                show(e)


attempt(hot)
