"""The demonstration data is created through the services, so that all counters agree with the ledger."""

from collections.abc import AsyncIterator
from datetime import UTC, timedelta
from typing import Any
from uuid import UUID

import pytest
from tests.demo.conftest import Demonstration, load_into

from tessera.demo.organizations import ORGANIZATIONS
from tessera.identity import provisioning
from tessera.identity.rules import PLATFORM_ID
from tessera.kit.db.database import Database
from tessera.redemptions import lifecycle
from tessera.redemptions.ledger import service as ledger
from tessera.redemptions.lifecycle import RedemptionFilter
from tessera.redemptions.rules import RedemptionStatus
from tessera.vouchers.issued import service as vouchers
from tessera.vouchers.issued.service import VoucherFilter

NAMES = [each.name for each in ORGANIZATIONS]


@pytest.fixture
async def database(demonstration: Demonstration) -> AsyncIterator[Database]:
    result = Database(demonstration.addresses.application)
    yield result
    await result.close()


async def ids_by_name(database: Database) -> dict[str, UUID]:
    async with database.unit_of_work(PLATFORM_ID) as work:
        return {each.name: each.id for each in await provisioning.list_organizations(work)}


async def verify(database: Database, organization_id: UUID) -> ledger.Verdict:
    async with database.unit_of_work(organization_id) as work:
        return await ledger.verify(work)


async def test_the_ledger_agrees_with_all_that_is_shown(database: Database) -> None:
    ids = await ids_by_name(database)
    result = {name: await verify(database, id_) for name, id_ in ids.items()}
    assert sorted(result) == sorted([*NAMES, "Platform"])
    assert {name: list(each.discrepancies) for name, each in result.items()} == {name: [] for name in result}
    # Ten redemptions, two of them cancelled.
    assert {name: (result[name].redemptions, result[name].entries) for name in NAMES} == dict.fromkeys(NAMES, (10, 12))


@pytest.mark.parametrize("name", NAMES)
async def test_vouchers_are_shown_in_every_state_of_the_document(
    demonstration: Demonstration, database: Database, name: str
) -> None:
    used = {
        "used_at": (demonstration.loaded_at - timedelta(days=5)).replace(microsecond=0).astimezone(UTC),
        "used_by_person_id": "P-4711",
        "used_by_client_candidate_id": "C-17",
        "used_by_first_name": "Ada",
        "used_by_last_name": "Byron",
    }
    async with database.unit_of_work((await ids_by_name(database))[name]) as work:
        part = await vouchers.list_by_cursor(
            work, filters=VoucherFilter(store_exam_code="NCA-GENL"), after=None, size=100
        )
    assert {each.code: states(each) for each in part.items} == {
        "SPRING-RESERVED": ("RSV-RESERVED", "Created", True, used),
        "SPRING-COMPLETED": ("RSV-COMPLETED", "Completed", True, used),
        "SPRING-CANCELLED": ("RSV-CANCELLED", "Cancelled", False, dict.fromkeys(used)),
    }


def states(voucher: vouchers.Voucher) -> tuple[Any, ...]:
    fields = [field for field in vouchers.Voucher.__dataclass_fields__ if field.startswith("used_")]
    used = {field: getattr(voucher, field) for field in fields}
    return voucher.reservation_code, voucher.reservation_status, voucher.is_used, used


async def test_one_code_is_held_for_a_week(demonstration: Demonstration, database: Database) -> None:
    filters = RedemptionFilter(status=RedemptionStatus.HELD)
    async with database.unit_of_work((await ids_by_name(database))[NAMES[0]]) as work:
        held = await lifecycle.list_by_cursor(work, filters, now=demonstration.loaded_at, after=None, size=10)
    until = (demonstration.loaded_at + timedelta(days=7)).replace(microsecond=0)
    assert [(each.code, each.held_until) for each in held.items] == [("ONHOLD", until)]


async def test_loading_once_more_changes_nothing(demonstration: Demonstration, database: Database) -> None:
    before = [await verify(database, id_) for id_ in (await ids_by_name(database)).values()]
    again = await load_into(demonstration.addresses, demonstration.directory, now=demonstration.loaded_at)
    assert again == demonstration.credentials
    assert [await verify(database, id_) for id_ in (await ids_by_name(database)).values()] == before
