"""The thread in which imports read and check their lines."""

import asyncio
import threading
import time
from collections.abc import Iterator

from tessera.kit.imports.steps import STEP_SECONDS, collect, in_thread


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


async def test_a_file_with_slow_lines_lets_another_import_work_between_two_of_them() -> None:
    order, has_begun, is_waiting = [], threading.Event(), threading.Event()

    def lines() -> Iterator[int]:
        for number in range(3):
            has_begun.set()
            is_waiting.wait(10)
            order.append(str(number))
            time.sleep(STEP_SECONDS)
            yield number

    slow = asyncio.create_task(collect(lines()))
    await asyncio.to_thread(has_begun.wait, 10)
    other = asyncio.create_task(in_thread(lambda: order.append("other")))
    await asyncio.sleep(0)  # submits it
    is_waiting.set()
    await other
    assert (await slow, order) == ([0, 1, 2], ["0", "other", "1", "2"])
