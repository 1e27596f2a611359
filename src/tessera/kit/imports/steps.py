"""The steps of an import: its lines are read and checked in threads, because each step can take seconds."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import BinaryIO, TypeVar

OnProgress = Callable[[int], None]
Result = TypeVar("Result")


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
    """The result of a step that runs in a thread and reads the file."""
    task = asyncio.create_task(asyncio.to_thread(step))
    try:
        return await asyncio.shield(task)
    finally:
        # A thread cannot be stopped, so an import that is cancelled waits until nobody reads its file any more.
        await asyncio.wait([task])
