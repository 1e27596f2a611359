"""Redemptions, entries of their ledger, and filters of redemptions."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from tessera.record_metadata.rules import KeyAndText
from tessera.redemptions.rules import RedemptionStatus
from tessera.vouchers import codes
from tessera.vouchers.rules import ReservationStatus


@dataclass(frozen=True, slots=True, kw_only=True)
class Redemption:
    """A use of a promo code or a voucher for a reservation; `changes` is the number of its ledger entries.

    `made_by` is the credential that made it, or the first key of its series if it was a rotated key; None if no
    credential made it, or a release that did not record it. `earlier_discounts` is the sum of the discounts of the
    reservation's earlier codes. `is_combinable` says whether its code was combinable when it was made.
    """

    id: UUID
    reservation_id: UUID
    reservation_code: str
    reservation_status: ReservationStatus
    code: str
    promo_code_owner_id: UUID | None = None
    promo_code_id: UUID | None = None
    voucher_id: UUID | None = None
    purchase_id: UUID | None = None
    partner_id: UUID | None = None
    store_exam_id: UUID | None
    store_exam_code: str | None
    product_bundle_id: UUID | None
    person_id: str
    client_candidate_id: str
    first_name: str
    last_name: str
    email: str | None
    list_price: Decimal
    discount: Decimal
    earlier_discounts: Decimal
    is_combinable: bool
    made_by: UUID | None
    status: RedemptionStatus
    held_until: datetime | None
    changes: int
    created_at: datetime
    updated_at: datetime
    metadata: Mapping[str, str] | None = None

    @property
    def final_price(self) -> Decimal:
        """The amount to pay after the discounts of this code and of the earlier ones."""
        return self.list_price - self.earlier_discounts - self.discount

    @property
    def masked(self) -> "Redemption":
        """The redemption with the code of a voucher masked, also in the reservation code of an import."""
        if self.voucher_id is None:
            return self
        masked = codes.mask(self.code)
        return replace(self, code=masked, reservation_code=self.reservation_code.replace(self.code, masked))


@dataclass(frozen=True, slots=True, kw_only=True)
class NewLedgerEntry:
    """A ledger entry to append: change `number` of a redemption."""

    redemption_id: UUID
    number: int
    status: RedemptionStatus
    redeemed_change: int
    held_change: int
    promo_code_owner_id: UUID | None
    promo_code_id: UUID | None
    voucher_id: UUID | None
    purchase_id: UUID | None
    partner_id: UUID | None
    code: str
    store_exam_id: UUID | None
    product_bundle_id: UUID | None
    discount: Decimal
    caller_id: UUID | None
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class RedemptionFilter:
    """Filters of redemptions; None matches all. The period includes `created_from` and excludes `created_before`."""

    code: str | None = None
    reservation_code: str | None = None
    person_id: str | None = None
    status: RedemptionStatus | None = None
    created_from: datetime | None = None
    created_before: datetime | None = None
    made_by: UUID | None = None
    metadata: KeyAndText | None = None
