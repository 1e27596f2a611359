"""Requests and responses of the Certiverse Promo Code API, with the names and the order of its document."""

from typing import Annotated

from pydantic import Field

from tessera.api.http.fields import (
    Boolean,
    DocumentedRequestModel,
    Flag,
    Instant,
    LocalDateTime,
    PageNumber,
    ResponseModel,
    Text,
    Texts,
    WholeNumber,
    choice,
)
from tessera.api.vocabulary import PROMO_CODE_STATUS
from tessera.promo_codes.rules import Status

StatusParameter = Annotated[Status, *choice(Status, PROMO_CODE_STATUS)]


class PromoCodeQuery(DocumentedRequestModel):
    """Query of GET /promo-codes."""

    email_address: Text | None = Field(
        None,
        alias="emailAddress",
        description="Only codes whose restriction list has this address. Requires `restrictToEmailAddresses=true`.",
        examples=["ada@example.com"],
    )
    page: PageNumber = Field(1, alias="page", description="Page number, from 1; a page has 100 records.", examples=[1])
    name: Text | None = Field(
        None, alias="promoCodeName", description="Exact promo code name (not case-sensitive).", examples=["SPRING25"]
    )
    restrict_to_email_addresses: Flag | None = Field(
        None,
        alias="restrictToEmailAddresses",
        description="Only codes that are (or are not) restricted to e-mail addresses: `true` or `false`.",
        examples=["true"],
    )
    store_exam_code: Text | None = Field(
        None, alias="storeExamCode", description="Only codes for this store exam.", examples=["NCA-GENL"]
    )
    status: StatusParameter | None = Field(
        None,
        alias="status",
        description="`Active`, `Inactive` or `Archived` (not case-sensitive).",
        examples=["Active"],
    )


class PromoCodeCreateCommand(DocumentedRequestModel):
    """Body of POST /promo-codes."""

    store_exam_codes: Texts = Field(
        alias="storeExamCodes",
        description="The store exams that the code applies to; at least one.",
        json_schema_extra={"minItems": 1},
    )
    discount_percent: WholeNumber = Field(
        alias="discountPercent", description="Percent off.", json_schema_extra={"minimum": 1, "maximum": 100}
    )
    expires_at: Instant = Field(
        alias="expirationDateUtc",
        description="When the code expires, in the future. Without an offset it is UTC: `2026-01-01T00:00:00`.",
    )
    max_redemptions: WholeNumber = Field(
        alias="maxRedemptions",
        description="The maximum number of redemptions.",
        json_schema_extra={"minimum": 1, "maximum": 100_000},
    )
    name: Text = Field(
        alias="promoCodeName",
        description="Letters and digits only; unique in the organization, ignoring case and including archived codes.",
        json_schema_extra={"minLength": 3, "maxLength": 25, "pattern": "^[A-Za-z0-9]*$"},
    )
    email_addresses: Texts = Field(
        (),
        alias="emailAddresses",
        description="Required when `restrictToEmailAddresses` is true; at most 10,000.",
        json_schema_extra={"maxItems": 10_000, "default": []},
    )
    is_active: Boolean = Field(default=False, alias="isActive", description="Whether the code is active immediately.")
    max_redemptions_per_candidate: WholeNumber | None = Field(
        None,
        alias="maxRedemptionsPerCandidate",
        description="The maximum number of redemptions for each candidate; not above `maxRedemptions`.",
        json_schema_extra={"minimum": 1, "maximum": 100_000},
    )
    notes: Text | None = Field(None, alias="notes", description="Internal notes.", json_schema_extra={"maxLength": 256})
    restrict_to_email_addresses: Boolean = Field(
        default=False,
        alias="restrictToEmailAddresses",
        description="Whether only candidates in `emailAddresses` may redeem.",
    )


class PromoCodeModel(ResponseModel):
    """A promo code."""

    storeExamCodes: list[str] = Field(description="The store exams that the code applies to.")
    discountPercent: int = Field(description="Percentage discount applied when the promo code is redeemed.")
    emailAddresses: list[str] = Field(
        description="Email addresses that the code is restricted to; `[]` if there are none."
    )
    expirationDateEndUtc: LocalDateTime = Field(description="UTC, without an offset: `2027-01-01T00:00:00`.")
    maxRedemptions: int = Field(description="Maximum total number of times the promo code can be redeemed.")
    maxRedemptionsPerCandidate: int | None = Field(
        None, description="Max redemptions per individual candidate. Not returned if null."
    )
    notes: str | None = Field(None, description="Internal notes. Not returned if null.")
    promoCodeName: str = Field(description="Unique within the organization.")
    redemptionCount: int = Field(description="The number of redemptions, excluding cancelled redemptions.")
    restrictToEmailAddresses: bool = Field(description="Whether only candidates in `emailAddresses` may redeem.")


class PromoCodePage(ResponseModel):
    """A page of promo codes."""

    data: list[PromoCodeModel] = Field(description="Up to 100 promo codes, oldest first.")
    nextLink: str | None = Field(description="The next page; null on the last one.")
