"""What the management of promo codes reads and answers."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from pydantic import Field

from tessera.api.http.fields import Boolean, Instant, Money, RequestModel, Text, Texts, Uuid, Uuids, WholeNumber, choice
from tessera.api.management.serialization import Representation
from tessera.api.serving.cursor_pages import CursorQuery
from tessera.promo_codes.rules import Kind, Status

StatusChoice = Annotated[Status, *choice(Status)]
KindChoice = Annotated[Kind, *choice(Kind)]


class PromoCodeExportQuery(RequestModel):
    """Query of GET /management/v1/exports/promo-codes."""

    name: Text | None = Field(None, description="The code of this name, in any case.", examples=["PER10"])
    status: StatusChoice | None = Field(None, description="Those of this status.", examples=["Active"])
    kind: KindChoice | None = Field(None, description="Percentages, or flat amounts.", examples=["Flat"])
    store_exam_code: Text | None = Field(
        None, description="Those that name this exam, in any case.", examples=["NCA-GENL"]
    )
    product_bundle_id: Uuid | None = Field(
        None, description="Those that name this bundle.", examples=["01906a6e-0000-7000-8000-000000000002"]
    )
    batch_id: Uuid | None = Field(
        None, description="Those of this batch.", examples=["01906a6e-0000-7000-8000-000000000003"]
    )


class PromoCodeQuery(PromoCodeExportQuery, CursorQuery):
    """Query of GET /management/v1/promo-codes."""


class PromoCodeTermsRequest(RequestModel):
    """What promo codes give: percent or flat amount, where, until when and how often."""

    discount_percent: WholeNumber | None = Field(
        None, description="1 to 100; either this or a flat amount.", json_schema_extra={"minimum": 1, "maximum": 100}
    )
    flat_discount: Money | None = Field(None, description="What it takes off, in dollars; either this or a percentage.")
    store_exam_codes: Texts | None = Field(
        None, description="The exams that it is for. Without exams and bundles: for all."
    )
    product_bundle_ids: Uuids | None = Field(
        None, description="The bundles that it is for. Without exams and bundles: for all."
    )
    expires_at: Instant | None = Field(
        None, description="The first moment at which it is good no more; never unless given."
    )
    max_redemptions: WholeNumber | None = Field(
        None, description="Uses in total; no limit unless given. Fixed: whether there is one."
    )
    max_redemptions_per_candidate: WholeNumber | None = Field(
        None, description="Uses of each candidate; no limit unless given."
    )
    notes: Text | None = Field(None, description="For your own people, up to 256 characters.")


class PromoCodeUpdateRequest(PromoCodeTermsRequest):
    """Body of PUT /management/v1/promo-codes/{promoCodeId}."""

    email_addresses: Texts | None = Field(None, description="The addresses of those who may use it, up to 10,000.")
    restrict_to_email_addresses: Boolean | None = Field(
        None, description="Whether only the listed addresses may use it."
    )


class PromoCodeCreateRequest(PromoCodeUpdateRequest):
    """Body of POST /management/v1/promo-codes."""

    name: Text = Field(
        description="3 to 25 letters and digits, unique in any case, for ever.",
        json_schema_extra={"minLength": 3, "maxLength": 25, "pattern": "^[A-Za-z0-9]+$"},
    )
    is_active: Boolean | None = Field(None, description="Whether it can be used at once; false unless given.")


class ManagedPromoCodeModel(Representation):
    """A promo code of any kind; what it does not have is absent."""

    id: UUID = Field(description="Its id.")
    name: str = Field(description="Its own for ever.")
    status: str = Field(description="`Inactive`, `Active`, or `Archived` for ever.")
    discount_percent: int | None = Field(None, description="1 to 100.")
    flat_discount: float | None = Field(None, description="In dollars.")
    store_exam_codes: list[str] = Field(description="The exams that it is for.")
    product_bundle_ids: list[UUID] = Field(description="The bundles that it is for.")
    restrict_to_email_addresses: bool = Field(description="Whether only the listed addresses may use it.")
    email_addresses: list[str] | None = Field(None, description="Who may use it; absent in lists.")
    expires_at: datetime | None = Field(None, description="The first moment at which it is good no more, UTC.")
    max_redemptions: int | None = Field(None, description="Uses in total.")
    max_redemptions_per_candidate: int | None = Field(None, description="Uses of each candidate.")
    redemption_count: int = Field(description="Uses so far, of a code with a limit in total.")
    notes: str | None = Field(None, description="For your own people.")
    batch_id: UUID | None = Field(None, description="The batch that it was made in.")
    created_at: datetime = Field(description="When it was made, UTC.")
    version: int = Field(description="Raised by each change; the `ETag` too.")


class ManagedPromoCodeSlice(Representation):
    """A part of the promo codes."""

    data: list[ManagedPromoCodeModel] = Field(description="Promo codes without their addresses, oldest first.")
    next_link: str | None = Field(description="The next part; null at the end.")


UPDATE = {
    "discountPercent": 10,
    "storeExamCodes": ["NCA-GENL"],
    "expiresAt": "2030-01-01T00:00:00Z",
    "maxRedemptions": 100,
    "maxRedemptionsPerCandidate": 1,
    "emailAddresses": ["ada@example.com"],
    "restrictToEmailAddresses": True,
    "notes": "Spring campaign",
}
CREATE = {"name": "SPRING10", "isActive": True, **UPDATE}
LISTED_PROMO_CODE = {
    "id": "01906a6e-0000-7000-8000-000000000001",
    "name": "SPRING10",
    "status": "Active",
    "discountPercent": 10,
    "storeExamCodes": ["NCA-GENL"],
    "productBundleIds": [],
    "restrictToEmailAddresses": True,
    "expiresAt": "2030-01-01T00:00:00Z",
    "maxRedemptions": 100,
    "maxRedemptionsPerCandidate": 1,
    "redemptionCount": 0,
    "notes": "Spring campaign",
    "createdAt": "2026-01-01T00:00:00Z",
    "version": 1,
}
PROMO_CODE = LISTED_PROMO_CODE | {"emailAddresses": ["ada@example.com"]}
