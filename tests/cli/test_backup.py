"""Backups of a database in use: complete, private, verified, restored into another server, and never over data."""

import io
import json
import stat
import subprocess
import threading
import zipfile
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest
from sqlalchemy import make_url
from tests.conftest import TOKEN_KEYS, TOKEN_KEYS_SETTING, Clock, migrated_database, opened_resources
from tests.support import citus
from tests.support.commands import TESSERA, environment, running_server, tessera
from tests.support.factories import Tenant, add_promo_codes, create_tenant, percent_code
from tests.support.older_postgres import OLDER
from tests.support.redemption_requests import URL, body
from tests.support.waiting import wait_until

from tessera import backup as backups
from tessera.cli.files import new_file
from tessera.cli.startup import CannotStart
from tessera.kit.clock import clock
from tessera.kit.db.copies import CannotCopy
from tessera.kit.embedded_postgres import server
from tessera.provision import Addresses
from tessera.settings import Settings

pytestmark = citus.plain_postgres_only("a backup of several nodes is refused")
LISTED = "lin@example.com"


@dataclass
class Source:
    """A database with an organization that has a promo code, and the settings of its processes."""

    addresses: Addresses
    tenant: Tenant

    @property
    def settings(self) -> dict[str, str]:
        urls = {
            "TESSERA_DATABASE_URL": self.addresses.application,
            "TESSERA_OWNER_DATABASE_URL": self.addresses.owner,
        }
        return urls | TOKEN_KEYS_SETTING


@pytest.fixture(scope="module")
async def source(cluster: str) -> AsyncIterator[Source]:
    settings = Settings(token_keys=TOKEN_KEYS)
    with migrated_database(cluster, "backup") as addresses:
        async with opened_resources(settings, addresses, Clock()) as resources:
            tenant = await create_tenant(resources, now=clock())
            code = percent_code(tenant, "SPRING", max_redemptions=100_000, max_redemptions_per_candidate=None)
            listed = percent_code(tenant, "LISTED", email_addresses=(LISTED,))
            await add_promo_codes(resources, tenant, code, listed, now=clock())
        yield Source(addresses, tenant)


@pytest.fixture(scope="module")
def backup(source: Source, place: Path) -> Path:
    """A backup of the source, with the signing keys."""
    file = place / "quiet.tessera"
    result = tessera("backup", str(file), "--with-keys", **source.settings)
    assert result.returncode == 0, result.stderr
    return file


@contextmanager
def redeeming(url: str, tenant: Tenant) -> Iterator[list[str]]:
    """The reservations for which a code was redeemed, one after the other until the end of the block."""
    acknowledged: list[str] = []
    stopping = threading.Event()

    def redeem() -> None:
        with httpx.Client(base_url=url, headers=tenant.api_key, timeout=60) as client:
            number = 0
            while not stopping.is_set():
                number += 1
                answer = client.post(URL, json=body("SPRING", f"RSV-{number}"))
                assert answer.status_code == 201, answer.text
                acknowledged.append(f"RSV-{number}")

    thread = threading.Thread(target=redeem)
    thread.start()
    try:
        yield acknowledged
    finally:
        stopping.set()
        thread.join(120)


@pytest.mark.timeout(480)  # starts two servers, and two of Postgres
def test_a_backup_under_load_has_all_that_was_acknowledged_before_it(source: Source, place: Path) -> None:
    file, headers = place / "backup.tessera", source.tenant.bearer
    with (
        running_server("api", data=place / "unused", **source.settings) as server,
        redeeming(server.url, source.tenant) as acknowledged,
    ):
        wait_until("there is load", lambda: len(acknowledged) > 20)
        before = len(acknowledged)
        archive = {"TESSERA_ARCHIVE_DIR": str(place / "archive")}
        made = tessera("backup", str(file), "--verify", "--with-keys", **source.settings, **archive)
        assert not (place / "archive").exists(), "a trial must not write to the archive of the real server"
        assert made.returncode == 0, made.stderr
        assert len(acknowledged) > before, "the backup stopped the requests"
    assert made.stdout.endswith(f"tables to {file}, and restored it on trial.\n")
    assert stat.S_IMODE(file.stat().st_mode) == 0o600

    data = place / "restored"
    restored = tessera("restore", str(file), "--embedded", TESSERA_DATA_DIR=str(data))
    assert restored.returncode == 0, restored.stderr
    keys = data / "restored-keys.env"
    assert stat.S_IMODE(keys.stat().st_mode) == 0o600
    assert keys.read_text().splitlines() == [f"{name}={value}" for name, value in TOKEN_KEYS_SETTING.items()]
    with running_server("serve", data=data, **TOKEN_KEYS_SETTING) as server:
        listed: list[str] = []
        page: str | None = f"{server.url}{URL}?limit=1000"
        while page:
            answer = httpx.get(page, headers=headers, timeout=60).json()
            listed += [each["reservationCode"] for each in answer["data"]]
            page = answer.get("nextLink")
        assert set(acknowledged[:before]) <= set(listed) <= set(acknowledged)


def test_a_database_with_tables_is_left_as_it_is(backup: Path, source: Source) -> None:
    result = tessera("restore", str(backup), **source.settings)
    assert result.returncode == 1
    assert result.stderr.startswith("tessera: the database is not empty, and is left as it is: it has ")


def test_a_file_that_exists_is_not_replaced(source: Source, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("precious")
    result = tessera("backup", str(tmp_path / "file"), **source.settings)
    assert (result.returncode, result.stderr) == (1, f"tessera: {tmp_path / 'file'} exists, and is not replaced\n")
    assert (tmp_path / "file").read_text() == "precious"


def test_a_file_that_appears_during_the_backup_is_not_replaced(tmp_path: Path) -> None:
    file = tmp_path / "file"
    with pytest.raises(CannotStart, match="is not replaced"), new_file(file, replaces=False):
        file.write_text("precious")
    assert (file.read_text(), list(tmp_path.iterdir())) == ("precious", [file])


def test_a_backup_without_room_leaves_no_file(source: Source, tmp_path: Path) -> None:
    # A limit of 20 blocks, because a test cannot fill a disk.
    script = f"ulimit -f 20; exec {TESSERA} backup {tmp_path / 'file'}"
    variables = environment(source.settings | {"PYTHONDONTWRITEBYTECODE": "1"})  # it would cut off compiled modules
    result = subprocess.run(
        ["sh", "-c", script], env=variables, capture_output=True, text=True, check=False, timeout=90
    )
    assert (result.returncode, result.stderr) == (1, "tessera: File too large\n")
    assert list(tmp_path.iterdir()) == []


def test_time_limits_of_the_login_do_not_end_a_backup(source: Source, tmp_path: Path) -> None:
    # The connection that holds the snapshot is idle while the dump runs.
    owner = make_url(source.addresses.owner)
    impatient = owner.update_query_dict({"options": "-c idle_in_transaction_session_timeout=1"})
    url = impatient.render_as_string(hide_password=False)
    made = tessera("backup", str(tmp_path / "file"), **source.settings | {"TESSERA_OWNER_DATABASE_URL": url})
    assert made.returncode == 0, made.stderr


def test_a_login_that_does_not_see_every_row_cannot_back_up(source: Source, tmp_path: Path) -> None:
    settings = source.settings | {"TESSERA_OWNER_DATABASE_URL": source.addresses.application}
    result = tessera("backup", str(tmp_path / "file"), **settings)
    assert result.returncode == 1
    assert result.stderr.startswith("tessera: row-level security hides rows from tessera_app: set ")
    assert list(tmp_path.iterdir()) == []


def test_a_database_whose_tables_are_on_several_nodes_is_not_backed_up(source: Source, tmp_path: Path) -> None:
    with psycopg.connect(source.addresses.owner.replace("+psycopg", ""), autocommit=True) as superuser:
        superuser.execute("create table pg_dist_partition as select 'vouchers'::regclass as logicalrelid")
        try:
            refused = tessera("backup", str(tmp_path / "file"), **source.settings)
            assert list(tmp_path.iterdir()) == []
            superuser.execute("delete from pg_dist_partition")
            made = tessera("backup", str(tmp_path / "file"), **source.settings)
        finally:
            superuser.execute("drop table pg_dist_partition")
    assert (refused.returncode, made.returncode) == (1, 0)
    assert refused.stderr.endswith("back up each node, at one restore point\n")


@pytest.fixture
def empty(source: Source) -> Iterator[dict[str, str]]:
    """Settings with an empty database."""
    with psycopg.connect(source.addresses.owner.replace("+psycopg", ""), autocommit=True) as superuser:
        superuser.execute("create database tessera_to_restore")
        urls = {
            name: make_url(url).set(database="tessera_to_restore").render_as_string(hide_password=False)
            for name, url in source.settings.items()
            if name.endswith("_URL")
        }
        yield source.settings | urls
        superuser.execute("drop database tessera_to_restore with (force)")


def test_a_restore_erases_whom_the_backup_still_names(
    source: Source, backup: Path, empty: dict[str, str], tmp_path: Path
) -> None:
    names = ["--organization", source.tenant.name]
    exported = tessera("person", "export", LISTED, *names, **source.settings)
    assert exported.returncode == 0, exported.stderr
    assert json.loads(exported.stdout)["records"]["promoCodeEmailAddresses"][0]["email"] == LISTED
    erased = tessera("person", "erase", LISTED, "--yes", "--json", *names, **source.settings)
    assert (erased.returncode, json.loads(erased.stdout)["unusedVouchers"]) == (0, 0), erased.stderr
    erasures = tmp_path / "erasures.json"
    erasures.write_text(tessera("person", "erasures", **source.settings).stdout)
    restored = tessera("restore", str(backup), "--erasures", str(erasures), **empty)
    assert restored.returncode == 0, restored.stderr
    assert "Persons erased again: 1.\n" in restored.stdout
    with psycopg.connect(empty["TESSERA_OWNER_DATABASE_URL"].replace("+psycopg", "")) as superuser:
        rows = superuser.execute("select email, email_key from promo_code_email_addresses").fetchall()
    assert len(rows) == 1
    assert all(text.startswith("erased-") for text in rows[0])


def count_tables(connection: psycopg.Connection[Any]) -> int:
    [[count]] = connection.execute("select count(*) from pg_tables where schemaname = 'public'").fetchall()
    return int(count)


@pytest.mark.skipif(not OLDER, reason="this test needs an older Postgres, as Debian packages it")
def test_an_older_server_gets_the_whole_backup_or_nothing(
    backup: Path, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patched:
        patched.setattr(server, "find_installation", lambda _: OLDER[0])
        held = server.start(place / "older")
    try:
        url = held.url(user="postgres", database="postgres")
        settings = {"TESSERA_DATABASE_URL": url, "TESSERA_OWNER_DATABASE_URL": url} | TOKEN_KEYS_SETTING
        with psycopg.connect(url.replace("+psycopg", ""), autocommit=True) as superuser:
            superuser.execute("create type vouchers as (number int)")
            refused = tessera("restore", str(backup), **settings)
            assert 'psql failed: relation "vouchers" already exists' in refused.stderr
            assert count_tables(superuser) == 0
            superuser.execute("drop type vouchers")
            restored = tessera("restore", str(backup), **settings)
            assert restored.returncode == 0, restored.stderr
            assert count_tables(superuser) > 40
    finally:
        held.stop()


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda content: content[: len(content) // 2], "the backup is damaged or incomplete: "),
        (lambda content: content.replace(b"PGDMP", b"PGDPM"), "pg_restore failed: "),
        (lambda content: content[:100_000] + b"damage" + content[100_006:], ""),
        (lambda content: content.replace(b'{"test": ', b'["test": '), "the backup is damaged or incomplete: "),
        (lambda _: b"", "the backup is damaged or incomplete: "),
    ],
    ids=["cut off", "altered at its start", "altered", "altered keys", "empty"],
)
def test_a_damaged_backup_leaves_the_database_empty(
    backup: Path, empty: dict[str, str], tmp_path: Path, damage: Any, message: str
) -> None:
    (tmp_path / "damaged").write_bytes(damage(backup.read_bytes()))
    result = tessera("restore", str(tmp_path / "damaged"), **empty)
    assert result.returncode == 1
    assert result.stderr.startswith(f"tessera: {message}"), result.stderr
    with psycopg.connect(empty["TESSERA_OWNER_DATABASE_URL"].replace("+psycopg", "")) as superuser:
        assert superuser.execute("select count(*) from pg_tables where schemaname = 'public'").fetchone() == (0,)


def test_a_backup_of_a_newer_version_and_another_file_are_refused(backup: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(backup) as archive:
        about = json.loads(archive.read(backups.MANIFEST))
    contents = {
        "newer": json.dumps(about | {"revision": "9999", "version": "9.0"}),
        "other": "[]",
        "without a dump": json.dumps(about),
    }
    for name, content in contents.items():
        with zipfile.ZipFile(tmp_path / name, "w") as archive:
            archive.writestr(backups.MANIFEST, content)
    newer, other, lacking = (tessera("restore", str(tmp_path / name), "--trial").stderr for name in contents)
    assert newer == "tessera: this version of Tessera cannot use a backup from version 9.0\n"
    assert other == "tessera: the file is not a backup of Tessera\n"
    assert lacking == "tessera: the backup is incomplete: it has no dump\n"


@pytest.mark.parametrize(
    "manifest",
    [
        "[" * 100_000,
        '{"format": 1, "version": "", "createdAt": "", "postgres": 17, "revision": 1, "rows": {}, "role_settings": []}',
        '{"format": 1, "version": "", "createdAt": "", "postgres": 17, "revision": "0001", "rows": {},'
        ' "role_settings": [], "roles": ["tessera_owner", "x; drop table vouchers"]}',
    ],
    ids=["nested", "number as revision", "statement as role"],
)
def test_a_crafted_manifest_is_refused(manifest: str) -> None:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr(backups.MANIFEST, manifest)
    with pytest.raises(CannotCopy, match=r"not a backup of Tessera|cannot use a backup"), backups.opened(file):
        pass


def test_a_trial_finds_counts_that_disagree(source: Source, tmp_path: Path) -> None:
    with psycopg.connect(source.addresses.owner.replace("+psycopg", ""), autocommit=True) as superuser:
        superuser.execute("update promo_codes set redemption_count = redemption_count + 7 where name = 'SPRING'")
    file = tmp_path / "wrong"
    result = tessera("backup", str(file), "--verify", **source.settings)
    assert result.returncode == 1
    assert f"{source.tenant.name}: " in result.stderr
    assert not file.exists()
