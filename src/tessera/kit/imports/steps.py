"""The steps of an import: its lines are read and checked in a thread, because each step can take seconds."""

import asyncio
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import BinaryIO, TypeVar

OnProgress = Callable[[int], None]
Item = TypeVar("Item")
Result = TypeVar("Result")

# Imports take turns, step by step. Each further thread would compete with requests for the interpreter, and finish no
# import earlier.
_THREAD = ThreadPoolExecutor(1, thread_name_prefix="imports")
# A line may be a mebibyte long, so a fixed number of lines could occupy the thread for minutes.
STEP_SECONDS = 0.2


@dataclass(frozen=True, slots=True)
class Source:
    """The file, and the SHA-256 of its content in hexadecimal for the audit log.

    `on_progress` receives the number of bytes that are read, and `on_guesses` the numbers of texts of which the import
    tells whether a voucher has them.
    """

    file: BinaryIO
    digest: str
    on_progress: OnProgress = lambda _: None
    on_guesses: Callable[[int], None] = lambda _: None


async def in_thread(step: Callable[[], Result]) -> Result:
    """The result of a step that runs in the thread and reads the file."""
    future = asyncio.get_running_loop().run_in_executor(_THREAD, step)
    try:
        return await asyncio.shield(future)
    finally:
        # A thread cannot be stopped, so an import that is cancelled waits until nobody reads its file any more.
        await asyncio.wait([future])


async def collect(items: Iterator[Item]) -> list[Item]:
    """All items of an iterator that reads the file, in as many steps as their time requires."""
    collected: list[Item] = []
    while await in_thread(lambda: _collect_some(collected, items)):
        pass
    return collected


def _collect_some(collected: list[Item], items: Iterator[Item]) -> bool:
    """Whether more items may follow."""
    end = time.monotonic() + STEP_SECONDS
    for item in items:
        collected.append(item)
        if time.monotonic() > end:
            return True
    return False
