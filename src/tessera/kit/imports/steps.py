"""The steps of an import: its lines are read and checked in a thread, because each step can take seconds."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import BinaryIO, TypeVar

OnProgress = Callable[[int], None]
Result = TypeVar("Result")

# Imports take turns, step by step. Each further thread would compete with requests for the interpreter, and finish no
# import earlier.
_THREAD = ThreadPoolExecutor(1, thread_name_prefix="imports")


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
