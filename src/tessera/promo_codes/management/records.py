"""Promo codes of every kind, and filters of them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from tessera.kit.normalization import folded, stored_name
from tessera.promo_codes.rules import Kind, PromoCodeTerms, Status
from tessera.record_metadata.rules import KeyAndText


@dataclass(frozen=True, slots=True, kw_only=True)
class ManagedFilter:
    """Filters of promo codes; None matches every code."""

    name: str | None = None
    status: Status | None = None
    kind: Kind | None = None
    store_exam_code: str | None = None
    product_bundle_id: UUID | None = None
    batch_id: UUID | None = None
    campaign: str | None = None
    metadata: KeyAndText | None = None

    @property
    def campaign_key(self) -> str | None:
        """The key of the campaign."""
        return None if self.campaign is None else folded(stored_name(self.campaign))

    @property
    def ordered(self) -> dict[str, str]:
        """The filters by the leading columns of the index for the list, in the order of the index."""
        if self.campaign_key is not None:
            return {"campaign_key": self.campaign_key}
        states = {"status": self.status, "kind": self.kind}
        return {name: value for name, value in states.items() if value is not None}


@dataclass(frozen=True, slots=True, kw_only=True)
class ManagedPromoCode(PromoCodeTerms):
    """A promo code of any kind; `email_addresses` is None in lists, because a code can have thousands of them."""

    id: UUID
    name: str
    status: Status
    store_exam_codes: Sequence[str]
    product_bundle_ids: Sequence[UUID]
    restrict_to_email_addresses: bool
    email_addresses: Sequence[str] | None = None
    redemption_count: int
    batch_id: UUID | None
    created_at: datetime
    version: int
