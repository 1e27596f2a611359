"""A part of `make check`: finds locks in the revisions since the last release that serving processes would wait for.

Squawk reads SQL, and revisions are Python, so this program applies all revisions to an empty database and records what
they execute. `.squawk.toml` has the rules that do not apply, with the reasons.
"""

import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, event

from tessera import provision, schema
from tessera.kit.embedded_postgres import server as embedded

LAST_RELEASED = "0014"  # the latest revision of the last release
ROOT = Path(__file__).parents[2]
# Alembic's last statement of a revision.
_END = re.compile(r"(?:UPDATE alembic_version SET|INSERT INTO alembic_version \(version_num\)).*?'(\w+)'", re.DOTALL)
_NO_TIMEOUTS = {"fsync": "off", "synchronous_commit": "off"}


def main() -> int:
    """Lint the revisions, and return the exit status of Squawk."""
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        directory.chmod(0o755)
        server = embedded.start(directory / "data", settings=_NO_TIMEOUTS)
        try:
            provision.create_database(server, "tessera")
            with _recorded() as statements:
                owner, application = (server.url(user=user, database="tessera") for user in ("postgres", "tessera_app"))
                schema.migrate(owner, application)
        finally:
            server.stop()
        files = []
        for revision, sql in _by_revision(statements).items():
            if revision > LAST_RELEASED:
                files.append(f"{revision}.sql")
                (directory / files[-1]).write_text(sql)
        squawk = Path(sys.executable).with_name("squawk")
        return subprocess.run(
            [squawk, "--config", ROOT / ".squawk.toml", *files], cwd=directory, check=False
        ).returncode


@contextmanager
def _recorded() -> Iterator[list[str]]:
    """The statements that are executed within the block; those outside of transactions are preceded by a commit."""
    statements: list[str] = []

    def record(connection: Connection, _: object, statement: str, parameters: object, *__: Any) -> None:
        raw: Any = connection.connection.driver_connection
        is_open = _is_in_transaction(statements)
        if raw.autocommit and is_open:
            statements.append("commit")
        if not raw.autocommit and not is_open:
            statements.append("begin")
        # Squawk does not read parameters, which only statements on rows have.
        if not parameters and not statement.startswith("comment on table alembic_version"):
            statements.append(statement.strip().rstrip(";"))

    def commit(_: Connection) -> None:
        if _is_in_transaction(statements):
            statements.append("commit")

    event.listen(Engine, "before_cursor_execute", record)
    event.listen(Engine, "commit", commit)
    try:
        yield statements
    finally:
        event.remove(Engine, "before_cursor_execute", record)
        event.remove(Engine, "commit", commit)


def _is_in_transaction(statements: list[str]) -> bool:
    return next((each == "begin" for each in reversed(statements) if each in ("begin", "commit")), False)


def _by_revision(statements: list[str]) -> Mapping[str, str]:
    result: dict[str, str] = {}
    pending: list[str] = []
    for statement in statements:
        if statement != "commit" or pending:  # that of a revision follows its end
            pending.append(statement)
        if end := _END.match(statement):
            timeout = f"set lock_timeout = '{schema.LOCK_TIMEOUT}'"
            result[end[1]] = ";\n".join([timeout, *pending, "commit;\n"])
            pending = []
    return result


if __name__ == "__main__":
    sys.exit(main())
