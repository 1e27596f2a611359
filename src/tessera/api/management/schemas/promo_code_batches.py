"""What the management of batches of promo codes reads and answers."""

from datetime import datetime
from uuid import UUID

from pydantic import Field

from tessera.api.http.fields import Boolean, Text, WholeNumber
from tessera.api.management.schemas.promo_codes import PromoCodeTermsRequest
from tessera.api.management.serialization import Representation
from tessera.api.serving.cursor_pages import CursorQuery
from tessera.promo_codes.batches.rules import ALPHABET, MAX_QUANTITY


class BatchQuery(CursorQuery):
    """Query of GET /management/v1/promo-code-batches."""


class BatchCreateRequest(PromoCodeTermsRequest):
    """Body of POST /management/v1/promo-code-batches."""

    quantity: WholeNumber = Field(
        description=f"How many codes, up to {MAX_QUANTITY:,}.",
        json_schema_extra={"minimum": 1, "maximum": MAX_QUANTITY},
    )
    length: WholeNumber = Field(
        description="How many random characters follow the prefix; together 3 to 25.",
        json_schema_extra={"minimum": 1, "maximum": 25},
    )
    prefix: Text | None = Field(None, description="What each code begins with; nothing unless given.")
    alphabet: Text | None = Field(
        None, description=f"The random characters, each once in either case; `{ALPHABET}` unless given."
    )
    is_active: Boolean | None = Field(None, description="Whether the codes can be used at once; false unless given.")


class BatchModel(Representation):
    """A batch of promo codes; what its codes do not have is absent."""

    id: UUID = Field(description="Its id.")
    status: str = Field(
        description="`InProgress`, `Cancelled`, `Complete`, or `Exhausted`: no free code was found any more."
    )
    quantity: int = Field(description="How many codes there will be.")
    made: int = Field(description="How many there are.")
    percent: int = Field(description="How much of it is done, 0 to 100.")
    prefix: str = Field(description="What each code begins with.")
    length: int = Field(description="How many random characters follow.")
    alphabet: str = Field(description="The random characters.")
    is_active: bool = Field(description="Whether the codes can be used at once.")
    discount_percent: int | None = Field(None, description="1 to 100.")
    flat_discount: float | None = Field(None, description="In dollars.")
    store_exam_codes: list[str] = Field(description="The exams that the codes are for.")
    product_bundle_ids: list[UUID] = Field(description="The bundles that the codes are for.")
    expires_at: datetime | None = Field(None, description="The first moment at which they are good no more, UTC.")
    max_redemptions: int | None = Field(None, description="Uses of each code in total.")
    max_redemptions_per_candidate: int | None = Field(None, description="Uses of each code by each candidate.")
    notes: str | None = Field(None, description="For your own people.")
    created_at: datetime = Field(description="When it was ordered, UTC.")
    version: int = Field(description="Raised by each change, also of how far it is; the `ETag` too.")


class BatchSlice(Representation):
    """A part of the batches."""

    data: list[BatchModel] = Field(description="Batches, oldest first.")
    next_link: str | None = Field(description="The next part; null at the end.")


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
