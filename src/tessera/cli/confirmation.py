"""The question before a change that cannot be undone, or that ends access."""

import sys

import typer

from tessera.cli.startup import CannotStart
from tessera.kit.control_characters import visible


def confirm(question: str, *, yes: bool) -> None:
    """Ask in the terminal unless `--yes` is set; raises Abort for a no, CannotStart without a terminal."""
    if yes:
        return
    if not sys.stdin.isatty():
        raise CannotStart(f"{question} Add --yes to confirm, because there is no terminal to ask in.")
    typer.confirm(visible(question), abort=True, err=True)
