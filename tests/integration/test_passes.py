"""Periodic tasks: the work of many organizations in few transactions, in which none waits for or fails with another."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any
from uuid import UUID

import psycopg
import pytest
from benchmarks import organizations
from benchmarks.organizations import Kind, id_of
from tests.conftest import Clock
from tests.support.jobs import job_context
from tests.support.recording import record_statements
from tests.support.tenant_clauses import unchecked

from tessera.api.serving.resources import Resources
from tessera.audit.jobs import seal_audit
from tessera.identity.authentication.credentials import CredentialName
from tessera.identity.authentication.key_usage import KeyUses
from tessera.kit.db.advisory_locks import lock_number
from tessera.kit.db.compiled_queries import TextQuery
from tessera.kit.db.passes import Part, Progress, execute_parts, run_pass
from tessera.kit.db.unit_of_work import UnitOfWork
from tessera.kit.errors import DatabaseUnavailable
from tessera.provision import Addresses
from tessera.redemptions.jobs import expire_holds
from tessera.redemptions.reservations.repository import lock_number_of
from tessera.reports.jobs import roll_up_redemptions
from tessera.vouchers.jobs import expire_checkouts

COUNT = 3
IDS = [id_of(Kind.ORGANIZATION, number) for number in range(COUNT)]
UNDONE = """
select
  (select count(*) from audit_unsealed where organization_id = %(id)s),
  (select count(*) from redemptions where organization_id = %(id)s and status = 'Held'),
  (select count(*) from voucher_purchases where organization_id = %(id)s and status = 'CheckoutInProgress'),
  (select 1 - count(distinct day) from redemption_totals where organization_id = %(id)s),
  (select count(*) from api_keys where organization_id = %(id)s and last_used_at is null)
"""
LOCKS = """
insert into report_marks (organization_id, rolled_until) values (%(id)s, '0001-01-01') on conflict do nothing;
select from report_marks where organization_id = %(id)s for update;
select from voucher_purchases where organization_id = %(id)s for update;
select from api_keys where organization_id = %(id)s for update;
select pg_advisory_xact_lock(%(seals)s), pg_advisory_xact_lock(%(reservation)s)
"""
# The organization with unsealed entries, and the list of holds, are read again.
TRANSACTIONS = {"seals": 2, "holds": 3, "checkouts": 2, "roll-ups": 3, "uses": 1}


@pytest.fixture(scope="module")
def _loaded(addresses: Addresses) -> None:
    with psycopg.connect(addresses.owner.replace("+psycopg", ""), autocommit=True) as connection:
        organizations.load(connection, count=COUNT)


@pytest.fixture
def _work(_loaded: None, addresses: Addresses) -> None:
    with psycopg.connect(addresses.owner.replace("+psycopg", ""), autocommit=True) as connection:
        organizations.add_work(connection, count=COUNT)


@contextmanager
def locking(addresses: Addresses, organization_id: UUID) -> Iterator[None]:
    """Another transaction that has locked what each task needs of an organization."""
    values = {
        "id": organization_id,
        "seals": lock_number(f"audit/{organization_id}"),
        "reservation": lock_number_of(organization_id, "RSV"),
    }
    with psycopg.connect(addresses.owner.replace("+psycopg", "")) as rival:
        for statement in LOCKS.strip().split(";\n"):
            rival.execute(statement, values)
        yield


async def run_all(resources: Resources, clock: Clock) -> dict[str, int]:
    """Run every task; returns the number of transactions of each."""
    uses, transactions = KeyUses(), dict[str, int]()
    for number, id_ in enumerate(IDS):
        uses.note(CredentialName(id_, id_of(Kind.KEY, number)), now=clock.now)

    async def flush(*_: Any) -> None:
        await uses.flush(resources.database)

    tasks: tuple[Any, ...] = (seal_audit.func, expire_holds, expire_checkouts.func, roll_up_redemptions, flush)
    for name, task in zip(TRANSACTIONS, tasks, strict=True):
        with record_statements(resources.database) as statements:
            await task(job_context(resources, clock), 0)
        transactions[name] = sum(statement.text.startswith("BEGIN") for statement in statements)
    return transactions


def undone(superuser: psycopg.Connection) -> list[tuple[int, ...]]:
    """What each organization still has for each task."""
    return [superuser.execute(UNDONE, {"id": id_}).fetchall()[0] for id_ in IDS]


@pytest.mark.usefixtures("_work")
async def test_what_is_locked_is_left_for_the_next_pass_and_the_work_of_others_is_done_together(
    resources: Resources, superuser: psycopg.Connection, addresses: Addresses, clock: Clock
) -> None:
    clock.now = superuser.execute("select now()").fetchall()[0][0]
    sealed_next = (1, 0, 0, 0, 0)  # the entry of the expired checkout
    with locking(addresses, IDS[1]):
        await run_all(resources, clock)
        assert undone(superuser) == [sealed_next, (1, 1, 1, 1, 1), sealed_next]
    assert await run_all(resources, clock) == TRANSACTIONS
    await seal_audit.func(job_context(resources, clock), 0)
    assert undone(superuser) == [(0, 0, 0, 0, 0)] * COUNT


@pytest.mark.usefixtures("_loaded")
async def test_each_part_sees_its_own_organization_even_without_a_condition(resources: Resources) -> None:
    query = TextQuery("select organization_id from store_exams")
    async with resources.database.unit_of_work(UUID(int=0)) as work:
        with unchecked():
            rows = await execute_parts(work, [Part(each, query, {}) for each in [*IDS, *IDS]])
            assert not await (await (await work.driver_connection()).execute(query._text)).fetchall()
    assert [[row.organization_id for row in own] for own in rows] == [[each] for each in [*IDS, *IDS]]


@pytest.mark.usefixtures("_loaded")
async def test_work_that_fails_is_rolled_back_and_affects_no_other(
    resources: Resources, superuser: psycopg.Connection
) -> None:
    rename = TextQuery(
        "update organizations set name = name || %(suffix)s where id = %(id)s returning 1 / %(divisor)s::int"
    )

    async def execute(work: UnitOfWork, group: Sequence[UUID]) -> dict[UUID, Progress]:
        values = {each: {"id": each, "suffix": "!", "divisor": int(each != IDS[2])} for each in group}
        await execute_parts(work, [Part(each, rename, own) for each, own in values.items()])
        return dict.fromkeys(group, Progress(1))

    counts = await run_pass(resources.database, IDS, execute, task="rename")
    names = superuser.execute(
        "select right(name, 1) from organizations where id = any (%s) order by id", [IDS]
    ).fetchall()
    assert (counts, [name for (name,) in names]) == ({IDS[0]: 1, IDS[1]: 1}, ["!", "!", "2"])


@pytest.mark.usefixtures("_loaded")
async def test_a_lost_connection_is_an_unavailable_database_as_for_any_transaction(resources: Resources) -> None:
    async def lose_connection(work: UnitOfWork, group: Sequence[UUID]) -> dict[UUID, Progress]:
        await work.connection.exec_driver_sql("select pg_terminate_backend(pg_backend_pid())")
        return dict.fromkeys(group, Progress(1))

    with pytest.raises(DatabaseUnavailable):
        await run_pass(resources.database, IDS, lose_connection, task="test")
