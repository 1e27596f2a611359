"""Files of organizations: the same bytes out, in and out again, and nothing imported from a file that was changed."""

import gzip
import json
import signal
import stat
from collections.abc import Iterator
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, replace
from functools import partial
from io import BytesIO
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import httpx
import psycopg
import pytest
from fastapi import FastAPI
from tests.conftest import NOW, migrated_database
from tests.integration.isolation.test_every_route import write
from tests.support import dying
from tests.support.commands import tessera
from tests.support.factories import Tenant, add_platform, add_promo_codes, percent_code
from tests.support.journeys import begin_journey
from tests.support.redemption_requests import create_redemption
from tests.support.waiting import until

from tessera.api.serving.resources import Resources
from tessera.identity.organizations import freezing
from tessera.identity.rules import PLATFORM_ID
from tessera.kit.db.database import Access
from tessera.kit.db.unit_of_work import UnitOfWork
from tessera.kit.errors import WrongState
from tessera.provision import Addresses
from tessera.transfers import service as transfers
from tessera.transfers.deletions import service as deletions
from tessera.transfers.repository import CREDENTIALS, NOT_TRANSFERRED, TABLES

# Only the platform has rows in these tables.
OF_PLATFORM = {"promo_code_shares"}


@dataclass
class Installation:
    """An installation with a platform."""

    addresses: Addresses
    superuser: psycopg.Connection[Any]

    def run(self, *arguments: str) -> tuple[int, str]:
        result = tessera(*arguments, TESSERA_DATABASE_URL=self.addresses.application)
        return result.returncode, result.stdout + result.stderr

    def count_rows(self, tenant: Tenant) -> dict[str, int]:
        counts = {}
        for table in [*TABLES, *NOT_TRANSFERRED]:
            owner = "id" if table == "organizations" else "organization_id"
            ((count,),) = self.superuser.execute(
                f"select count(*) from {table} where {owner} = %s", [tenant.id]
            ).fetchall()
            counts[table] = count
        return counts

    def has(self, tenant: Tenant) -> bool:
        return any(self.count_rows(tenant).values())

    def delete(self, tenant: Tenant) -> None:
        """Remove all rows, so that the organization can be imported again."""
        for table in [*NOT_TRANSFERRED, *list(TABLES)[::-1]]:
            owner = "id" if table == "organizations" else "organization_id"
            self.superuser.execute(f"delete from {table} where {owner} = %s", [tenant.id])


@pytest.fixture
def source(addresses: Addresses, superuser: psycopg.Connection[Any], tenant: Tenant) -> Installation:
    add_platform(superuser, tenant)
    return Installation(addresses, superuser)


@pytest.fixture(scope="module")
def other_database(cluster: str) -> Iterator[Addresses]:
    with migrated_database(cluster, "moved") as addresses:
        yield addresses


@pytest.fixture
def destination(other_database: Addresses, tenant: Tenant) -> Iterator[Installation]:
    with psycopg.connect(other_database.owner.replace("+psycopg", ""), autocommit=True) as superuser:
        add_platform(superuser, tenant)
        yield Installation(other_database, superuser)


@pytest.fixture
async def file(
    client: httpx.AsyncClient, resources: Resources, tenant: Tenant, source: Installation, tmp_path: Path
) -> Path:
    """The file of a small organization, with its credentials."""
    await add_promo_codes(resources, tenant, percent_code(tenant, "SPRING"), now=NOW)
    await create_redemption(client, tenant, notes=None)
    target = tmp_path / "organization.gz"
    status, text = source.run(
        "organization", "export", str(target), "--with-credentials", "--organization", tenant.name
    )
    assert status == 0, text
    return target


def test_every_table_with_an_organization_is_transferred_or_excepted(superuser: psycopg.Connection[Any]) -> None:
    rows = superuser.execute(
        "select table_name from information_schema.columns where table_schema = 'public'"
        " and (column_name = 'organization_id' or table_name = 'organizations')"
    )
    assert {name for (name,) in rows} == {*TABLES, *NOT_TRANSFERRED}
    assert set(TABLES) >= CREDENTIALS


@pytest.fixture
async def furnished(app: FastAPI, client: httpx.AsyncClient, resources: Resources, tenant: Tenant) -> Tenant:
    """An organization that has used every operation of the APIs."""
    journey = await begin_journey(client, resources, tenant, app.openapi(), {})
    await write(journey, resources.database)
    return tenant


def test_an_organization_with_rows_in_every_table_comes_out_as_it_went_in(
    furnished: Tenant, source: Installation, destination: Installation, tmp_path: Path
) -> None:
    tenant = furnished
    one = ("--organization", tenant.name)
    files = [tmp_path / f"{number}.gz" for number in range(3)]
    assert source.run("organization", "freeze", *one)[0] == 0
    counts = source.count_rows(tenant)
    assert {table for table, count in counts.items() if not count} == OF_PLATFORM | NOT_TRANSFERRED
    assert source.run("organization", "export", str(files[0]), "--with-credentials", *one)[0] == 0
    assert stat.S_IMODE(files[0].stat().st_mode) == 0o600
    # The shop of the journey has used vouchers without redemptions, which the verification finds.
    status, text = destination.run("organization", "import", str(files[0]))
    assert (status, "voucher V-ACME has 1 used" in text, "audit entry" in text) == (1, True, False)
    assert destination.count_rows(tenant) == source.count_rows(tenant)
    assert destination.run("organization", "export", str(files[1]), "--with-credentials", *one)[0] == 0
    assert files[1].read_bytes() == files[0].read_bytes()
    destination.delete(tenant)
    assert source.run("organization", "export", str(files[2]), *one)[0] == 0
    assert destination.run("organization", "import", str(files[2]))[0] == 1
    counts = source.count_rows(tenant)
    assert destination.count_rows(tenant) == counts | dict.fromkeys(CREDENTIALS, 0)


def lines_of(file: Path) -> list[str]:
    return gzip.decompress(file.read_bytes()).decode().splitlines()


def changed(file: Path, old: str, new: str) -> bytes:
    text = gzip.decompress(file.read_bytes()).decode()
    assert old in text
    return gzip.compress(text.replace(old, new, 1).encode())


def test_a_damaged_truncated_edited_or_foreign_file_is_refused_whole(
    file: Path, tenant: Tenant, destination: Installation, tmp_path: Path
) -> None:
    content, lines = file.read_bytes(), lines_of(file)
    version, revision = (json.loads(lines[0])[1][name] for name in ("version", "revision"))
    broken = bytearray(content)
    broken[len(content) // 2] ^= 255
    cases = {
        "not the file of an organization": gzip.compress(b'["something", {}]\n'),
        "damaged": b"PK not gzip",
        "truncated": content[:-20],
        "truncated: the table": gzip.compress("\n".join(lines[: len(lines) // 2]).encode() + b"\n"),
        "truncated: it has no last line": gzip.compress("\n".join(lines[:-1]).encode() + b"\n"),
        "the rows of the table promo_codes": changed(file, '"SPRING"', '"SUMMER"'),
        "lines after its last one": gzip.compress("\n".join([*lines, lines[-1]]).encode() + b"\n"),
        f"format 2, of version {version}": changed(file, '"format":1', '"format":2'),
        f"the schema 0001, of version {version} of Tessera, and the database the schema {revision}": changed(
            file, f'"revision":"{revision}"', '"revision":"0001"'
        ),
        "tessera: the file ": bytes(broken),
    }
    for reason, bad in cases.items():
        target = tmp_path / "bad.gz"
        target.write_bytes(bad)
        status, text = destination.run("organization", "import", str(target))
        assert (status, reason, reason in text, "Traceback" in text) == (1, reason, True, False), text
        assert not destination.has(tenant), reason


def test_an_existing_organization_a_taken_name_and_rows_that_are_left_are_all_named(
    file: Path, tenant: Tenant, source: Installation, destination: Installation
) -> None:
    status, text = source.run("organization", "import", str(file))
    assert (status, f"tessera: the organization {tenant.id} exists, with the name {tenant.name}\n" in text) == (1, True)
    assert destination.run("organization", "create", tenant.name)[0] == 0
    exam = "insert into redemption_totals values (%s, 'day', '', '2026-01-01', 1, 0, 1)"
    destination.superuser.execute(exam, [tenant.id])
    status, text = destination.run("organization", "import", str(file))
    assert status == 1
    assert f"another organization has the name {tenant.name}" in text
    assert f"the table redemption_totals has rows of the organization {tenant.id}" in text


def test_a_file_is_never_replaced(file: Path, tenant: Tenant, source: Installation) -> None:
    before = file.read_bytes()
    status, text = source.run("organization", "export", str(file), "--organization", tenant.name)
    assert (status, text) == (1, f"tessera: {file} exists, and is not replaced\n")
    assert file.read_bytes() == before


async def test_an_import_that_is_killed_at_any_step_goes_on(
    file: Path, tenant: Tenant, source: Installation, destination: Installation, tmp_path: Path
) -> None:
    arguments = ("organization", "import", str(file))
    killed, states = 0, set[tuple[bool, bool]]()
    for moment in (60, 100, *range(9, 300, 6)):
        with dying.process_that_dies(
            dying.command, destination.addresses.application, arguments, organization=tenant.id, at=moment
        ) as process:
            await until("the command ends", partial(dying.has_ended, process))
        query = "select is_active, frozen_at is not null from organizations where id = %s"
        found = destination.superuser.execute(query, [tenant.id]).fetchall()
        states.update(found)
        killed += process.exitcode == -signal.SIGKILL
        if found == [(True, True)]:
            break
    # No credential is valid before the end.
    assert states == {(False, True), (True, True)}
    assert killed > 4
    again = tmp_path / "again.gz"
    one = ("--organization", tenant.name)
    assert destination.run("organization", "export", str(again), "--with-credentials", *one)[0] == 0
    assert lines_of(again) == lines_of(file)


async def test_an_import_that_has_begun_admits_no_other_file_and_no_changes(
    file: Path, tenant: Tenant, source: Installation, destination: Installation, tmp_path: Path
) -> None:
    arguments = ("organization", "import", str(file))
    with dying.process_that_dies(
        dying.command, destination.addresses.application, arguments, organization=tenant.id, at=120
    ) as process:
        await until("the command ends", partial(dying.has_ended, process))
    assert process.exitcode == -signal.SIGKILL
    other = tmp_path / "other.gz"
    one = ("--organization", tenant.name)
    assert source.run("organization", "export", str(other), *one)[0] == 0
    status, text = destination.run("organization", "import", str(other))
    assert (status, "tessera: the import of another file of this organization is not complete" in text) == (1, True)
    status, text = destination.run("organization", "unfreeze", *one)
    assert (status, text) == (1, "tessera: The organization is being imported.\n")
    assert destination.run("organization", "import", str(file))[0] == 0


def places_of(superuser: psycopg.Connection[Any], text: str) -> list[tuple[str, str]]:
    """The tables and columns in which a text occurs, apart from what the platform's audit log says of the deletion."""
    columns = superuser.execute(
        "select table_name, column_name from information_schema.columns join information_schema.tables"
        " using (table_schema, table_name) where table_schema = 'public' and table_type = 'BASE TABLE'"
        " and table_name <> 'audit_entries'"
    ).fetchall()
    return [
        (table, column)
        for table, column in columns
        if superuser.execute(f'select from {table} where "{column}"::text like %s limit 1', [f"%{text}%"]).fetchone()
    ]


def test_nothing_is_left_of_a_deleted_organization(furnished: Tenant, source: Installation, tmp_path: Path) -> None:
    tenant, one = furnished, ("--organization", furnished.name)
    request = ("--export", str(tmp_path / "organization.gz"), "--after-days", "0")
    assert source.run("organization", "delete", *request, *one)[0] == 0
    status, text = source.run("organization", "delete", "--confirm", "--yes", *one)
    assert (status, "Deleted" in text) == (0, True), text
    assert not source.has(tenant)
    assert places_of(source.superuser, str(tenant.id)) == []
    left = source.superuser.execute(
        "select action from audit_entries where organization_id = %s and entity_id = %s order by id",
        [PLATFORM_ID, tenant.id],
    ).fetchall()
    assert [action for (action,) in left] == ["Exported", "DeletionRequested", "Deleted"]


def test_a_deletion_waits_can_be_cancelled_and_needs_an_export_of_everything(
    file: Path, tenant: Tenant, source: Installation
) -> None:
    delete, one = ("organization", "delete"), ("--organization", tenant.name)
    status, text = source.run(*delete, "--confirm", "--yes", *one)
    assert (status, "tessera: The organization is not about to be deleted." in text) == (1, True)
    digest = json.loads(lines_of(file)[-1])[2]
    status, text = source.run(*delete, "--digest", digest, "--with-credentials", *one)
    # The freeze is in the audit log, and not in the file.
    assert (status, "differs from the export with this digest" in text) == (1, True)
    assert source.run(*delete, "--export", f"{file}.frozen", *one)[0] == 0
    status, text = source.run(*delete, "--confirm", "--yes", *one)
    assert (status, "tessera: The organization can be deleted from " in text) == (1, True)
    status, text = source.run("organization", "unfreeze", *one)
    assert (status, text) == (1, "tessera: The organization is about to be deleted.\n")
    assert source.run(*delete, "--cancel", *one)[0] == 0
    digest = json.loads(lines_of(Path(f"{file}.frozen"))[-1])[2]
    assert source.run(*delete, "--digest", digest, "--after-days", "0", *one)[0] == 0
    assert source.run(*delete, "--cancel", *one)[0] == 0
    assert source.run("organization", "unfreeze", *one)[0] == 0


async def test_a_deletion_that_is_killed_at_any_step_goes_on(file: Path, tenant: Tenant, source: Installation) -> None:
    one = ("--organization", str(tenant.id))
    requested = ("--export", f"{file}.frozen", "--after-days", "0")
    assert source.run("organization", "delete", *requested, *one)[0] == 0
    arguments, killed = ("organization", "delete", "--confirm", "--yes", *one), 0
    for moment in range(3, 600, 15):
        with dying.process_that_dies(
            dying.command, source.addresses.application, arguments, organization=tenant.id, at=moment
        ) as process:
            await until("the command ends", partial(dying.has_ended, process))
        killed += process.exitcode == -signal.SIGKILL
        if not source.has(tenant):
            break
    assert killed > 3
    assert not source.has(tenant)


def test_the_rows_of_every_table_can_be_deleted(superuser: psycopg.Connection[Any]) -> None:
    protected = superuser.execute(
        "select relname::text from unnest(%s::text[]) as relname where not has_table_privilege('tessera_app', relname,"
        " 'delete') and not exists (select from pg_policy where polrelid = relname::regclass and polcmd in ('d', '*')"
        " and polname ~ '^owner_')",
        [list(TABLES)],
    )
    assert protected.fetchall() == []


async def test_uses_of_global_codes_are_given_back_by_a_deletion_and_count_again_after_an_import(
    client: httpx.AsyncClient, resources: Resources, source: Installation, tenant: Tenant
) -> None:
    name = f"G{uuid4().hex[:12]}"
    limits = {"max_redemptions": 5, "max_redemptions_per_organization": 2, "store_exam_ids": ()}
    code = percent_code(replace(tenant, id=PLATFORM_ID), name, **limits)
    await add_promo_codes(resources, replace(tenant, id=PLATFORM_ID), code, now=NOW)
    await create_redemption(client, tenant, name)

    def open_work(organization_id: UUID, access: Access) -> AbstractAsyncContextManager[UnitOfWork]:
        return resources.database.unit_of_work(organization_id, access=access)

    def counts() -> list[tuple[Any, ...]]:
        return source.superuser.execute(
            "select redemption_count, (select sum(redemption_count) from promo_code_shares"
            " where organization_id = p.organization_id and promo_code_id = p.id)"
            " from promo_codes p where organization_id = %s and id = %s",
            [PLATFORM_ID, code.id],
        ).fetchall()

    def ignore(_: int) -> None:
        pass

    assert counts() == [(1, 1)]
    with pytest.raises(WrongState):
        await deletions.request(open_work, tenant.id, digest="00", due_at=NOW, now=NOW)
    content = BytesIO()
    await freezing.freeze(partial(open_work, tenant.id), now=NOW)
    export = await transfers.export(open_work, tenant.id, content, with_credentials=True, set_position=ignore)
    await deletions.request(open_work, tenant.id, digest=export.digest, due_at=NOW, now=NOW)
    await deletions.delete(open_work, tenant.id, set_position=ignore, now=NOW)
    assert counts() == [(0, None)]
    checked = await transfers.check(open_work, content, set_position=ignore)
    await transfers.import_file(open_work, content, checked, set_position=ignore, now=NOW)
    assert counts() == [(1, 1)]
    assert await transfers.verify(open_work, tenant.id) == []
