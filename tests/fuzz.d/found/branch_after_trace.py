# A trace ends because the iterator is exhausted: the branch begins at FOR_ITER, not where the trace was entered.
monitor(1, ["BRANCH_RIGHT"])
for i in range(60):
    pass


def local(n):
    for i in range(n):
        pass


local_events(4, local, ["BRANCH_RIGHT", "BRANCH_LEFT"])
local(20)
local(0)
