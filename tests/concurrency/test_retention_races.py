"""Redemptions are dropped while others redeem, cancel, rebuild and recount: every count is right at every moment."""

import asyncio
import random
from collections.abc import Awaitable, Callable
from datetime import timedelta
from uuid import UUID

import psycopg
from tests.conftest import NOW
from tests.support.factories import Tenant, add_promo_codes, percent_code
from tests.support.retaining import apply, keep

from tessera.api.serving.resources import Resources
from tessera.codes.rules import ProductChoice
from tessera.kit.db.database import Access
from tessera.kit.errors import NotFound, TransactionAborted, WrongState
from tessera.promo_codes.uses import service as uses
from tessera.redemptions import lifecycle, redeem
from tessera.redemptions.drafts import Candidate, RedemptionDraft
from tessera.redemptions.ledger import service as ledger
from tessera.redemptions.records import Redemption
from tessera.redemptions.reservations import service as reservations
from tessera.redemptions.rules import RedemptionStatus
from tessera.reports import service as reports
from tessera.vouchers.rules import ReservationStatus

LATE = NOW + timedelta(days=32)
CODES, RESERVATIONS, ROUNDS = ("LIMITED", "FREE"), 40, 40
ADA = Candidate(person_id="P", client_candidate_id="C", first_name="Ada", last_name="Byron", email=None)
# What a request may meet here.
EXPECTED = (NotFound, WrongState, TransactionAborted)


class Organization:
    """An organization whose requests are from a month ago; each method is one transaction, on random records."""

    def __init__(self, resources: Resources, tenant: Tenant, code_id: UUID) -> None:
        self.resources, self.tenant, self.code_id = resources, tenant, code_id
        self.random, self.ids, self.dropped = random.Random(19), list[UUID](), 0

    def _reservation(self) -> str:
        return f"RSV-{self.random.randrange(RESERVATIONS)}"

    async def redeem(self) -> None:
        draft = RedemptionDraft(
            code=self.random.choice(CODES),
            reservation_code=self._reservation(),
            product=ProductChoice(store_exam_code="NCA-GENL"),
            candidate=ADA,
            hold=self.random.choice([None, timedelta(minutes=5)]),
        )
        async with self.resources.database.unit_of_work(self.tenant.id) as work:
            (result,) = await redeem.redeem_all(work, [draft], now=NOW)
        if isinstance(result, Redemption):
            self.ids.append(result.id)

    async def change(self) -> None:
        status = self.random.choice([RedemptionStatus.CANCELLED, RedemptionStatus.RELEASED, RedemptionStatus.REDEEMED])
        async with self.resources.database.unit_of_work(self.tenant.id) as work:
            for redemption_id in self.ids[-1:]:
                await lifecycle.change(work, redemption_id, status, caller=None, now=NOW)

    async def end(self) -> None:
        status = self.random.choice([ReservationStatus.COMPLETED, ReservationStatus.CANCELLED])
        async with self.resources.database.unit_of_work(self.tenant.id) as work:
            await reservations.change(work, self._reservation(), status, new_code=None, caller=None, now=NOW)

    async def drop(self) -> None:
        self.dropped += await apply(self.resources, self.tenant, now=LATE)

    async def rebuild(self) -> None:
        async with self.resources.database.unit_of_work(self.tenant.id) as work:
            await uses.recount(work, self.code_id, as_of=NOW)
            await reports.include_late(work, [NOW.date()])
            await reports.rebuild(work, now=LATE)

    async def verify(self) -> None:
        async with self.resources.database.unit_of_work(self.tenant.id, access=Access.SNAPSHOT) as work:
            assert (await ledger.verify(work)).discrepancies == []


async def repeat(act: Callable[[], Awaitable[None]]) -> None:
    for _ in range(ROUNDS):
        try:
            await act()
        except EXPECTED:
            continue


async def test_every_count_is_right_while_redemptions_are_dropped(
    resources: Resources, tenant: Tenant, superuser: psycopg.Connection
) -> None:
    free = percent_code(tenant, "FREE", max_redemptions=None)
    await add_promo_codes(resources, tenant, percent_code(tenant, "LIMITED", max_redemptions=10_000), free, now=NOW)
    await keep(resources, tenant, redemptions_after_months=1)
    superuser.execute("insert into report_marks values (%s, %s)", [tenant.id, NOW.date() + timedelta(days=1)])
    one = Organization(resources, tenant, free.id)
    acts = (one.redeem, one.redeem, one.change, one.end, one.end, one.drop, one.drop, one.rebuild, one.verify)
    await asyncio.gather(*map(repeat, acts))
    await one.rebuild()
    await one.verify()
    async with resources.database.unit_of_work(tenant.id) as work:
        assert await reports.list_discrepancies(work) == []
    assert one.dropped
