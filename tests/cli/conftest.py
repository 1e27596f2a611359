"""Directories for servers, and a shared database for commands."""

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from subprocess import CompletedProcess

import pytest
from tests.support import guard
from tests.support.commands import tessera, tessera_in_terminal

from tessera.provision import Addresses

Run = Callable[..., "CompletedProcess[str]"]


@pytest.fixture(scope="module")
def place() -> Iterator[Path]:
    """A directory that every user can enter, unlike tmp_path."""
    with guard.place() as directory:
        yield directory


@pytest.fixture
def run(addresses: Addresses, tmp_path: Path) -> Run:
    """Runs a command on the database of the tests."""
    return partial(tessera, TESSERA_DATABASE_URL=addresses.application, TESSERA_DATA_DIR=str(tmp_path))


@pytest.fixture
def run_in_terminal(addresses: Addresses, tmp_path: Path) -> Run:
    """Runs a command on the database of the tests, in a terminal of 100 columns."""
    return partial(tessera_in_terminal, TESSERA_DATABASE_URL=addresses.application, TESSERA_DATA_DIR=str(tmp_path))
