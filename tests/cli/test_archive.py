"""The archive of an embedded Postgres: any point in time comes back, and what cannot is refused."""

import multiprocessing
import os
import shutil
import signal
import socket
import subprocess
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psycopg
import pytest
from tests.support.commands import SECONDS_TO_END, forked_command, postmaster_of, tessera
from tests.support.waiting import wait_until

from tessera import provision, schema
from tessera.kit.embedded_postgres import server as embedded
from tessera.kit.embedded_postgres.archive import NAME, Archive
from tessera.kit.embedded_postgres.file_locks import open_private, try_lock
from tessera.kit.embedded_postgres.server import EmbeddedPostgresError
from tessera.settings import Settings


@dataclass(frozen=True)
class Archived:
    """An archive with one snapshot, and the times around the creation of two organizations since then."""

    directory: Path
    before: datetime
    between: datetime
    after: datetime


def settings_of(data: Path, archive: Path) -> dict[str, str]:
    return {"TESSERA_DATA_DIR": str(data), "TESSERA_ARCHIVE_DIR": str(archive)}


def organizations(data: Path, archive: Path) -> list[str]:
    listed = tessera("organization", "list", **settings_of(data, archive))
    assert listed.returncode == 0, listed.stderr
    return sorted(name for name in ("Alpha", "Beta") if name in listed.stdout)


@pytest.fixture(scope="module")
def archived(place: Path) -> Archived:
    """An archive whose path needs quotes; its server was killed, and its data are lost."""
    data, archive = place / "data", place / "it's 100 % safe"
    settings = settings_of(data, archive)
    with provision.database(Settings(data_dir=data, archive_dir=archive)) as addresses:
        schema.migrate(addresses.owner, addresses.application)
        taken = tessera("archive", "snapshot", **settings)
        assert taken.returncode == 0, taken.stderr
        before = datetime.now(UTC)
        assert tessera("organization", "create", "Alpha", **settings).returncode == 0
        between = datetime.now(UTC)
        assert tessera("organization", "create", "Beta", **settings).returncode == 0
        after = datetime.now(UTC)
        archive_everything(addresses.owner)
    shutil.rmtree(data)
    return Archived(archive, before, between, after)


def copy(directory: Path, target: Path) -> None:
    """Copy a directory with the owners of its files."""
    subprocess.run(["cp", "-a", directory, target], check=True)


def archive_everything(url: str) -> None:
    """Wait until all changes so far are in the archive."""
    with psycopg.connect(url.replace("+psycopg", ""), autocommit=True) as connection:
        ((current,),) = connection.execute("select pg_walfile_name(pg_current_wal_lsn())").fetchall()
        connection.execute("select pg_switch_wal()")
        query = "select coalesce(last_archived_wal, '') >= %s from pg_stat_archiver"
        wait_until("the changes are archived", lambda: connection.execute(query, [current]).fetchone() == (True,))


def test_a_point_in_time_comes_back_with_what_was_before_it_and_nothing_after(archived: Archived, place: Path) -> None:
    data = place / "between"
    restored = tessera(
        "archive", "restore", "--at", archived.between.isoformat(), **settings_of(data, archived.directory)
    )
    assert (restored.returncode, restored.stderr.count("\n")) == (0, 1), restored.stderr
    assert "reports and seals agree" in restored.stdout
    assert organizations(data, archived.directory) == ["Alpha"]


def test_a_restore_without_a_time_brings_back_all_changes_of_its_timeline(archived: Archived, place: Path) -> None:
    data = place / "latest"
    Archive(archived.directory, data).prepare_restore(None, timeline="1")
    assert organizations(data, archived.directory) == ["Alpha", "Beta"]


def test_a_recovery_that_is_killed_goes_on_with_the_next_start(archived: Archived, place: Path) -> None:
    data = place / "killed"
    Archive(archived.directory, data).prepare_restore(None, timeline="1")
    server = embedded.start(data)
    os.kill(postmaster_of(data), signal.SIGKILL)
    server.stop()
    assert organizations(data, archived.directory) == ["Alpha", "Beta"]


@pytest.mark.parametrize(
    ("time", "reason"),
    [
        (timedelta(days=-1), "has no snapshot from before that time"),
        (timedelta(days=1), "recovery ended before configured recovery target was reached"),
    ],
    ids=["before the first snapshot", "after the last change"],
)
def test_a_time_that_the_archive_does_not_have_is_refused_and_leaves_no_database(
    archived: Archived, place: Path, time: timedelta, reason: str
) -> None:
    data = place / f"refused {time.days}"
    at = (archived.before + time).isoformat()
    refused = tessera("archive", "restore", "--at", at, **settings_of(data, archived.directory))
    assert refused.returncode == 1
    assert reason in refused.stderr
    assert not (data / "postgres").exists()


def test_no_new_database_joins_the_archive_of_a_lost_one(archived: Archived, place: Path) -> None:
    data = place / "fresh"
    refused = tessera("migrate", "--embedded", **settings_of(data, archived.directory))
    assert refused.returncode == 1
    assert "run `tessera archive restore`" in refused.stderr
    assert not (data / "postgres").exists()


def test_no_other_database_joins_an_archive(archived: Archived, place: Path) -> None:
    control = place / "other" / "postgres" / "global" / "pg_control"
    control.parent.mkdir(parents=True)
    control.write_bytes(bytes(8))  # the identifier of the database
    other = Archive(archived.directory, place / "other")
    with pytest.raises(EmbeddedPostgresError, match="archive of a database that is not in"):
        other.require_database()


def test_a_directory_of_somebody_else_is_no_snapshot(tmp_path: Path) -> None:
    (tmp_path / "snapshots" / "Z").mkdir(parents=True)
    assert Archive(tmp_path, tmp_path).list_snapshots() == []


def test_only_a_recovery_that_does_not_run_is_discarded(place: Path) -> None:
    data = place / "recovering"
    (data / "postgres").mkdir(parents=True)
    (data / "postgres" / "recovery.signal").touch()
    held = open_private(data / "server.lock")
    assert try_lock(held)
    Archive(place / "archive", data).discard_restore()
    assert (data / "postgres").exists()
    os.close(held)
    Archive(place / "archive", data).discard_restore()
    assert not (data / "postgres").exists()


def test_an_archive_without_snapshots_is_refused(tmp_path: Path) -> None:
    refused = tessera("archive", "restore", **settings_of(tmp_path / "data", tmp_path / "archive"))
    assert (refused.returncode, refused.stderr) == (1, f"tessera: {tmp_path}/archive/snapshots has no snapshot\n")


def test_an_existing_database_is_not_replaced(archived: Archived, tmp_path: Path) -> None:
    (tmp_path / "postgres").mkdir()
    refused = tessera("archive", "restore", **settings_of(tmp_path, archived.directory))
    assert refused.returncode == 1
    assert "is not replaced" in refused.stderr


def test_only_the_newest_snapshots_and_the_changes_since_are_kept(archived: Archived, place: Path) -> None:
    archive = Archive(place / "copy", place / "kept")
    copy(archived.directory, archive.directory)
    (first,) = archive.list_snapshots()
    copy(archive.snapshots / first.strftime(NAME), archive.snapshots / "unfinished")  # of a process that was killed
    (archive.wal / "000000010000000000000001").touch()
    archive.prepare_restore(None, timeline="1")
    held = embedded.start(archive.data_directory)
    taken = archive.take_snapshot(keep=1)
    held.stop()
    assert [path.name for path in archive.snapshots.iterdir()] == [taken.strftime(NAME)]
    assert not (archive.wal / "000000010000000000000001").exists()


def wait_for_child(parent: int | None, name: str) -> int:
    """The process of a program, once this process has started it."""
    found: list[int] = []

    def has_child() -> bool:
        for child in Path(f"/proc/{parent}/task/{parent}/children").read_text().split():
            with suppress(FileNotFoundError, ProcessLookupError):  # it has ended
                found.extend([int(child)] if Path(f"/proc/{child}/comm").read_text().strip() == name else [])
        return bool(found)

    wait_until(f"{name} runs", has_child)
    return found[0]


def test_no_snapshot_begins_while_that_of_a_killed_command_goes_on(place: Path) -> None:
    archive = Archive(place / "one archive", place / "one")
    archive.create()
    directory = archive.data_directory / "postgres"
    directory.mkdir()
    (directory / "postmaster.pid").write_text(f"1\n\n\n5432\n{directory}\n\n\nready\n")
    with socket.socket(socket.AF_UNIX) as frozen_server:
        frozen_server.bind(str(directory / ".s.PGSQL.5432"))
        (directory / ".s.PGSQL.5432").chmod(0o777)
        frozen_server.listen()
        command = multiprocessing.get_context("forkserver").Process(target=archive.take_snapshot)
        command.start()
        wait_for_child(command.pid, "pg_basebackup")
        command.kill()
        command.join(SECONDS_TO_END)
        (directory / "postmaster.pid").unlink()
        with pytest.raises(embedded.EmbeddedPostgresError, match="another process is taking a snapshot"):
            archive.take_snapshot()


def test_no_server_starts_while_the_restore_of_a_killed_command_goes_on(place: Path) -> None:
    data, archive, programs = place / "two", place / "two archive", place / "programs"
    (archive / "snapshots" / datetime.now(UTC).strftime(NAME)).mkdir(parents=True)
    programs.mkdir()
    (programs / "cp").write_text("#!/bin/sh\nexec sleep 60\n")
    (programs / "cp").chmod(0o755)
    settings = {"PATH": f"{programs}:{os.environ['PATH']}", **settings_of(data, archive)}
    with forked_command("archive", "restore", log=place / "log", **settings) as command:
        copying = wait_for_child(command.pid, "sleep")
    lock = open_private(data / "start.lock")
    is_free = try_lock(lock)
    os.kill(copying, signal.SIGKILL)
    assert not is_free
    wait_until("the end of the copy", lambda: try_lock(lock))
    os.close(lock)


def test_a_restore_leaves_the_files_of_a_running_process_of_postgres_alone(place: Path) -> None:
    archive = Archive(place / "three archive", place / "three")
    (archive.snapshots / datetime.now(UTC).strftime(NAME)).mkdir(parents=True)
    unfinished = archive.data_directory / "postgres.unfinished"
    unfinished.mkdir(parents=True)
    lock = open_private(archive.data_directory / "server.lock")
    assert try_lock(lock)
    with pytest.raises(embedded.EmbeddedPostgresError, match="a process of Postgres still runs"):
        archive.prepare_restore(None)
    os.close(lock)
    assert unfinished.exists()
