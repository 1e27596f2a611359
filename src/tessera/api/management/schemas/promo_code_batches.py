"""Request and response models of batches of promo codes."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from pydantic import Field

from tessera.api.http.fields import Boolean, Text, WholeNumber
from tessera.api.management.schemas.promo_codes import PromoCodeTermsRequest
from tessera.api.management.serialization import Representation
from tessera.api.serving.cursor_pages import CursorQuery
from tessera.api.vocabulary import BATCH_STATUS
from tessera.promo_codes.batches.rules import ALPHABET, MAX_QUANTITY


class BatchQuery(CursorQuery):
    """Query of GET /management/v1/promo-code-batches."""


class PromoCodeBatchCreateRequest(PromoCodeTermsRequest):
    """Body of POST /management/v1/promo-code-batches."""

    quantity: WholeNumber = Field(
        description=f"The number of codes, up to {MAX_QUANTITY:,}.",
        json_schema_extra={"minimum": 1, "maximum": MAX_QUANTITY},
    )
    length: WholeNumber = Field(
        description="The number of random characters after the prefix; 3 to 25 characters in total.",
        json_schema_extra={"minimum": 1, "maximum": 25},
    )
    prefix: Text | None = Field(None, description="The prefix of each code; default: none.")
    alphabet: Text | None = Field(
        None, description=f"The characters to choose from, each once (not case-sensitive); default: `{ALPHABET}`."
    )
    is_active: Boolean | None = Field(None, description="Whether the codes are usable at once; default: false.")


class PromoCodeBatchModel(Representation):
    """A batch of promo codes; terms without a value are absent."""

    id: UUID = Field(description="The unique identifier.")
    status: Annotated[str, BATCH_STATUS] = Field(description="The current status.")
    quantity: int = Field(description="The number of codes to generate.")
    made: int = Field(description="The number of codes generated so far.")
    percent: int = Field(description="The progress in percent, 0 to 100.")
    prefix: str = Field(description="The prefix of each code.")
    length: int = Field(description="The number of random characters after the prefix.")
    alphabet: str = Field(description="The characters of the random part.")
    is_active: bool = Field(description="Whether the codes are usable at once.")
    discount_percent: int | None = Field(None, description="The discount in percent, 1 to 100.")
    flat_discount: float | None = Field(None, description="The discount in dollars.")
    store_exam_codes: list[str] = Field(description="The codes of the exams to which the codes are restricted.")
    product_bundle_ids: list[UUID] = Field(description="The ids of the bundles to which the codes are restricted.")
    starts_at: datetime | None = Field(None, description="The time from which the codes can be used, in UTC.")
    expires_at: datetime | None = Field(None, description="The time of expiry of the codes, in UTC.")
    max_redemptions: int | None = Field(None, description="The maximum number of redemptions of each code.")
    max_redemptions_per_candidate: int | None = Field(
        None, description="The maximum number of redemptions of each code by each candidate."
    )
    max_redemptions_per_organization: int | None = Field(
        None, description="The maximum number of redemptions of each global code by each organization."
    )
    is_combinable: bool | None = Field(
        None, description="Whether a reservation can combine the codes with others that are combinable; absent if not."
    )
    campaign: str | None = Field(None, description="The campaign to which the codes belong.")
    metadata: dict[str, str] | None = Field(None, description="The metadata of the codes.")
    notes: str | None = Field(None, description="Internal notes.")
    created_at: datetime = Field(description="The time of the order, in UTC.")
    version: int = Field(description="The version, incremented by each change and by progress; also the `ETag`.")


class PromoCodeBatchPage(Representation):
    """A page of batches."""

    data: list[PromoCodeBatchModel] = Field(description="Batches, oldest first.")
    next_link: str | None = Field(description="The URL of the next page; null on the last page.")
    next_cursor: str | None = Field(description="The `cursor` of the next page; null on the last page.")


CREATE = {
    "quantity": 10000,
    "prefix": "SPRING",
    "length": 8,
    "discountPercent": 10,
    "storeExamCodes": ["NCA-GENL"],
    "expiresAt": "2030-01-01T00:00:00Z",
    "maxRedemptions": 1,
    "isActive": True,
}
BATCH = {
    "id": "01906a6e-0000-7000-8000-000000000003",
    "status": "InProgress",
    "quantity": 10000,
    "made": 0,
    "percent": 0,
    "prefix": "SPRING",
    "length": 8,
    "alphabet": ALPHABET,
    "isActive": True,
    "discountPercent": 10,
    "storeExamCodes": ["NCA-GENL"],
    "productBundleIds": [],
    "expiresAt": "2030-01-01T00:00:00Z",
    "maxRedemptions": 1,
    "createdAt": "2026-01-01T00:00:00Z",
    "version": 1,
}
