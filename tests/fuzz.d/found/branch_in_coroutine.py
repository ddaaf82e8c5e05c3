# Branches of loops in a coroutine, disabled now and then.
async def work(n):
    async with AsyncManager("w", ValueError):
        for i in [*range(40)]:
            v = (math.inf if n < i % 9 else missing) % 1000003


monitor(2, ["BRANCH_LEFT"], 5)
for i in range(3):
    run(work(4))
