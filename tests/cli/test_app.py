"""The commands of `tessera`, whose modules are imported when they are used."""

import subprocess
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest
from tests.support.commands import tessera

from tessera.cli.app import COMMANDS, GROUPS, create_app


@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_has_the_same_description_in_both_helps(name: str) -> None:
    command = create_app().commands[name].load()  # type: ignore[attr-defined]
    assert command.help.splitlines()[0] == COMMANDS[name][1]


@pytest.mark.parametrize("name", [None, *GROUPS])
def test_the_help_of_a_group_has_whole_sentences_at_80_columns(name: str | None) -> None:
    app: Any = create_app()
    group = app if name is None else app.commands[name].load()
    context = group.context_class(group, info_name=f"tessera {name}", terminal_width=80, max_content_width=80)
    _, _, listed = group.get_help(context).partition("Commands:\n")
    assert [line for line in listed.splitlines() if line.endswith("...")] == []


def test_the_help_imports_no_command() -> None:
    script = "import sys; from tessera.cli.app import create_app; create_app(); print('sqlalchemy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", script], check=True, capture_output=True).stdout == b"False\n"


def test_the_tables_of_a_command_refer_only_to_tables_that_it_imports() -> None:
    # A command whose tables refer to others fails unless it imports these. So each module has a process of its own, a
    # fork of one that has imported libraries, which have no tables and take most of the time.
    names = ["organization_session", "tokens", "store_exams", "promo_codes", "partners", "redemptions", "audit"]
    script = """
import gc, os, sys
gc.disable()
import jose.jwt, psycopg, pydantic_settings, sqlalchemy.dialects.postgresql.psycopg, sqlalchemy.orm, structlog, typer
from importlib import import_module
for name in sys.argv[1:]:
    if os.fork():
        os.wait()
        continue
    import_module(f"tessera.cli.{name}")
    from tessera.kit.db.table_base import Base
    references = [key.target_fullname for table in Base.metadata.tables.values() for key in table.foreign_keys]
    print(name, {name.split(".")[0] for name in references} - set(Base.metadata.tables), flush=True)
    os._exit(0)
"""
    run = subprocess.run([sys.executable, "-c", script, *names], check=True, capture_output=True, text=True)
    assert run.stdout.splitlines() == [f"{name} set()" for name in names]


def test_a_command_imports_and_examines_nothing_that_it_does_not_need() -> None:
    # `rich` and the garbage collection depend on the real start of a command; all others are imported after it.
    unneeded = ["rich.console", "fastapi", "uvicorn", "procrastinate", "alembic.config", "email_validator"]
    script = f"""
import gc, sys
from tessera.cli import run
sys.argv = ["tessera", "promo-code", "list", "--help"]
try:
    run()
except SystemExit:
    print(gc.get_freeze_count() > 0, "jose" in sys.modules, file=sys.stderr)
from tessera.cli.app import GROUPS, create_app
for name in GROUPS:
    create_app().commands[name].load()
print([name for name in {unneeded} if name in sys.modules], file=sys.stderr)
create_app().commands["worker"].load()
print([name for name in ("fastapi", "uvicorn") if name in sys.modules], file=sys.stderr)
"""
    output = subprocess.run([sys.executable, "-c", script], check=True, capture_output=True).stderr
    assert output.splitlines() == [b"True False", b"[]", b"[]"]


def test_the_version_is_printed() -> None:
    result = tessera("--version")
    assert (result.returncode, result.stdout) == (0, f"tessera {version('tessera-vouchers')}\n")


def test_the_changelog_begins_with_this_version() -> None:
    changelog = Path(__file__).parents[2] / "CHANGELOG.md"
    versions = [line.split("]")[0] for line in changelog.read_text().splitlines() if line.startswith("## [")]
    assert versions[0] == f"## [{version('tessera-vouchers')}"


@pytest.mark.parametrize(
    ("words", "position", "expected"), [("tessera ex", "1", "exam\n"), ("tessera exam l", "2", "list\n")]
)
def test_a_shell_completes_the_names_of_commands(words: str, position: str, expected: str) -> None:
    result = tessera(_TESSERA_COMPLETE="complete_bash", COMP_WORDS=words, COMP_CWORD=position)
    assert (result.returncode, result.stdout) == (0, expected)
