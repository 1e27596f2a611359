"""The commands of `tessera`, whose modules are imported when they are used."""

import subprocess
import sys
from importlib.metadata import version

import pytest
from tests.support.commands import tessera

from tessera.cli.app import COMMANDS, create_app


@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_has_the_same_description_in_both_helps(name: str) -> None:
    command = create_app().commands[name].load()  # type: ignore[attr-defined]
    assert command.help.splitlines()[0] == COMMANDS[name][1]


def test_the_help_imports_no_command() -> None:
    script = "import sys; from tessera.cli.app import create_app; create_app(); print('sqlalchemy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", script], check=True, capture_output=True).stdout == b"False\n"


def test_the_version_is_printed() -> None:
    result = tessera("--version")
    assert (result.returncode, result.stdout) == (0, f"tessera {version('tessera')}\n")
