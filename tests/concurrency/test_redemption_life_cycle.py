"""The life cycle of redemptions, compared step by step with a simple model."""

import asyncio
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from functools import partial
from typing import Any, TypeVar, cast
from uuid import UUID

import hypothesis
import psycopg
import pytest
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from tests.conftest import NOW
from tests.support.factories import add_promo_codes, create_tenant, percent_code
from tests.support.voucher_factories import add_partner, add_program, add_purchase, add_vouchers, voucher

from tessera import main, provision, schema
from tessera.api.serving.resources import Resources
from tessera.codes.rules import ProductChoice
from tessera.kit.editing import Target
from tessera.kit.errors import Conflict, DomainError, Invalid, WrongState
from tessera.promo_codes.management import service as promo_codes
from tessera.provision import Addresses
from tessera.redemptions import lifecycle, validate
from tessera.redemptions import redeem as redeeming
from tessera.redemptions.drafts import Candidate, RedemptionDraft
from tessera.redemptions.expiry import service as expiry
from tessera.redemptions.ledger import service as ledger
from tessera.redemptions.lifecycle import RedemptionFilter
from tessera.redemptions.records import Redemption
from tessera.redemptions.redeem import NotRedeemable
from tessera.redemptions.reservations import service as reservations
from tessera.redemptions.reservations.service import ReservationNotFound
from tessera.redemptions.rules import RedemptionStatus
from tessera.redemptions.validate import PartialCandidate
from tessera.settings import Settings
from tessera.vouchers.rules import ReservationStatus

T = TypeVar("T")

# The limits in total, and for each candidate.
LIMITS: dict[str, tuple[int | None, int | None]] = {
    "TWO": (2, None),
    "BOTH": (3, 2),
    "EACH": (None, 1),
    "FREE": (None, None),
    "ALL": (None, None),
    "LATER": (2, None),
    "V1": (1, None),
    "V2": (1, None),
}
STARTS = {"LATER": NOW + timedelta(seconds=10)}
CHANGING = ("TWO", "BOTH", "FREE")
COMBINABLE = ("TWO", "FREE", "ALL")
PERCENT = {"ALL": 100}
PRICE, CENT = Decimal("100.00"), Decimal("0.01")
PERSONS = ("P-1", "P-2")
RESERVATIONS = ("R1", "R2", "R3")
NEW_CODES = ("R1", "R3", "N1", "N2", "N3")
EXAM = ProductChoice(store_exam_code="NCA-GENL")
LIVE = ("Held", "Redeemed")
ENDED = ("Completed", "NoShow", "Cancelled")


@dataclass(eq=False)
class ModelReservation:
    """A reservation in the model."""

    code: str
    status: str = "Created"
    before: str | None = None


@dataclass(eq=False)
class ModelRedemption:
    """A redemption in the model."""

    id: UUID
    booking: ModelReservation
    code: str
    person: str
    discount: Decimal
    status: str
    held_until: datetime | None
    created_at: datetime


@dataclass
class Model:
    """The expected state."""

    now: datetime = NOW
    bookings: dict[str, ModelReservation] = field(default_factory=dict)
    redemptions: list[ModelRedemption] = field(default_factory=list)
    shown: dict[str, ModelReservation] = field(default_factory=dict)
    limits: dict[str, tuple[int | None, int | None]] = field(default_factory=LIMITS.copy)

    def status(self, redemption: ModelRedemption) -> str:
        lapsed = redemption.status == "Held" and redemption.held_until is not None and self.now >= redemption.held_until
        return "Expired" if lapsed else redemption.status

    def live(self, code: str) -> list[ModelRedemption]:
        return [
            redemption for redemption in self.redemptions if redemption.code == code and self.status(redemption) in LIVE
        ]

    def left(self, code: str, person: str) -> int | None:
        total, each = self.limits[code]
        live = self.live(code)
        left = [] if total is None else [total - len(live)]
        left += [] if each is None else [each - sum(redemption.person == person for redemption in live)]
        return min(left) if left else None

    def reasons(self, code: str, person: str) -> list[str]:
        total, each = self.limits[code]
        live = self.live(code)
        if code in ("V1", "V2"):
            return ["Used" if self.status(redemption) == "Redeemed" else "Held" for redemption in live]
        not_started = ["NotStarted"] if self.now < STARTS.get(code, NOW) else []
        used_up = ["UsedUp"] if total is not None and len(live) >= total else []
        mine = sum(redemption.person == person for redemption in live)
        return not_started + used_up + (["UsedUpForCandidate"] if each is not None and mine >= each else [])

    def live_of(self, booking: ModelReservation | None) -> list[ModelRedemption]:
        return [each for each in self.redemptions if each.booking is booking and self.status(each) in LIVE]

    def reservation_reasons(self, booking: ModelReservation | None, person: str) -> list[str]:
        if booking and booking.status in ENDED:
            return ["ReservationEnded"]
        return ["ReservationDiffers"] if any(each.person != person for each in self.live_of(booking)) else []

    def combining_reasons(self, booking: ModelReservation | None, code: str) -> list[str]:
        live = self.live_of(booking)
        if not all(name in COMBINABLE for name in (code, *(each.code for each in live))):
            return ["NotCombinable"] if live else []
        return ["NothingLeftToPay"] if sum(each.discount for each in live) >= PRICE else []

    def discount(self, booking: ModelReservation, code: str) -> Decimal:
        left = PRICE - sum(each.discount for each in self.live_of(booking))
        percent = PERCENT.get(code, 10)
        return left if code in ("V1", "V2") else (left * percent / 100).quantize(CENT, rounding=ROUND_HALF_UP)

    def become(self, redemption: ModelRedemption, status: str) -> None:
        redemption.status = status
        if status == "Redeemed" and redemption.code in ("V1", "V2"):
            self.shown[redemption.code] = redemption.booking


@contextmanager
def domain_errors() -> Iterator[list[DomainError]]:
    """The domain error that the block raises, if any."""
    errors: list[DomainError] = []
    try:
        yield errors
    except (WrongState, Conflict, ReservationNotFound) as error:
        errors.append(error)


class LifeCycle(RuleBasedStateMachine):
    """Each step runs in the application and in the model, with equal results."""

    def __init__(self, loop: asyncio.AbstractEventLoop, resources: Resources, superuser: psycopg.Connection) -> None:
        super().__init__()
        self.loop, self.resources, self.superuser = loop, resources, superuser
        self.model = Model()

    def run(self, doing: Coroutine[Any, Any, T]) -> T:
        return self.loop.run_until_complete(doing)

    @initialize()
    def furnish(self) -> None:
        self.run(self._furnish())

    async def _furnish(self) -> None:
        self.tenant = tenant = await create_tenant(self.resources, now=NOW)
        codes = [
            percent_code(
                tenant,
                code,
                max_redemptions=total,
                max_redemptions_per_candidate=each,
                starts_at=STARTS.get(code),
                is_combinable=code in COMBINABLE,
                discount_percent=PERCENT.get(code, 10),
            )
            for code, (total, each) in LIMITS.items()
            if code not in ("V1", "V2")
        ]
        await add_promo_codes(self.resources, tenant, *codes, now=NOW)
        partner = await add_partner(self.resources, tenant, "Acme Corp")
        program = await add_program(self.resources, tenant, "Open")
        purchase = await add_purchase(self.resources, tenant, partner, program, "VP-1")
        await add_vouchers(self.resources, tenant, *(voucher(purchase, partner, code) for code in ("V1", "V2")))

    @rule(
        requests=st.lists(
            st.tuples(
                st.sampled_from(RESERVATIONS),
                st.sampled_from(list(LIMITS)),
                st.sampled_from(PERSONS),
                st.sampled_from([None, 10, 60]),
            ),
            min_size=1,
            max_size=3,
        )
    )
    def redeem(self, requests: list[tuple[str, str, str, int | None]]) -> None:
        """One request, or several concurrent ones."""
        drafts = [draft(*each) for each in requests]
        answers = self.run(self._redeem(drafts))
        for each, answer in zip(requests, answers, strict=True):
            self._redeemed(*each, answer=answer)

    async def _redeem(self, drafts: list[RedemptionDraft]) -> list[Redemption | DomainError]:
        async with self.resources.database.unit_of_work(self.tenant.id) as work:
            return await redeeming.redeem_all(work, drafts, now=self.model.now)

    def _redeemed(
        self, reservation: str, code: str, person: str, seconds: int | None, *, answer: Redemption | DomainError
    ) -> None:
        model, booking = self.model, self.model.bookings.get(reservation)
        known = [redemption for redemption in model.live(code) if redemption.booking is booking]
        reasons = model.reservation_reasons(booking, person)
        reasons += model.reasons(code, person) + ([] if reasons else model.combining_reasons(booking, code))
        if known and known[0].person == person:
            assert isinstance(answer, Redemption)
            if seconds is None:
                model.become(known[0], "Redeemed")
            assert (answer.id, answer.status) == (known[0].id, model.status(known[0]))
        elif known:
            assert isinstance(answer, NotRedeemable)
            assert [each.code for each in answer.violations] == ["ReservationDiffers"]
        elif reasons:
            assert isinstance(answer, NotRedeemable)
            assert [each.code for each in answer.violations] == reasons
        else:
            assert isinstance(answer, Redemption)
            booking = model.bookings.setdefault(reservation, ModelReservation(reservation))
            assert answer.discount == model.discount(booking, code)
            until = model.now + timedelta(seconds=seconds) if seconds else None
            result = ModelRedemption(answer.id, booking, code, person, answer.discount, "", until, model.now)
            model.redemptions.append(result)
            model.become(result, "Held" if seconds else "Redeemed")

    @precondition(lambda self: any(map(self.model.live, CHANGING)))
    @rule(data=st.data(), total=st.none() | st.integers(1, 3))
    def limit(self, data: st.DataObject, total: int | None) -> None:
        """Give a code in use a limit in total, change it, or take it away; the uses so far count."""
        code = data.draw(st.sampled_from([code for code in CHANGING if self.model.live(code)]))
        each = self.model.limits[code][1]
        is_possible = total is None or (total >= len(self.model.live(code)) and total >= (each or 0))
        errors = self.run(self._limit(code, total))
        assert bool(errors) is not is_possible
        assert set(errors) <= {"LimitBelowUses", "LimitAboveTotal"}
        if is_possible:
            self.model.limits[code] = total, each

    async def _limit(self, code: str, total: int | None) -> list[str]:
        try:
            async with self.resources.database.unit_of_work(self.tenant.id) as work:
                found = await promo_codes.get_by_name(work, code)
                draft = replace(promo_codes.as_draft(found), max_redemptions=total)
                await promo_codes.update(work, Target(found.id, found.version), draft=draft, now=self.model.now)
        except Invalid as error:
            return [each.code for each in error.violations]
        return []

    @precondition(lambda self: self.model.redemptions)
    @rule(data=st.data(), status=st.sampled_from(["Redeemed", "Released", "Cancelled"]))
    def change(self, data: st.DataObject, status: str) -> None:
        """Confirm, release or cancel."""
        result = data.draw(st.sampled_from(self.model.redemptions))
        current = self.model.status(result)
        allowed = {"Redeemed": "Held", "Released": "Held", "Cancelled": "Redeemed"}[status] == current
        with domain_errors() as errors:
            answer = self.run(self._change(result.id, RedemptionStatus(status)))
            assert (answer.id, answer.status) == (result.id, status)
        if not allowed and current != status:
            assert [error.state for error in errors if isinstance(error, WrongState)] == [current]
            return
        assert errors == []
        if allowed:
            self.model.become(result, status)

    async def _change(self, id_: UUID, status: RedemptionStatus) -> Redemption:
        async with self.resources.database.unit_of_work(self.tenant.id) as work:
            return await lifecycle.change(work, id_, status, caller=None, now=self.model.now)

    @rule(
        data=st.data(),
        status=st.sampled_from(["Rescheduled", "Rescheduled", "Completed", "NoShow", "Cancelled"]),
        new_code=st.none() | st.sampled_from(NEW_CODES),
    )
    def tell(self, data: st.DataObject, status: str, new_code: str | None) -> None:
        """Update the status of a reservation."""
        code = data.draw(st.sampled_from(sorted({*self.model.bookings, *RESERVATIONS})))
        new_code = new_code if status == "Rescheduled" else None
        latest_code, model = new_code or code, self.model
        moved = model.bookings.get(latest_code)
        booking = model.bookings.get(code) or (moved if moved and moved.before == code else None)
        with domain_errors() as errors:
            self.run(self._tell(code, ReservationStatus(status), new_code))
        if booking is None:
            assert [type(error) for error in errors] == [ReservationNotFound]
        elif booking.status in ENDED and booking.status != status:
            assert [error.state for error in errors if isinstance(error, WrongState)] == [booking.status]
        elif booking.code != latest_code and latest_code in model.bookings:
            assert [type(error) for error in errors] == [Conflict]
        else:
            assert errors == []
            self._update_model(booking, status, latest_code)

    def _update_model(self, booking: ModelReservation, status: str, code: str) -> None:
        if booking.code != code:
            booking.before = booking.code
            self.model.bookings[code] = self.model.bookings.pop(booking.code)
        booking.status, booking.code = status, code
        for redemption in self.model.redemptions:
            current = self.model.status(redemption)
            if status == "Cancelled" and redemption.booking is booking and current in ("Held", "Redeemed"):
                redemption.status = "Released" if current == "Held" else "Cancelled"

    async def _tell(self, code: str, status: ReservationStatus, new_code: str | None) -> None:
        async with self.resources.database.unit_of_work(self.tenant.id) as work:
            await reservations.change(work, code, status, new_code=new_code, caller=None, now=self.model.now)

    @rule(seconds=st.sampled_from([1, 5, 10, 60]))
    def pass_time(self, seconds: int) -> None:
        self.model.now += timedelta(seconds=seconds)

    @precondition(lambda self: self.model.redemptions)
    @rule()
    def expire(self) -> None:
        """Record expired holds, which must not change any visible result."""

        async def expire() -> None:
            async with self.resources.database.unit_of_work(self.tenant.id) as work:
                ids = [redemption.id for redemption in self.model.redemptions]
                await expiry.expire(work, {work.organization_id: ids}, now=self.model.now)

        self.run(expire())
        held = self.superuser.execute(
            "select count(*) from redemptions where organization_id = %s and status = 'Held'", [self.tenant.id]
        ).fetchone()
        assert held == (sum(self.model.status(redemption) == "Held" for redemption in self.model.redemptions),)

    @rule(
        status=st.none() | st.sampled_from(RedemptionStatus),
        code=st.none() | st.sampled_from(list(LIMITS)),
        person=st.none() | st.sampled_from(PERSONS),
        reservation=st.none() | st.sampled_from([*RESERVATIONS, *NEW_CODES]),
    )
    def list_redemptions(
        self, status: RedemptionStatus | None, code: str | None, person: str | None, reservation: str | None
    ) -> None:
        """All pages of two redemptions."""
        filters = RedemptionFilter(status=status, code=code, person_id=person, reservation_code=reservation)
        expected = [
            (redemption.id, self.model.status(redemption), redemption.booking.code)
            for redemption in sorted(
                self.model.redemptions, key=lambda redemption: (redemption.created_at, redemption.id)
            )
            if status in (None, self.model.status(redemption))
            and code in (None, redemption.code)
            and person in (None, redemption.person)
            and reservation in (None, redemption.booking.code)
        ]
        result = self.run(self._list(filters))
        assert [(each.id, each.status, each.reservation_code) for each in result] == expected

    async def _list(self, filters: RedemptionFilter) -> list[Redemption]:
        result: list[Redemption] = []
        async with self.resources.database.unit_of_work(self.tenant.id) as work:
            after, more = None, True
            while more:
                part = await lifecycle.list_by_cursor(work, filters, now=self.model.now, after=after, size=2)
                result += part.items
                after, more = part.cursor, part.cursor is not None
        return result

    @invariant()
    def no_use_is_lost_and_none_is_too_many(self) -> None:
        """Validation shows the remaining uses of the model, for each candidate."""
        for person in PERSONS:
            left = {code: self.model.left(code, person) for code in LIMITS}
            assert all(each is None or each >= 0 for each in left.values())
            result = self.run(self._validate(person))
            assert {each.code: each.remaining for each in result} == left
            for each in result:
                assert [reason.code for reason in each.reasons] == self.model.reasons(each.code, person)

    async def _validate(self, person: str) -> list[validate.Assessment]:
        asking = PartialCandidate(person, "ada@example.com")
        async with self.resources.database.unit_of_work(self.tenant.id) as work:
            return await validate.assess_all(work, list(LIMITS), product=EXAM, candidate=asking, now=self.model.now)

    @invariant()
    def all_that_is_shown_agrees_with_the_ledger(self) -> None:
        async def verify() -> ledger.Verdict:
            async with self.resources.database.unit_of_work(self.tenant.id) as work:
                return await ledger.verify(work)

        verdict = self.run(verify())
        assert (verdict.discrepancies, verdict.redemptions) == ([], len(self.model.redemptions))

    @invariant()
    def vouchers_show_their_latest_reservation(self) -> None:
        rows = self.superuser.execute(
            "select code, reservation_code, reservation_status from vouchers"
            " where organization_id = %s and reservation_code is not null",
            [self.tenant.id],
        )
        shown = {code: (booking.code, booking.status) for code, booking in self.model.shown.items()}
        assert {code: (reservation, status) for code, reservation, status in rows} == shown


def draft(reservation: str, code: str, person: str, seconds: int | None) -> RedemptionDraft:
    return RedemptionDraft(
        code=code,
        reservation_code=reservation,
        product=EXAM,
        candidate=Candidate(
            person_id=person, client_candidate_id="C-1", first_name="Ada", last_name="Byron", email="ada@example.com"
        ),
        hold=timedelta(seconds=seconds) if seconds else None,
    )


@pytest.mark.timeout(480)  # thousands of transactions take minutes on a busy machine
def test_whatever_is_done_in_whatever_order_the_application_and_the_model_agree(
    settings: Settings, addresses: Addresses, superuser: psycopg.Connection
) -> None:
    loop = asyncio.new_event_loop()
    resources = main.create_resources(
        settings, provision.create_pool(settings, addresses.application), schema_revision=schema.latest_revision()
    )
    try:
        run_state_machine_as_test(
            cast("type[LifeCycle]", partial(LifeCycle, loop, resources, superuser)),  # the function accepts any factory
            settings=hypothesis.settings(
                max_examples=25, stateful_step_count=30, deadline=None, derandomize=True, database=None
            ),
        )
    finally:
        loop.run_until_complete(resources.database.close())
        loop.close()
