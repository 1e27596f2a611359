"""The thread in which imports read and check their lines."""

import asyncio
import time

from tessera.kit.imports.steps import in_thread


async def test_steps_of_several_imports_run_one_after_the_other() -> None:
    running: list[int] = []
    most = []

    def step() -> None:
        running.append(1)
        most.append(len(running))
        time.sleep(0.005)
        running.pop()

    await asyncio.gather(*(in_thread(step) for _ in range(10)))
    assert most == [1] * 10
