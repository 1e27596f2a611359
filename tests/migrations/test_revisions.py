"""The text of the revisions: what an applied revision does must not depend on code that may change."""

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

from alembic.config import Config
from alembic.script import ScriptDirectory
from tests.migrations.lint import LAST_RELEASED

from migrations import functions
from tessera import schema

REVISIONS = sorted(Path(ScriptDirectory.from_config(Config(schema.CONFIGURATION)).versions).glob("*.py"))
# The job queue's revision installs the schema of the installed release. The form of domains (`idna`) is a standard, and
# revisions log what they find in existing data.
ALLOWED = {
    "alembic.op",
    "migrations.functions",
    "migrations.steps",
    "migrations.tenancy",
    "procrastinate.schema.SchemaManager",
}
ALLOWED |= {"sqlalchemy.text", "sqlalchemy.Connection", "sqlalchemy.exc.IntegrityError", "idna", "structlog"}


def imported_by(file: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        if isinstance(node, ast.ImportFrom):
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def test_no_revision_imports_another_one_or_the_application() -> None:
    imports = {name for file in REVISIONS for name in imported_by(file)}
    assert {name for name in imports if name.partition(".")[0] not in sys.stdlib_module_names} == ALLOWED


def test_later_revisions_have_higher_numbers_and_name_the_oldest_code_that_can_use_them() -> None:
    revisions = list(ScriptDirectory.from_config(Config(schema.CONFIGURATION)).walk_revisions())[::-1]
    assert [revision.revision for revision in revisions] == [f"{n + 1:04}" for n in range(len(revisions))]
    floors = {each.revision: getattr(each.module, "compatible_since", None) for each in revisions}
    assert [name for name, floor in floors.items() if name > LAST_RELEASED and not (floor and floor <= name)] == []


def test_functions_are_written_in_files_of_their_own() -> None:
    assert [file.name for file in REVISIONS if "create function" in file.read_text().lower()] == []


def test_every_version_of_a_function_is_installed_by_some_revision() -> None:
    texts = "".join(file.read_text() for file in REVISIONS)
    files = list(Path(functions.__file__).parent.glob("*/*.sql"))
    assert len(files) >= 15
    for file in files:
        version = file.stem.removeprefix("v")
        installed = (f'install("{file.parent.name}", {version})', f'"{file.parent.name}": ({version}, ')
        assert any(call in texts for call in installed), file
