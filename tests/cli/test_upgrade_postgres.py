"""`tessera upgrade-postgres` from the Postgres of Debian to that of the wheel."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.support import guard
from tests.support.commands import tessera
from tests.support.older_postgres import OLDER

from tessera import postgres_upgrade, provision, schema
from tessera.kit.clock import clock
from tessera.kit.embedded_postgres import programs, server
from tessera.kit.embedded_postgres.upgrades import Upgrade
from tessera.settings import Settings

pytestmark = pytest.mark.skipif(not OLDER, reason="these tests need an older Postgres, as Debian packages it")


@pytest.fixture
def data(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A data directory of the older version, with an organization; its server has stopped."""
    with guard.place() as place, monkeypatch.context() as patched:
        patched.setattr(server, "find_installation", lambda _: OLDER[0])
        with provision.database(Settings(data_dir=place / "data")) as addresses:
            schema.migrate(addresses.owner, addresses.application)
        patched.undo()
        run(place / "data", "organization", "create", "Acme")
        yield place / "data"


def run(data: Path, *arguments: str) -> str:
    result = tessera(*arguments, TESSERA_DATA_DIR=str(data))
    assert result.returncode == 0, result.stderr
    return result.stdout


def version_of(directory: Path) -> str:
    return (directory / "postgres" / "PG_VERSION").read_text().strip()


def test_all_data_is_in_the_newer_version_and_the_old_database_is_kept(data: Path) -> None:
    old, new = version_of(data), str(programs.find_installation(None).major)
    held = server.start(data)
    refused = tessera("upgrade-postgres", TESSERA_DATA_DIR=str(data))
    assert (refused.returncode, refused.stdout) == (1, "")
    assert "is in use: stop all processes of Tessera first" in refused.stderr
    held.stop()

    printed = run(data, "upgrade-postgres")
    assert f"The old database is in {data}/postgres-{old}" in printed
    assert (version_of(data), version_of(data / f"postgres-{old}")) == (new, old)
    assert "Acme" in run(data, "organization", "list")
    assert not any(directory.exists() for directory in (Upgrade(data).aside, Upgrade(data).fresh))

    again = tessera("upgrade-postgres", TESSERA_DATA_DIR=str(data))
    assert f"belongs to Postgres {new}, and no newer one is installed" in again.stderr


def test_an_attempt_that_fails_or_is_killed_loses_nothing_and_is_repeated(
    data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old, attempt = version_of(data), Upgrade(data)
    interrupt("put_in_place", data, monkeypatch)
    assert (version_of(data), attempt.is_under_way) == (old, False)

    # Killed while the database is aside.
    attempt.aside.mkdir()
    os.chown(attempt.aside, data.stat().st_uid, data.stat().st_gid)
    (data / "postgres").rename(attempt.aside / "postgres")
    with pytest.raises(server.EmbeddedPostgresError, match="run `tessera upgrade-postgres`"):
        server.start(data)
    # Killed after the new database is in its place. An earlier upgrade has left its directory.
    (data / f"postgres-{old}").mkdir()
    interrupt("keep_old", data, monkeypatch)
    assert "The upgrade is complete." in run(data, "upgrade-postgres")
    assert version_of(data / f"postgres-{old}.2") == old
    assert "Acme" in run(data, "organization", "list")


def interrupt(step: str, data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Begin an upgrade, and interrupt it before this step."""

    def fail(_: Upgrade) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(Upgrade, step, fail)
        with pytest.raises(KeyboardInterrupt):
            postgres_upgrade.upgrade(Settings(data_dir=data), now=clock())
