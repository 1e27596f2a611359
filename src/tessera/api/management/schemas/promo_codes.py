"""Request and response models of promo codes."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from pydantic import Field
from pydantic.config import JsonDict

from tessera.api.http.fields import (
    Boolean,
    Instant,
    PositiveNumber,
    RequestModel,
    Text,
    Texts,
    Uuid,
    Uuids,
    WholeNumber,
    choice,
)
from tessera.api.http.metadata import EXAMPLE, FILTER, FILTER_EXAMPLES, METADATA, Metadata, MetadataFilter
from tessera.api.management.schemas.metadata import MetadataOf
from tessera.api.management.serialization import Representation
from tessera.api.serving.cursor_pages import CodeQuery
from tessera.api.vocabulary import PROMO_CODE_KIND, PROMO_CODE_STATUS
from tessera.promo_codes.rules import Kind, Status

StatusChoice = Annotated[Status, *choice(Status, PROMO_CODE_STATUS)]
_LIMIT: JsonDict = {"minimum": 1, "maximum": 1_000_000_000}
KindChoice = Annotated[Kind, *choice(Kind, PROMO_CODE_KIND)]


class PromoCodeExportQuery(RequestModel):
    """Query of GET /management/v1/exports/promo-codes."""

    name: Text | None = Field(
        None, description="Only the promo code with this name (not case-sensitive).", examples=["PER10"]
    )
    status: StatusChoice | None = Field(None, description="Only promo codes with this status.", examples=["Active"])
    kind: KindChoice | None = Field(None, description="Only percentages, or only flat amounts.", examples=["Flat"])
    store_exam_code: Text | None = Field(
        None, description="Only promo codes restricted to this exam (not case-sensitive).", examples=["NCA-GENL"]
    )
    product_bundle_id: Uuid | None = Field(
        None,
        description="Only promo codes restricted to this bundle.",
        examples=["01906a6e-0000-7000-8000-000000000002"],
    )
    batch_id: Uuid | None = Field(
        None, description="Only promo codes of this batch.", examples=["01906a6e-0000-7000-8000-000000000003"]
    )
    campaign: Text | None = Field(
        None, description="Only promo codes of this campaign (not case-sensitive).", examples=["Spring 2030"]
    )
    metadata: MetadataFilter | None = Field(None, description=FILTER, examples=FILTER_EXAMPLES)


class PromoCodeQuery(PromoCodeExportQuery, CodeQuery):
    """Query of GET /management/v1/promo-codes."""


class PromoCodeTermsRequest(RequestModel):
    """The terms of promo codes: the discount, and the restrictions of its use."""

    discount_percent: WholeNumber | None = Field(
        None,
        description="The discount in percent, 1 to 100; excludes a flat amount.",
        json_schema_extra={"minimum": 1, "maximum": 100},
    )
    flat_discount: PositiveNumber | None = Field(None, description="The discount in dollars; excludes a percentage.")
    store_exam_codes: Texts | None = Field(
        None,
        description="The exams to restrict the code to, by code. Without exams and bundles, it applies to all.",
    )
    product_bundle_ids: Uuids | None = Field(
        None,
        description="The bundles to restrict the code to, by id. Without exams and bundles, it applies to all.",
    )
    starts_at: Instant | None = Field(
        None, description="The time from which it can be used, before the expiry; default: at once."
    )
    expires_at: Instant | None = Field(None, description="The time of expiry; default: none.")
    max_redemptions: WholeNumber | None = Field(
        None,
        description="The maximum number of redemptions; default: no limit. A new limit counts all uses so far.",
        json_schema_extra=_LIMIT,
    )
    max_redemptions_per_candidate: WholeNumber | None = Field(
        None,
        description="The maximum number of redemptions by each candidate; default: no limit.",
        json_schema_extra=_LIMIT,
    )
    max_redemptions_per_organization: WholeNumber | None = Field(
        None,
        description="The maximum number of redemptions of a global code by each organization; only for codes of the"
        " platform. Default: half of `maxRedemptions`, rounded up; no limit without it.",
        json_schema_extra=_LIMIT,
    )
    is_combinable: Boolean | None = Field(
        None,
        description="Whether a reservation can use it together with other combinable promo codes; default: false.",
    )
    campaign: Text | None = Field(
        None,
        description="The campaign to which it belongs, up to 100 characters (not case-sensitive).",
        json_schema_extra={"maxLength": 100},
    )
    metadata: Metadata | None = Field(None, description=METADATA)
    notes: Text | None = Field(
        None, description="Internal notes, up to 256 characters.", json_schema_extra={"maxLength": 256}
    )


class ManagedPromoCodeUpdateRequest(PromoCodeTermsRequest):
    """Body of PUT /management/v1/promo-codes/{promoCodeId}."""

    email_addresses: Texts | None = Field(
        None,
        description="The addresses of the candidates that can use it, up to 10,000.",
        json_schema_extra={"maxItems": 10_000},
    )
    restrict_to_email_addresses: Boolean | None = Field(
        None, description="Whether only candidates with a listed address can use it."
    )


class ManagedPromoCodeCreateRequest(ManagedPromoCodeUpdateRequest):
    """Body of POST /management/v1/promo-codes."""

    name: Text = Field(
        description="The name: 3 to 25 letters and digits, unique (not case-sensitive) and permanent.",
        json_schema_extra={"minLength": 3, "maxLength": 25, "pattern": "^[A-Za-z0-9]+$"},
    )
    is_active: Boolean | None = Field(None, description="Whether the code is usable at once; default: false.")


class ManagedPromoCodeModel(Representation):
    """A promo code of any kind; fields without a value are absent."""

    id: UUID = Field(description="The unique identifier.")
    name: str = Field(description="The code (permanent).")
    status: Annotated[str, PROMO_CODE_STATUS] = Field(description="The current status.")
    discount_percent: int | None = Field(None, description="The discount in percent, 1 to 100.")
    flat_discount: float | None = Field(None, description="The discount in dollars.")
    store_exam_codes: list[str] = Field(description="The codes of the exams to which it is restricted.")
    product_bundle_ids: list[UUID] = Field(description="The ids of the bundles to which it is restricted.")
    restrict_to_email_addresses: bool = Field(description="Whether only candidates with a listed address can use it.")
    email_addresses: list[str] | None = Field(
        None, description="The addresses of the candidates that can use it; absent in lists."
    )
    starts_at: datetime | None = Field(None, description="The time from which it can be used, in UTC.")
    expires_at: datetime | None = Field(None, description="The time of expiry, in UTC.")
    max_redemptions: int | None = Field(None, description="The maximum number of redemptions.")
    max_redemptions_per_candidate: int | None = Field(
        None, description="The maximum number of redemptions by each candidate."
    )
    max_redemptions_per_organization: int | None = Field(
        None, description="The maximum number of redemptions of a global code by each organization."
    )
    is_combinable: bool | None = Field(
        None, description="Whether a reservation can use it together with other combinable promo codes; absent if not."
    )
    redemption_count: int = Field(
        description="The number of redemptions; counted only for codes with `maxRedemptions`."
    )
    campaign: str | None = Field(None, description="The campaign to which it belongs.")
    metadata: MetadataOf = Field(description="Texts by key, attached by an integration.")
    notes: str | None = Field(None, description="Internal notes.")
    batch_id: UUID | None = Field(None, description="The id of its batch.")
    created_at: datetime = Field(description="The time of creation, in UTC.")
    version: int = Field(description="The version, incremented by each change; also the `ETag`.")


ManagedPromoCodeUpdateRequest.ignore_read_only(ManagedPromoCodeModel)


class ManagedPromoCodePage(Representation):
    """A page of promo codes."""

    data: list[ManagedPromoCodeModel] = Field(description="Promo codes without their addresses, oldest first.")
    next_link: str | None = Field(description="The URL of the next page; null on the last page.")
    next_cursor: str | None = Field(description="The `cursor` of the next page; null on the last page.")


UPDATE = {
    "discountPercent": 10,
    "storeExamCodes": ["NCA-GENL"],
    "expiresAt": "2030-01-01T00:00:00Z",
    "maxRedemptions": 100,
    "maxRedemptionsPerCandidate": 1,
    "emailAddresses": ["ada@example.com"],
    "restrictToEmailAddresses": True,
    "campaign": "Spring 2030",
    "metadata": EXAMPLE,
    "notes": "For the fair",
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
    "campaign": "Spring 2030",
    "metadata": EXAMPLE,
    "notes": "For the fair",
    "createdAt": "2026-01-01T00:00:00Z",
    "version": 1,
}
PROMO_CODE = LISTED_PROMO_CODE | {"emailAddresses": ["ada@example.com"]}
