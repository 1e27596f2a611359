"""Redemption and holding of codes; one transaction decides a whole batch of requests."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from uuid import UUID

from tessera.catalog import service as catalog
from tessera.catalog.service import Product
from tessera.codes.rules import ProductChoice, Use
from tessera.kit.db.bulk_insert import row_of
from tessera.kit.db.compiled_queries import run_together
from tessera.kit.db.unit_of_work import UnitOfWork
from tessera.kit.errors import Conflict, DomainError, Invalid, TransactionAborted, Violation, summary_of
from tessera.kit.identifiers import new_id
from tessera.kit.normalization import key_of
from tessera.promo_codes.uses.service import StorefrontPromoCode
from tessera.redemptions import combining, lifecycle, lookup, rules, transitions, validate
from tessera.redemptions.drafts import RedemptionDraft
from tessera.redemptions.lookup import StorefrontCode
from tessera.redemptions.records import Redemption
from tessera.redemptions.repository import RedemptionRepository
from tessera.redemptions.reservations.repository import Reservation, ReservationRepository
from tessera.redemptions.rules import RedemptionStatus
from tessera.redemptions.transitions import Change
from tessera.vouchers.issued.uses.service import StorefrontVoucher
from tessera.vouchers.rules import ReservationStatus


class NotRedeemable(DomainError):
    """The code cannot be used; `violations` has every reason."""

    def __init__(self, violations: Sequence[Violation]) -> None:
        super().__init__("The code cannot be redeemed.")
        self.violations = tuple(violations)

    @property
    def cause(self) -> str:
        """The reasons."""
        return summary_of(self.violations)


async def redeem_all(
    work: UnitOfWork, drafts: Sequence[RedemptionDraft], *, now: datetime
) -> list[Redemption | DomainError]:
    """Redeem or hold codes as separate calls in this order would; errors are returned as results and not raised.

    If the reservation uses the code already, the result is the existing redemption; a draft without a hold redeems it
    if it is held. Errors are NotRedeemable, Invalid for an unknown product, and Conflict if another credential uses the
    code for the reservation.
    """
    batch = await _RedemptionBatch.open(work, drafts, now=now)
    await batch.find_codes()
    results = [batch.decide(position, draft) for position, draft in enumerate(drafts)]
    await batch.write()
    return results


@dataclass(slots=True)
class _RedemptionBatch:
    """The state of one transaction that decides drafts one after the other.

    The lock order is reservations, promo codes, vouchers, purchases. Reads follow their lock in a separate statement,
    which sees everything committed before the lock was granted.
    """

    work: UnitOfWork
    drafts: Sequence[RedemptionDraft]
    now: datetime
    products: dict[ProductChoice, Product]
    reservations: dict[str, Reservation]
    live: dict[tuple[str, str], Redemption]
    lapsed_holds: dict[tuple[str, str], Redemption]
    codes: dict[int, StorefrontCode] = field(default_factory=dict)
    new_reservations: list[Reservation] = field(default_factory=list)
    new_changes: list[Change] = field(default_factory=list)
    uses: Counter[UUID] = field(default_factory=Counter)
    uses_by_person: Counter[tuple[UUID, str]] = field(default_factory=Counter)
    used_vouchers: dict[UUID, Redemption] = field(default_factory=dict)

    @classmethod
    async def open(cls, work: UnitOfWork, drafts: Sequence[RedemptionDraft], *, now: datetime) -> "_RedemptionBatch":
        """Lock the reservations of the drafts, and load their redemptions."""
        repository, reservation_repository = RedemptionRepository(work), ReservationRepository(work)
        codes = {draft.reservation_code for draft in drafts}
        _, reservations, existing, products = await run_together(
            work.connection,
            reservation_repository.locking(codes),
            reservation_repository.finding(codes),
            repository.finding_live(codes),
            catalog.finding_products(work, {draft.product for draft in drafts}),
        )
        by_key = {(each.reservation_code, key_of(each.code)): each for each in existing}
        lapsed = {key: each for key, each in by_key.items() if lifecycle.as_of(each, now=now).status not in rules.LIVE}
        return cls(
            work=work,
            drafts=drafts,
            now=now,
            products=products,
            reservations=reservations,
            live={key: each for key, each in by_key.items() if key not in lapsed},
            lapsed_holds=lapsed,
        )

    async def find_codes(self) -> None:
        """Lock and load the codes of the drafts that have no redemption yet, and lock those of holds to redeem."""
        positions = [
            position
            for position, draft in enumerate(self.drafts)
            if draft.product in self.products and draft.key not in self.live
        ]
        # A lapsed hold that a draft replaces may be of another code with the same text, which must be locked as well.
        keys = {self.drafts[position].key for position in positions}
        holds = self._holds_to_redeem()
        others = [*(each for key, each in self.lapsed_holds.items() if key in keys), *holds]
        if not positions and not others:
            return
        matches = await lookup.lock_codes(
            self.work,
            [(self.drafts[position].code, self._use(self.drafts[position])) for position in positions],
            promo_code_ids=[each.promo_code_id for each in others if each.promo_code_id is not None],
            voucher_codes=[each.code for each in others if each.voucher_id is not None],
            now=self.now,
        )
        self.codes = {positions[number]: code for number, code in matches.items()}
        if holds and await RedemptionRepository(self.work).find_all([each.id for each in holds]) != holds:
            raise TransactionAborted  # Another transaction, whose clock is ahead, has expired a hold.

    def _holds_to_redeem(self) -> list[Redemption]:
        keys = {draft.key for draft in self.drafts if draft.hold is None}
        holds = [each for key, each in self.live.items() if key in keys and each.status is RedemptionStatus.HELD]
        return sorted(holds, key=lambda each: (each.created_at, each.id))

    def _use(self, draft: RedemptionDraft) -> Use:
        product, candidate = self.products[draft.product], draft.candidate
        return Use(product.store_exam_id, product.product_bundle_id, True, candidate.email, candidate.person_id)  # noqa: FBT003

    def decide(self, position: int, draft: RedemptionDraft) -> Redemption | DomainError:
        """The redemption of a draft, or the error that prevents it."""
        product = self.products.get(draft.product)
        if product is None:
            return Invalid([validate.product_not_found(draft.product)])
        code = self.codes.get(position)
        # The text of the draft may be another spelling of the code.
        spelled_key = (draft.reservation_code, key_of(validate.name_of(code))) if code else draft.key
        if existing := self.live.get(draft.key) or self.live.get(spelled_key):
            return self._repeat(existing, draft, product)
        live = [each for key, each in self.live.items() if key[0] == draft.reservation_code]
        reservation = self.reservations.get(draft.reservation_code)
        reasons = combining.reservation_reasons(
            reservation.status if reservation else None, live, product, draft.candidate.person_id
        )
        assessment = validate.assess(
            draft.code,
            self._with_batch_uses(code, draft),
            list_price=combining.list_price(live, product),
            now=self.now,
            live=[] if reasons else live,
        )
        reasons += map(_at_candidate, assessment.reasons)
        if reasons or code is None:
            return NotRedeemable(reasons)
        owner_id = code.owner_id if isinstance(code, StorefrontPromoCode) else None
        if violations := rules.too_long_hold(draft.hold, code_owner_id=owner_id):
            return Invalid(violations)
        redemption = self._redemption(draft, product, code, assessment)
        self._note_use(redemption, draft)
        return redemption

    def _repeat(self, existing: Redemption, draft: RedemptionDraft, product: Product) -> Redemption | DomainError:
        if not rules.may_see(draft.caller, existing.made_by):
            return Conflict(f"Another credential has used this code for the reservation {draft.reservation_code}.")
        if combining.differs(existing, product, draft.candidate.person_id):
            return NotRedeemable([combining.DIFFERS])
        if draft.hold is not None or existing.status is not RedemptionStatus.HELD:
            return existing
        status, caller_id = RedemptionStatus.REDEEMED, rules.id_of(draft.caller)
        change = transitions.status_change(existing, status, caller_id=caller_id, now=self.now)
        self._note(change)
        return change.redemption

    def _with_batch_uses(self, code: StorefrontCode | None, draft: RedemptionDraft) -> StorefrontCode | None:
        # The uses of earlier drafts in the batch are not in the database yet.
        match code:
            case StorefrontPromoCode():
                usability, person = code.usability, (code.id, draft.candidate.person_id)
                uses = usability.candidate_uses
                usability = replace(
                    usability,
                    held_count=usability.held_count + self.uses[code.id],
                    organization_uses=usability.organization_uses + self.uses[code.id],
                    candidate_uses=None if uses is None else uses + self.uses_by_person[person],
                )
                return code._replace(usability=usability)
            case StorefrontVoucher() if redemption := self.used_vouchers.get(code.id):
                is_used = redemption.status is RedemptionStatus.REDEEMED
                after_use = replace(code.usability, is_used=is_used, held_until=redemption.held_until)
                return code._replace(usability=after_use)
            case _:
                return code

    def _redemption(
        self, draft: RedemptionDraft, product: Product, code: StorefrontCode, assessment: validate.Assessment
    ) -> Redemption:
        reservation = self._reservation(draft.reservation_code)
        promo_code = code if isinstance(code, StorefrontPromoCode) else None
        voucher = code if isinstance(code, StorefrontVoucher) else None
        return Redemption(
            id=new_id(),
            reservation_id=reservation.id,
            reservation_code=reservation.code,
            reservation_status=reservation.status,
            code=assessment.code,
            promo_code_owner_id=promo_code and promo_code.owner_id,
            promo_code_id=promo_code and promo_code.id,
            voucher_id=voucher and voucher.id,
            purchase_id=voucher and voucher.purchase_id,
            partner_id=voucher and voucher.partner_id,
            store_exam_id=product.store_exam_id,
            store_exam_code=product.store_exam_code,
            product_bundle_id=product.product_bundle_id,
            **row_of(draft.candidate),
            list_price=assessment.price.list_price,
            discount=assessment.price.discount,
            earlier_discounts=assessment.price.earlier_discounts,
            is_combinable=promo_code is not None and promo_code.is_combinable,
            made_by=None if draft.caller is None else draft.caller.family_id,
            status=RedemptionStatus.HELD if draft.hold else RedemptionStatus.REDEEMED,
            held_until=self.now + draft.hold if draft.hold else None,
            changes=1,
            created_at=self.now,
            updated_at=self.now,
        )

    def _reservation(self, code: str) -> Reservation:
        if code not in self.reservations:
            self.reservations[code] = Reservation(
                id=new_id(),
                code=code,
                status=ReservationStatus.CREATED,
                rescheduled_from=None,
                created_at=self.now,
                updated_at=self.now,
            )
            self.new_reservations.append(self.reservations[code])
        return self.reservations[code]

    def _note_use(self, redemption: Redemption, draft: RedemptionDraft) -> None:
        self._note(Change(redemption, None, rules.id_of(draft.caller)))
        if redemption.promo_code_id is not None:
            self.uses[redemption.promo_code_id] += 1
            self.uses_by_person[redemption.promo_code_id, redemption.person_id] += 1

    def _note(self, change: Change) -> None:
        redemption = change.redemption
        self.new_changes.append(change)
        self.live[redemption.reservation_code, key_of(redemption.code)] = redemption
        if redemption.voucher_id is not None:
            self.used_vouchers[redemption.voucher_id] = redemption

    async def write(self) -> None:
        """Write the new redemptions, and expire the lapsed holds that they replace."""
        if not self.new_changes:
            return
        changes = [*await self._expirations(), *self.new_changes]
        await transitions.write(self.work, changes, reservations=self.new_reservations, now=self.now)

    async def _expirations(self) -> list[Change]:
        """The changes that expire lapsed holds of the codes in use now, except those that the lock has expired.

        Lapsed holds of other codes by the same reservation stay, because those codes are not locked.
        """
        keys = {(change.redemption.reservation_code, key_of(change.redemption.code)) for change in self.new_changes}
        ids = {each.id for key, each in self.lapsed_holds.items() if key in keys} | {
            code.held_by
            for code in self.codes.values()
            if isinstance(code, StorefrontVoucher) and code.held_by and code.id in self.used_vouchers
        } - {change.redemption.id for change in self.new_changes}
        return [
            transitions.status_change(each, RedemptionStatus.EXPIRED, caller_id=None, now=self.now)
            for each in (await RedemptionRepository(self.work).find_all(ids) if ids else [])
            if each.status is RedemptionStatus.HELD
        ]


def _at_candidate(reason: Violation) -> Violation:
    # A missing address is a violation of the candidate, not of the code.
    return replace(reason, field="candidate/email") if reason.code == "EmailRequired" else reason
