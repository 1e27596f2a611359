"""What `postmaster.pid` and the lock file of a socket say about a server."""

import os
import socket
from pathlib import Path

PORT = 5432
SOCKET_NAME = f".s.PGSQL.{PORT}"


def remove_stale_pid_file(pid_file: Path, data: Path) -> None:
    """Remove a pid file whose process is a zombie or another program; Postgres would take it for a running server."""
    if not pid_file.exists() or not Path("/proc/self/cwd").exists():
        return
    pid = os.fsdecode(pid_file.read_bytes()).partition("\n")[0].lstrip("-")  # single-user mode writes a minus sign
    try:
        alive = pid.isdecimal() and Path("/proc", pid, "cwd").samefile(data)
    except (FileNotFoundError, ProcessLookupError):
        alive = False
    if not alive:
        pid_file.unlink()


def find_ready_socket(data: Path) -> Path | None:
    """The socket directory in postmaster.pid, or None unless the server reports that it is ready and listens."""
    try:
        lines = os.fsdecode((data / "postmaster.pid").read_bytes()).splitlines()
    except FileNotFoundError:
        return None
    if len(lines) < 8 or lines[7].strip() != "ready":  # noqa: PLR2004 - the eighth line is the state
        return None
    # A killed postmaster leaves the file unchanged, and its children may live on for a moment.
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(1)
        listens = connection.connect_ex(str(Path(lines[4], SOCKET_NAME))) == 0
    return Path(lines[4]) if listens else None
