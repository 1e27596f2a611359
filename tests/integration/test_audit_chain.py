"""The chain of seals: complete in any order of commits, intact after any kill, and broken by any tampering."""

import asyncio
import random
import re
from pathlib import Path
from typing import Any
from uuid import UUID

import psycopg
import pytest
from psycopg import errors
from tests.conftest import NOW, Clock
from tests.support import factories
from tests.support.citus import plain_postgres_only
from tests.support.factories import Tenant
from tests.support.jobs import job_context
from tests.support.recording import record_statements

from tessera.api.serving.resources import Resources
from tessera.audit import service as audit
from tessera.audit.jobs import seal_audit
from tessera.audit.seals import service as seals
from tessera.audit.seals.service import Verdict
from tessera.audit.service import Change, Entry, EntryFilter
from tessera.identity.rules import PLATFORM_ID
from tessera.kit.actors import Actor, ActorKind
from tessera.kit.db.database import Database
from tessera.kit.errors import DatabaseUnavailable
from tessera.kit.identifiers import new_id
from tessera.provision import Addresses

ADA = Actor(ActorKind.USER, UUID(int=7), "ada@example.com", UUID(int=8), "lin@example.com")
NAMES: dict[str, Any] = {
    "email": "grace@example.com",
    "notes": "Für \u2028 Zoë \U0001f600",
    "email_addresses": ["a@example.com", "b@example.com"],
}
MOST = "organization_id = %(tenant)s and position = 3"
ENTRY = "(select entry_id from audit_seals where organization_id = %(tenant)s and position = {})"
ITS = f"organization_id = %(tenant)s and id = {ENTRY.format(3)}"


async def seal_all(database: Database, tenant: Tenant) -> int:
    async with database.unit_of_work(tenant.id) as work:
        sealed = await seals.seal(work, [work.organization_id], now=NOW)
        return sum(progress.done for progress in sealed.values())


async def verdict(database: Database, tenant: Tenant, **known_head: Any) -> Verdict:
    async with database.unit_of_work(tenant.id) as work:
        return await seals.verify(work, **known_head)


async def change(database: Database, tenant: Tenant, count: int = 1, **after: Any) -> None:
    changes = [Change(action="Updated", kind="Thing", id=new_id(), after={"n": n, **after}) for n in range(count)]
    async with database.unit_of_work(tenant.id, actor=ADA) as work:
        await audit.record_all(work, changes, now=NOW)


@pytest.fixture
async def sealed_tenant(resources: Resources, tenant: Tenant) -> Tenant:
    """A tenant whose first changes and five more are sealed."""
    await change(resources.database, tenant, 5)
    assert await seal_all(resources.database, tenant) >= 5
    return tenant


def count(superuser: psycopg.Connection, tenant: Tenant, table: str) -> int:
    row = superuser.execute(f"select count(*) from {table} where organization_id = %s", [tenant.id]).fetchone()
    return int(row[0]) if row else 0


async def test_every_change_is_sealed_once(
    resources: Resources, sealed_tenant: Tenant, superuser: psycopg.Connection
) -> None:
    entries = count(superuser, sealed_tenant, "audit_entries")
    assert (count(superuser, sealed_tenant, "audit_seals"), count(superuser, sealed_tenant, "audit_unsealed")) == (
        entries,
        0,
    )
    assert await seal_all(resources.database, sealed_tenant) == 0
    result = await verdict(resources.database, sealed_tenant)
    assert (result.findings, result.head.position) == ([], entries)


async def test_what_is_committed_late_is_sealed_late(resources: Resources, tenant: Tenant) -> None:
    database = resources.database
    await seal_all(database, tenant)
    before = (await verdict(database, tenant)).head.position
    async with database.unit_of_work(tenant.id) as slow:
        await audit.record(slow, Change(action="Updated", kind="Slow", id=new_id()), now=NOW)
        await change(database, tenant, 2)  # these have later ids and commit first
        assert await seal_all(database, tenant) == 2
    assert await seal_all(database, tenant) == 1
    result = await verdict(database, tenant)
    assert (result.findings, result.head.position) == ([], before + 3)


async def test_a_change_that_is_rolled_back_leaves_no_entry(
    resources: Resources, tenant: Tenant, superuser: psycopg.Connection
) -> None:
    before = count(superuser, tenant, "audit_entries")

    async def fail() -> None:
        async with resources.database.unit_of_work(tenant.id) as work:
            await audit.record(work, Change(action="Updated", kind="Thing", id=new_id()), now=NOW)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await fail()
    assert count(superuser, tenant, "audit_entries") == before


async def test_concurrent_sealing_seals_once(resources: Resources, tenant: Tenant) -> None:
    await change(resources.database, tenant, 50)
    sealed = await asyncio.gather(*(seal_all(resources.database, tenant) for _ in range(5)))
    assert sum(count > 0 for count in sealed) == 1
    assert (await verdict(resources.database, tenant)).findings == []


async def test_the_job_seals_all_organizations_together_and_a_damaged_one_blocks_no_other(
    resources: Resources, sealed_tenant: Tenant, superuser: psycopg.Connection, clock: Clock
) -> None:
    others = [await factories.create_tenant(resources, now=NOW) for _ in range(5)]
    for tenant in (sealed_tenant, *others):
        await change(resources.database, tenant)
    await seal_audit.func(job_context(resources, clock), 0)
    for tenant in others:
        await change(resources.database, tenant)
    with record_statements(resources.database) as statements:
        await seal_audit.func(job_context(resources, clock), 0)
    assert sum("BEGIN" in statement.text for statement in statements) == 2  # that of the list of organizations as well

    # The entry has a seal already, so that another one violates a constraint.
    again = "insert into audit_unsealed select organization_id, entry_id from audit_seals where " + MOST
    superuser.execute(again, {"tenant": sealed_tenant.id})
    for tenant in others:
        await change(resources.database, tenant)
    await seal_audit.func(job_context(resources, clock), 0)
    assert [count(superuser, tenant, "audit_unsealed") for tenant in (sealed_tenant, *others)] == [1, 0, 0, 0, 0, 0]
    superuser.execute("delete from audit_unsealed where organization_id = %s", [sealed_tenant.id])
    for tenant in (sealed_tenant, *others):
        assert (await verdict(resources.database, tenant)).findings == []


async def test_sealing_that_is_killed_leaves_a_sound_chain(
    resources: Resources, tenant: Tenant, addresses: Addresses, superuser: psycopg.Connection
) -> None:
    await change(resources.database, tenant, 3000)
    chance = random.Random(7)
    sealer = Database(addresses.application, pool_size=1)
    for _ in range(12):
        async with sealer.unit_of_work(tenant.id) as work:
            row = (await work.connection.exec_driver_sql("select pg_backend_pid()")).one()
        sealing = asyncio.create_task(seal_all(sealer, tenant))
        await asyncio.sleep(chance.uniform(0.0, 0.06))
        superuser.execute("select pg_terminate_backend(%s::int)", [row[0]])
        await asyncio.wait({sealing}, timeout=60)
        assert sealing.exception() is None or isinstance(sealing.exception(), DatabaseUnavailable)
        assert (await verdict(resources.database, tenant)).findings == []
    await sealer.close()
    while await seal_all(resources.database, tenant):
        pass
    result = await verdict(resources.database, tenant)
    assert (result.findings, result.head.position) == ([], count(superuser, tenant, "audit_entries"))


@pytest.mark.parametrize(
    ("tampering", "flaws"),
    [
        (f"update audit_entries set after = '{{}}' where {ITS}", [("Altered", 3)]),
        (f"update audit_entries set before = '{{}}' where {ITS}", [("Altered", 3)]),
        (f"update audit_entries set at = '2026-06-15T12:00:00.000001Z' where {ITS}", [("Altered", 3)]),
        (f"update audit_entries set actor_name = 'eve' where {ITS}", [("Altered", 3)]),
        (f"update audit_entries set actor_id = '{PLATFORM_ID}' where {ITS}", [("Altered", 3)]),
        (f"update audit_entries set entity_id = '{PLATFORM_ID}' where {ITS}", [("Altered", 3)]),
        (f"update audit_entries set action = 'Looked' where {ITS}", [("Altered", 3)]),
        (f"delete from audit_entries where {ITS}", [("EntryMissing", 3)]),
        (f"delete from audit_seals where {MOST}", [("SealMissing", 3), ("NotSealed", None)]),
        (
            "update audit_entries e set after = o.after, entity_id = o.entity_id from audit_entries o"
            f" where e.organization_id = %(tenant)s and o.organization_id = e.organization_id"
            f" and (e.id, o.id) in (({ENTRY.format(3)}, {ENTRY.format(4)}), ({ENTRY.format(4)}, {ENTRY.format(3)}))",
            [("Altered", 3), ("Altered", 4)],
        ),
        (
            f"update audit_seals set position = -position where {MOST.replace('= 3', 'in (3, 4)')};"
            " update audit_seals set position = 7 + position where organization_id = %(tenant)s and position < 0",
            [("Altered", 3), ("Altered", 4)],
        ),
        (f"update audit_seals set digest = sha256('x') where {MOST}", [("Altered", 3), ("Altered", 4)]),
        ("delete from audit_seals where organization_id = %(tenant)s and position <= 2", [("SealMissing", 1)]),
    ],
)
async def test_tampering_is_found_even_a_superusers(
    resources: Resources,
    sealed_tenant: Tenant,
    superuser: psycopg.Connection,
    tampering: str,
    flaws: list[tuple[str, Any]],
) -> None:
    ((entry,),) = superuser.execute(f"select {ENTRY.format(3)}", {"tenant": sealed_tenant.id}).fetchall()
    with superuser.transaction():
        superuser.execute("set local session_replication_role = replica")  # no foreign key stops a superuser
        superuser.execute("alter table audit_seals drop constraint audit_seals_position_check")
        for statement in tampering.split(";"):
            superuser.execute(statement, {"tenant": sealed_tenant.id})
        restore = "alter table audit_seals add constraint audit_seals_position_check check (position >= 1)"
        superuser.execute(restore)
    result = (await verdict(resources.database, sealed_tenant)).findings
    listed = [(finding.flaw, finding.position) for finding in result]
    assert listed[: len(flaws)] == flaws
    if flaws[0] in (("Altered", 3), ("EntryMissing", 3)) and "position = -position" not in tampering:
        assert result[0].entry_id == entry


async def test_a_chain_that_was_cut_off_is_found_by_a_head_that_was_noted(
    resources: Resources, sealed_tenant: Tenant, superuser: psycopg.Connection
) -> None:
    head = (await verdict(resources.database, sealed_tenant)).head
    await change(resources.database, sealed_tenant)
    await seal_all(resources.database, sealed_tenant)
    assert (await verdict(resources.database, sealed_tenant, known_head=head)).findings == []
    with superuser.transaction():
        superuser.execute("set local session_replication_role = replica")
        for table in ("audit_entries", "audit_seals"):
            last = f"{'id' if table == 'audit_entries' else 'entry_id'} in (select entry_id from audit_seals s"
            behind = f"{last} where s.organization_id = %s and s.position >= %s)"
            superuser.execute(f"delete from {table} where {behind}", [sealed_tenant.id, head.position])
    assert (await verdict(resources.database, sealed_tenant)).findings == []
    cut = (await verdict(resources.database, sealed_tenant, known_head=head)).findings
    assert [(finding.flaw, finding.position) for finding in cut] == [("HeadDiffers", head.position)]


@pytest.mark.parametrize("table", ["audit_entries", "audit_seals"])
@pytest.mark.parametrize(
    "statement",
    [
        "update {} set organization_id = organization_id",
        pytest.param("delete from {}", marks=plain_postgres_only("a policy and no right prevents it")),
    ],
)
async def test_the_applications_role_only_adds(
    addresses: Addresses, sealed_tenant: Tenant, table: str, statement: str
) -> None:
    url = addresses.application.replace("+psycopg", "")
    with psycopg.connect(url, autocommit=True, options="-c role=tessera_app") as application:
        application.execute("select set_config('app.organization_id', %s, false)", [str(sealed_tenant.id)])
        with pytest.raises(errors.InsufficientPrivilege):
            application.execute(statement.format(table))


async def latest(database: Database, tenant: Tenant) -> Entry:
    async with database.unit_of_work(tenant.id) as work:
        return (await audit.list_by_cursor(work, filters=EntryFilter(), after=None, size=1)).items[0]


async def test_values_that_name_a_person_can_be_deleted_from_a_sealed_entry(
    resources: Resources, tenant: Tenant, superuser: psycopg.Connection
) -> None:
    await change(resources.database, tenant, **NAMES)
    await seal_all(resources.database, tenant)
    entry = await latest(resources.database, tenant)
    assert (entry.after, entry.actor_name, entry.token_issuer) == ({"n": 0, **NAMES}, ADA.name, ADA.token_issuer)
    assert (await verdict(resources.database, tenant)).erased == 0
    own = [tenant.id, entry.id]
    superuser.execute("delete from audit_values where organization_id = %s and entry_id = %s", own)
    erase = "update audit_entries set actor_name = 'erased', actor_salt = null where organization_id = %s and id = %s"
    superuser.execute(erase, own)
    ((stored,),) = superuser.execute(
        "select e::text from audit_entries e where organization_id = %s and id = %s", own
    ).fetchall()
    assert not re.search("@|Zoë", stored)
    entry = await latest(resources.database, tenant)
    tombstones = {"email": "erased", "notes": "erased", "email_addresses": ["erased", "erased"]}
    assert (entry.after, entry.actor_name, entry.token_issuer) == ({"n": 0, **tombstones}, "erased", "erased")
    result = await verdict(resources.database, tenant)
    assert (result.findings, result.erased) == ([], 1)


ITS_VALUES = "organization_id = %(tenant)s and path = '/after/email_addresses/0'"
ITS_ENTRY = "organization_id = %(tenant)s and digests ? '/after/email_addresses/0'"


@pytest.mark.parametrize(
    "tampering",
    [
        f"update audit_values set value = 'eve@example.com' where {ITS_VALUES}",
        f"update audit_values set salt = sha256('x') where {ITS_VALUES}",
        f"update audit_values set path = '/after/phone' where {ITS_VALUES}",
        f"update audit_entries set digests = digests - '/after/email_addresses/0' where {ITS_ENTRY}",
        f"update audit_entries set digests = null where {ITS_ENTRY}",
        f"update audit_entries set actor_name = 'eve', actor_salt = null where {ITS_ENTRY}",
        f"update audit_entries set actor_salt = sha256('x') where {ITS_ENTRY}",
        f"""update audit_entries set after = '{{"n": 1e400}}' where {ITS_ENTRY}""",
        "update audit_seals set rule = 1 where organization_id = %(tenant)s and position ="
        " (select max(position) from audit_seals where organization_id = %(tenant)s)",
    ],
)
async def test_tampering_with_a_value_or_a_rule_is_found(
    resources: Resources, tenant: Tenant, superuser: psycopg.Connection, tampering: str
) -> None:
    await change(resources.database, tenant, **NAMES)
    await seal_all(resources.database, tenant)
    superuser.execute(tampering, {"tenant": tenant.id})
    result = await verdict(resources.database, tenant)
    assert [(finding.flaw, finding.position) for finding in result.findings] == [("Altered", result.head.position)]


def check_as_stranger(connection: psycopg.Connection, tenant: Tenant) -> None:
    """Check a chain with the program in the documentation; raises AssertionError."""
    page = (Path(__file__).parents[2] / "docs" / "audit.md").read_text()
    (program,) = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    stranger: dict[str, Any] = {}
    exec(program, stranger)
    stranger["check"](connection, tenant.id)


async def test_entries_of_earlier_releases_keep_their_rule_and_a_stranger_checks_all_others(
    resources: Resources, tenant: Tenant, superuser: psycopg.Connection
) -> None:
    earlier = "update audit_entries set digests = null, actor_salt = null where organization_id = %s"
    await change(resources.database, tenant, 2)
    superuser.execute("delete from audit_values where organization_id = %s", [tenant.id])
    superuser.execute(earlier, [tenant.id])
    await seal_all(resources.database, tenant)
    await change(resources.database, tenant, 2, **NAMES)
    await seal_all(resources.database, tenant)
    rules = "select distinct rule from audit_seals where organization_id = %s order by rule"
    assert superuser.execute(rules, [tenant.id]).fetchall() == [(1,), (2,)]
    # Seals of earlier releases have no rule.
    superuser.execute("update audit_seals set rule = null where rule = 1")
    assert (await verdict(resources.database, tenant)).findings == []
    check_as_stranger(superuser, tenant)


NEWEST = (
    "organization_id = %(tenant)s and id = (select entry_id from audit_seals where organization_id = %(tenant)s"
    " order by position desc limit 1 offset {})"
)
LAST = NEWEST.format(0)


@pytest.mark.parametrize(
    "tampering",
    [
        f"update audit_entries set action = 'Looked' where {LAST}",
        f"update audit_entries set actor_name = 'eve' where {LAST}",
        f"update audit_entries set actor_name = 'eve', actor_salt = null where {LAST}",
        f"update audit_values set value = 'eve@example.com' where {ITS_VALUES}",
        f"delete from audit_entries where {LAST}",
    ],
)
async def test_a_stranger_finds_tampering_with_a_shortened_log(
    resources: Resources, tenant: Tenant, superuser: psycopg.Connection, tampering: str
) -> None:
    await change(resources.database, tenant, 3, **NAMES)
    await seal_all(resources.database, tenant)
    # As retention and an erasure do.
    superuser.execute(
        "with first as (delete from audit_seals where organization_id = %s and position = 1 returning *)"
        " insert into audit_stubs select organization_id, position, digest, now() from first",
        [tenant.id],
    )
    erasure = f"update audit_entries set actor_name = 'erased', actor_salt = null where {NEWEST.format(1)}"
    superuser.execute(erasure, {"tenant": tenant.id})
    check_as_stranger(superuser, tenant)
    with superuser.transaction():
        superuser.execute("set local session_replication_role = replica")  # no foreign key stops a superuser
        superuser.execute(tampering, {"tenant": tenant.id})
    with pytest.raises(AssertionError):
        check_as_stranger(superuser, tenant)
