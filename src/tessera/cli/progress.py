"""Progress bars of commands that take long: on standard error, and only where somebody looks on."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import typer

Progress = Callable[[int], None]


@contextmanager
def bar(label: str, *, length: int) -> Iterator[Progress]:
    """A bar that is told how far it is, up to `length`."""
    done = 0
    with typer.progressbar(length=max(length, 1), label=label, file=sys.stderr) as shown:

        def reach(place: int) -> None:
            nonlocal done
            shown.update(place - done)
            done = place

        yield reach
