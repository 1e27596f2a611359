"""The embedded Postgres, with real servers, real processes and real kills."""

import os
import pwd
import select as polling
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count, islice
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import psycopg
import pytest
from tests.support import guard
from tests.support.commands import SECONDS_TO_END, read_line
from tests.support.waiting import wait_until

from tessera.kit.embedded_postgres import server
from tessera.kit.embedded_postgres.file_locks import open_private, try_lock

SOURCES = Path(server.__file__).parents[3]
FAST = {"fsync": "off"}
AS_ROOT = os.geteuid() == 0
NOBODY = pwd.getpwnam("nobody")
FORKS = pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")  # Python 3.12 warns when there are threads

# Starts on the directory in its argument, prints the address, and stops at the end of its input.
USE = """
import sys
from pathlib import Path
from tessera.kit.embedded_postgres import server
postgres = server.start(Path(sys.argv[1]), settings={"fsync": "off"})
print(postgres.url(user="postgres", database="postgres"), flush=True)
sys.stdin.read()
postgres.stop()
"""


@pytest.fixture
def place() -> Iterator[Path]:
    """A directory that every user can enter, unlike tmp_path."""
    with guard.place() as directory:
        yield directory


@pytest.fixture
def data(place: Path) -> Path:
    """A data directory that does not exist yet."""
    return place / "data"


@pytest.fixture(scope="module")
def stopped() -> Iterator[Path]:
    """A data directory whose server has stopped."""
    with guard.place() as directory:
        server.start(directory / "data", settings=FAST).stop()
        yield directory / "data"


@pytest.fixture
def used(stopped: Path, data: Path) -> Path:
    """A data directory with a database, copied because its creation takes most of a test's time."""
    subprocess.run(["cp", "-a", stopped, data], check=True, timeout=SECONDS_TO_END)
    return data


def select(url: str, statement: str = "select 1") -> object:
    with psycopg.connect(url.replace("+psycopg", ""), autocommit=True) as connection:
        cursor = connection.execute(statement)
        row = cursor.fetchone() if cursor.description else None
        return row and row[0]


def ask(postgres: server.EmbeddedPostgres, statement: str = "select 1") -> object:
    return select(postgres.url(user="postgres", database="postgres"), statement)


def answers(url: str) -> bool:
    try:
        return select(url) == 1
    except psycopg.OperationalError:
        return False


def launch(data: Path) -> subprocess.Popen[str]:
    environment = {**os.environ, "PYTHONPATH": str(SOURCES)}
    return subprocess.Popen(
        [sys.executable, "-c", USE, data], env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )


def finish(process: subprocess.Popen[str]) -> int:
    process.communicate(timeout=SECONDS_TO_END)
    return process.returncode


def read_pid(data: Path) -> int:
    return int((data / "postgres" / "postmaster.pid").read_text().split()[0])


def kill(process: subprocess.Popen[str]) -> None:
    process.kill()
    process.communicate(timeout=SECONDS_TO_END)


def wait_readable(file: int, event: str) -> None:
    assert polling.select([file], [], [], SECONDS_TO_END)[0], f"not within {SECONDS_TO_END} s: {event}"


def read_byte(file: int, event: str) -> bytes:
    wait_readable(file, event)
    return os.read(file, 1)


def wait_for(child: int) -> int:
    """The exit code of a forked child."""
    end = os.pidfd_open(child)
    wait_readable(end, "the end of the child")
    os.close(end)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


@contextmanager
def as_nobody_using(data: Path) -> Iterator[None]:
    """A use by an ordinary user, in a forked process because such a user may have no access to this Python's files."""
    started, end = os.pipe(), os.pipe()
    child = os.fork()
    if child == 0:
        os.close(end[1])
        failed = 1
        try:
            os.setgroups([])
            os.setgid(NOBODY.pw_gid)
            os.setuid(NOBODY.pw_uid)
            postgres = server.start(data, settings=FAST)
            os.write(started[1], b".")
            os.read(end[0], 1)
            postgres.stop()
            failed = 0
        finally:
            os._exit(failed)
    os.close(started[1])
    assert read_byte(started[0], "the start of the ordinary user's server"), "it failed"
    yield
    os.close(end[1])
    assert wait_for(child) == 0
    os.close(started[0])
    os.close(end[0])


def test_a_new_directory_gets_a_private_durable_utf8_server(place: Path, data: Path) -> None:
    before = place.stat()
    postgres = server.start(data)
    try:
        assert ask(postgres, "select current_user || pg_encoding_to_char(encoding) from pg_database") == "postgresUTF8"
        assert ask(postgres, "show fsync") == "on"
        assert ask(postgres, "show listen_addresses") == ""
        assert ask(postgres, "select upper('ä')") == "Ä"
        assert data.stat().st_mode & 0o777 == 0o700
        assert postgres.socket_directory.stat().st_mode & 0o777 == 0o700
        assert (place.stat().st_mode, place.stat().st_uid) == (before.st_mode, before.st_uid)
    finally:
        postgres.stop()


def test_a_private_parent_directory_serves_too_and_keeps_its_mode(tmp_path: Path) -> None:
    parents = [tmp_path, *list(tmp_path.parents)[:3]]
    before = [(path.stat().st_mode, path.stat().st_uid) for path in parents]
    postgres = server.start(tmp_path / "data", settings=FAST)
    assert ask(postgres) == 1
    postgres.stop()
    assert [(path.stat().st_mode, path.stat().st_uid) for path in parents] == before


def test_the_address_names_user_database_and_socket(used: Path) -> None:
    postgres = server.start(used, settings=FAST)
    postgres.stop()
    parts = urlsplit(postgres.url(user="a b", database="c/d"))
    assert (parts.scheme, parts.netloc, parts.path) == ("postgresql+psycopg", "a%20b@", "/c%2Fd")
    assert parse_qs(parts.query) == {"host": [str(postgres.socket_directory)], "port": ["5432"]}


def test_data_survives_a_restart(used: Path) -> None:
    postgres = server.start(used, settings=FAST)
    ask(postgres, "create table kept as select 7 as number")
    postgres.stop()
    postgres = server.start(used, settings=FAST)
    assert ask(postgres, "select number from kept") == 7
    postgres.stop()


def test_the_last_user_stops_the_server_and_none_before(used: Path) -> None:
    first = server.start(used, settings=FAST)
    other = launch(used)
    url = read_line(other)
    first.stop()
    first.stop()
    assert answers(url)
    assert finish(other) == 0
    assert not answers(url)
    assert not (used / "postgres" / "postmaster.pid").exists()


def test_two_processes_that_start_at_the_same_time_share_one_server(data: Path) -> None:
    processes = [launch(data) for _ in range(2)]
    urls = {read_line(process) for process in processes}
    assert len(urls) == 1
    assert select(urls.pop()) == 1
    assert [finish(process) for process in processes] == [0, 0]


@FORKS
def test_a_forked_child_stops_nothing(used: Path) -> None:
    postgres = server.start(used, settings=FAST)
    child = os.fork()
    if child == 0:
        try:
            postgres.stop()
        finally:
            os._exit(0)
    assert wait_for(child) == 0
    assert ask(postgres) == 1
    postgres.stop()


def test_a_server_whose_starter_was_killed_goes_on_for_its_other_users(used: Path) -> None:
    starter = launch(used)
    url = read_line(starter)
    pid = read_pid(used)
    postgres = server.start(used, settings=FAST)
    kill(starter)
    assert ask(postgres) == 1
    assert read_pid(used) == pid
    postgres.stop()
    assert not answers(url)


def test_a_server_whose_last_user_was_killed_ends_cleanly(used: Path) -> None:
    starter, other = launch(used), launch(used)
    url = read_line(starter)
    read_line(other)
    kill(starter)
    assert answers(url)
    kill(other)
    wait_until("the end of the server", lambda: not (used / "postgres" / "postmaster.pid").exists())
    assert "database system is shut down" in (used / "postgres.log").read_text()


def test_a_start_during_the_end_of_a_server_whose_user_was_killed_succeeds(used: Path) -> None:
    for _ in range(3):
        user = launch(used)
        read_line(user)
        kill(user)
        postgres = server.start(used, settings=FAST)
        assert ask(postgres) == 1
        postgres.stop()


def test_a_start_that_is_killed_at_any_moment_does_not_prevent_another(data: Path) -> None:
    for delay in (0.1, 0.2, 0.3):
        starter = launch(data)
        time.sleep(delay)
        kill(starter)
    postgres = server.start(data, settings=FAST)
    assert ask(postgres) == 1
    postgres.stop()
    assert sorted(path.name for path in data.iterdir()) == [
        "postgres",
        "postgres.log",
        "server.lock",
        "start.lock",
        "use.lock",
    ]


def test_a_killed_server_is_recovered_by_the_next_start(used: Path) -> None:
    first = server.start(used, settings=FAST)
    ask(first, "create table kept as select 7 as number")
    os.kill(read_pid(used), signal.SIGKILL)
    second = server.start(used, settings=FAST)
    assert ask(second, "select number from kept") == 7
    other = launch(used)
    assert read_line(other)
    os.kill(read_pid(used), signal.SIGKILL)
    assert finish(other) == 0
    second.stop()
    first.stop()
    server.start(used, settings=FAST).stop()  # so that the killed server's shared memory is given back


def test_a_server_stopped_by_somebody_else_is_no_error(used: Path) -> None:
    postgres = server.start(used, settings=FAST)
    os.kill(read_pid(used), signal.SIGINT)
    postgres.stop()


def test_a_pid_file_of_another_living_process_does_not_prevent_a_start(used: Path) -> None:
    server.start(used, settings=FAST).stop()
    owner = used.stat()
    as_owner: dict[str, Any] = {"user": owner.st_uid, "group": owner.st_gid, "extra_groups": []} if AS_ROOT else {}
    stranger = subprocess.Popen(["sleep", "60"], cwd="/", **as_owner)
    pid_file = used / "postgres" / "postmaster.pid"
    pid_file.write_text(f"{stranger.pid}\n{used}/postgres\n1\n5432\n{used}/postgres\n\n\nready\n")
    postgres = server.start(used, settings=FAST)
    assert ask(postgres) == 1
    postgres.stop()
    assert stranger.poll() is None
    stranger.kill()
    stranger.wait(SECONDS_TO_END)


def test_a_half_made_database_is_made_anew(data: Path) -> None:
    unfinished = data / "postgres.unfinished"
    unfinished.mkdir(parents=True)
    (unfinished / "PG_VERSION").write_text("18\n")
    postgres = server.start(data, settings=FAST)
    assert ask(postgres) == 1
    assert not unfinished.exists()
    postgres.stop()


def test_files_that_are_no_database_are_left_alone(data: Path) -> None:
    (data / "postgres").mkdir(parents=True)
    (data / "postgres" / "precious").touch()
    with pytest.raises(server.EmbeddedPostgresError, match="no PG_VERSION"):
        server.start(data, settings=FAST)
    assert (data / "postgres" / "precious").exists()


def test_a_database_of_another_version_is_refused(data: Path) -> None:
    (data / "postgres").mkdir(parents=True)
    (data / "postgres" / "PG_VERSION").write_text("9.6\n")
    with pytest.raises(server.EmbeddedPostgresError, match=r"belongs to Postgres 9\.6, but only .*18.* is installed"):
        server.start(data)


def test_a_server_that_fails_to_start_says_why(used: Path) -> None:
    with pytest.raises(server.EmbeddedPostgresError, match=r"FATAL: .*no_such_setting") as caught:
        server.start(used, settings={**FAST, "no_such_setting": "1"})
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["long" * 30, "with, comma", 'with "quotes" and $HOME'])
def test_a_path_that_a_socket_cannot_have_serves_too(place: Path, name: str) -> None:
    data = place / name
    postgres = server.start(data, settings=FAST)
    assert ask(postgres) == 1
    assert postgres.socket_directory.stat().st_mode & 0o777 == 0o700
    postgres.stop()
    if postgres.socket_directory.parent != data:
        postgres.socket_directory.rmdir()


@pytest.mark.skipif(not AS_ROOT, reason="only root can make a directory of another user")
def test_a_socket_directory_of_somebody_else_is_refused(place: Path) -> None:
    data = place / ("long" * 30)
    postgres = server.start(data, settings=FAST)
    postgres.stop()
    os.chown(postgres.socket_directory, NOBODY.pw_uid, NOBODY.pw_gid)
    with pytest.raises(server.EmbeddedPostgresError, match="belongs to another user"):
        server.start(data, settings=FAST)
    postgres.socket_directory.rmdir()


def test_variables_of_postgres_clients_change_nothing(used: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PGPORT", "1234")
    monkeypatch.setenv("PGDATA", "/nonexistent")
    postgres = server.start(used, settings=FAST)
    assert ask(postgres) == 1
    postgres.stop()


@FORKS
@pytest.mark.skipif(not AS_ROOT, reason="only root can become another user")
def test_an_ordinary_user_owns_what_it_starts_and_root_may_join(place: Path, data: Path) -> None:
    os.chown(place, NOBODY.pw_uid, NOBODY.pw_gid)
    with as_nobody_using(data):
        postgres = server.start(data, settings=FAST)
    assert ask(postgres) == 1
    postgres.stop()
    owners = {(path.stat().st_uid, path.stat().st_gid) for path in [data, *data.rglob("*")]}
    assert owners == {(NOBODY.pw_uid, NOBODY.pw_gid)}


@pytest.mark.skipif(not AS_ROOT, reason="only root hands the server to another user")
def test_root_hands_server_and_files_to_a_user_and_group_of_lesser_rights(data: Path) -> None:
    postgres = server.start(data, settings=FAST)
    status = Path("/proc", str(read_pid(data)), "status").read_text()
    postgres.stop()
    owner = data.stat()
    assert 0 not in (owner.st_uid, owner.st_gid)
    assert f"Uid:\t{owner.st_uid}\t{owner.st_uid}\t" in status
    assert f"Gid:\t{owner.st_gid}\t{owner.st_gid}\t" in status
    assert "Groups:\t \n" in status
    assert {path.stat().st_uid for path in data.rglob("*")} == {owner.st_uid}


def test_without_programs_the_error_names_the_variable_to_set(data: Path) -> None:
    # -S hides the wheel; an empty file system hides the system's programs.
    hide = "test ! -d /usr/lib/postgresql || mount -t tmpfs none /usr/lib/postgresql || exit 77; exec " + '"$@"'
    namespaces = ["unshare", "--mount"] if AS_ROOT else ["unshare", "--user", "--map-root-user", "--mount"]
    result = subprocess.run(
        [*namespaces, "sh", "-c", hide, "sh", sys.executable, "-S", "-c", USE, data],
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(SOURCES)},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=SECONDS_TO_END,
    )
    if result.returncode not in (0, 1) or "unshare:" in result.stderr:
        pytest.skip("the system's Postgres cannot be hidden here")
    assert result.stderr.splitlines()[-1].startswith(
        "tessera.kit.embedded_postgres.server.EmbeddedPostgresError: no Postgres found"
    )
    assert "TESSERA_DATABASE_URL" in result.stderr


def test_a_start_that_makes_progress_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "_TIMEOUT_SECONDS", 10 * server._POLL_SECONDS)
    assert len(list(islice(server._ticks(iter(range(1000)).__next__), 50))) == 50
    assert len(list(server._ticks())) <= 10


def test_a_creation_of_a_killed_start_that_hangs_is_waited_for_once(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    directory = place / "orphan"
    directory.mkdir()
    lock = open_private(directory / "server.lock")  # the initdb of a start that was killed has it
    assert try_lock(lock)
    monkeypatch.setattr(server, "_TIMEOUT_SECONDS", 10 * server._POLL_SECONDS)
    with pytest.raises(server.EmbeddedPostgresError, match="runs but does not answer"):
        server.start(directory, settings=FAST)
    os.close(lock)


def test_a_server_of_another_process_that_logs_its_recovery_is_waited_for(
    used: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lock, log, sleep, ticks = open_private(used / "server.lock"), used / "postgres.log", time.sleep, count()
    assert try_lock(lock)

    def log_and_sleep(seconds: float) -> None:
        with log.open("a") as file:
            file.write("redo in progress\n")
        sleep(seconds)
        if next(ticks) == 50:
            os.close(lock)

    with monkeypatch.context() as patch:
        patch.setattr(server, "_TIMEOUT_SECONDS", 10 * server._POLL_SECONDS)
        patch.setattr(time, "sleep", log_and_sleep)
        postgres = server.start(used, settings=FAST)
    assert ask(postgres) == 1
    postgres.stop()
