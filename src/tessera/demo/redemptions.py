"""The redemptions of a demonstration organization, created by the services behind the storefront API."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from tessera.codes.rules import ProductChoice
from tessera.demo.organizations import METADATA
from tessera.kit.db.unit_of_work import UnitOfWork
from tessera.kit.errors import DomainError
from tessera.record_metadata import service as record_metadata
from tessera.record_metadata.service import Kind
from tessera.redemptions import redeem
from tessera.redemptions.drafts import Candidate, RedemptionDraft
from tessera.redemptions.lifecycle import Redemption
from tessera.redemptions.reservations import service as reservations
from tessera.redemptions.rules import MAX_HOLD_SECONDS
from tessera.vouchers.rules import ReservationStatus

ADA = Candidate(
    person_id="P-4711", client_candidate_id="C-17", first_name="Ada", last_name="Byron", email="ada@example.com"
)
GRACE = Candidate(
    person_id="P-4712", client_candidate_id="C-18", first_name="Grace", last_name="Hopper", email="grace@example.com"
)
EXAM = ProductChoice(store_exam_code="NCA-GENL")

# The final statuses of some bookings; all others are still open.
FINAL_STATUSES = {
    "RSV-COMPLETED": ReservationStatus.COMPLETED,
    "RSV-CANCELLED": ReservationStatus.CANCELLED,
    "RSV-1003": ReservationStatus.NO_SHOW,
    "RSV-1004": ReservationStatus.CANCELLED,
}


async def load(work: UnitOfWork, *, now: datetime) -> None:
    """Redeem vouchers and promo codes five days ago, change some of them a day ago, and place one long hold."""
    redemption, *_ = await _redeem(work, list(_bookings()), now=now - timedelta(days=5))
    await record_metadata.replace(work, Kind.REDEMPTION, redemption.id, METADATA, now=now - timedelta(days=5))
    for code, status in FINAL_STATUSES.items():
        await reservations.change(work, code, status, new_code=None, caller=None, now=now - timedelta(days=1))
    hold = replace(_booking("ONHOLD", "RSV-1007", GRACE), hold=timedelta(seconds=MAX_HOLD_SECONDS))
    await _redeem(work, [hold], now=now)


async def _redeem(work: UnitOfWork, drafts: Sequence[RedemptionDraft], *, now: datetime) -> list[Redemption]:
    redemptions = []
    for result in await redeem.redeem_all(work, drafts, now=now):
        if isinstance(result, DomainError):
            raise result
        redemptions.append(result)
    return redemptions


def _bookings() -> Iterator[RedemptionDraft]:
    for state in ("RESERVED", "COMPLETED", "CANCELLED"):
        yield _booking(f"SPRING-{state}", f"RSV-{state}", ADA)
    yield _booking("WELCOME", "RSV-1001", ADA)
    yield _booking("WELCOME", "RSV-1002", GRACE)
    yield _booking("PER10", "RSV-1003", GRACE)
    yield _booking("WELCOME", "RSV-1004", GRACE)
    yield _booking("LASTONE", "RSV-1005", ADA)
    yield _booking("GLOBAL5", "RSV-1006", ADA)


def _booking(code: str, reservation_code: str, candidate: Candidate) -> RedemptionDraft:
    return RedemptionDraft(code=code, reservation_code=reservation_code, product=EXAM, candidate=candidate, hold=None)
