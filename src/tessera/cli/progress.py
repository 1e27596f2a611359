"""Progress bars of long commands, on standard error; typer shows them only in a terminal."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import typer

Progress = Callable[[int], None]


@contextmanager
def bar(label: str, *, length: int) -> Iterator[Progress]:
    """A progress bar; the function that it yields sets the position, from 0 to `length`."""
    current = 0
    with typer.progressbar(length=max(length, 1), label=label, file=sys.stderr) as progress_bar:

        def set_position(position: int) -> None:
            nonlocal current
            progress_bar.update(position - current)
            current = position

        yield set_position
