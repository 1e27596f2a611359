"""Requests and responses of the storefront API."""

from datetime import datetime
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, WithJsonSchema

from tessera.api.http.fields import (
    EmailText,
    Instant,
    RequestModel,
    ResponseModel,
    Text,
    Uuid,
    choice,
    parse_error,
)
from tessera.api.http.metadata import FILTER, FILTER_EXAMPLES, MetadataFilter
from tessera.api.serving.cursor_pages import CursorQuery
from tessera.api.vocabulary import CODE_KIND, REASON, REDEMPTION_STATUS, RESERVATION_STATUS
from tessera.kit.normalization import trimmed
from tessera.redemptions.rules import MAX_HOLD_SECONDS, RedemptionStatus
from tessera.vouchers.rules import ReservationStatus

MAX_CODES = 1000
MAX_CODE_LENGTH = 100
# The statuses that a request can set; `Created` is only the initial status.
SETTABLE_STATUSES = tuple(status for status in ReservationStatus if status is not ReservationStatus.CREATED)
RESERVATION_CHANGE = RESERVATION_STATUS.only("ReservationChange", SETTABLE_STATUSES)


def _codes(value: Any) -> tuple[Any, ...]:  # noqa: ANN401 - any JSON value
    if not isinstance(value, list) or not 1 <= len(value) <= MAX_CODES:
        raise parse_error("NumberOfCodes", f"must be a list of 1 to {MAX_CODES:,} codes")
    return tuple(value)


def _code(value: Any) -> str:  # noqa: ANN401
    code = trimmed(value) if isinstance(value, str) else ""
    if not 1 <= len(code) <= MAX_CODE_LENGTH or "\0" in code:
        raise parse_error("NotCode", f"must be a string of 1 to {MAX_CODE_LENGTH} characters")
    return code


Code = Annotated[
    str,
    BeforeValidator(_code),
    WithJsonSchema(
        {
            "type": "string",
            "minLength": 1,
            "maxLength": MAX_CODE_LENGTH,
            "pattern": r"[^\s\u180e\u200b-\u200f\u2060\ufeff]",  # not only what `trimmed` strips
        }
    ),
]
Codes = Annotated[tuple[Code, ...], BeforeValidator(_codes)]


def _label(max_length: int) -> Any:  # noqa: ANN401 - an annotated type
    """A validator and a schema for text of 1 to `max_length` characters, stripped of white space."""

    def read(value: Any) -> str:  # noqa: ANN401
        if not isinstance(value, str) or not 1 <= len(value.strip()) <= max_length or "\0" in value:
            raise parse_error("NotLabel", f"must be a string of 1 to {max_length} characters")
        return value.strip()

    return BeforeValidator(read), WithJsonSchema(
        {"type": "string", "minLength": 1, "maxLength": max_length, "pattern": r"\S"}
    )


def _hold_seconds(value: Any) -> int:  # noqa: ANN401
    if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= MAX_HOLD_SECONDS:
        raise parse_error("HoldRange", f"must be an integer from 1 to {MAX_HOLD_SECONDS:,}, which is 7 days")
    return value


ReservationCode = Annotated[str, *_label(MAX_CODE_LENGTH)]
PersonText = Annotated[str, *_label(200)]
HoldSeconds = Annotated[
    int,
    BeforeValidator(_hold_seconds),
    WithJsonSchema({"type": "integer", "minimum": 1, "maximum": MAX_HOLD_SECONDS}),
]


class ValidationCandidateRequest(RequestModel):
    """The candidate of a validation."""

    person_id: PersonText | None = Field(
        None,
        alias="personId",
        description="The id of the person; if absent, limits for each candidate are not checked.",
    )
    email: EmailText | None = Field(None, alias="email", description="The address of the booking account.")


class RedemptionCandidateRequest(RequestModel):
    """The candidate who takes the exam."""

    person_id: PersonText = Field(
        alias="personId", description="The id of the person, used for limits for each candidate."
    )
    client_candidate_id: PersonText = Field(
        alias="clientCandidateId", description="The id of the person in your system."
    )
    first_name: PersonText = Field(alias="firstName", description="First name.")
    last_name: PersonText = Field(alias="lastName", description="Last name.")
    email: EmailText | None = Field(
        None, alias="email", description="The email address of the booking account; some codes require it."
    )


class RedemptionCreateRequest(RequestModel):
    """Body of POST /storefront/v1/redemptions."""

    code: Code = Field(alias="code", description="The promo code or voucher (not case-sensitive).")
    reservation_code: ReservationCode = Field(
        alias="reservationCode",
        description="Your code for the booking, which is for one candidate and one product. It can use several codes"
        " only if all of them are combinable promo codes, and each code once.",
    )
    store_exam_code: Text | None = Field(
        None, alias="storeExamCode", description="The exam to book. Required unless `productBundleId` is given."
    )
    product_bundle_id: Uuid | None = Field(
        None, alias="productBundleId", description="The bundle to buy. Required unless `storeExamCode` is given."
    )
    candidate: RedemptionCandidateRequest = Field(alias="candidate", description="The person who takes the exam.")
    hold_seconds: HoldSeconds | None = Field(
        None,
        alias="holdSeconds",
        description="The seconds to hold the code until confirmation; if absent, the code is redeemed at once.",
    )


class RedemptionExtendRequest(RequestModel):
    """Body of POST /storefront/v1/redemptions/{id}/extend."""

    hold_seconds: HoldSeconds = Field(
        alias="holdSeconds", description="The seconds to hold the code from now; it ends within 7 days of its start."
    )


class ReservationUpdateRequest(RequestModel):
    """Body of PUT /storefront/v1/reservations/{code}."""

    status: Annotated[ReservationStatus, *choice(SETTABLE_STATUSES, RESERVATION_CHANGE)] = Field(
        alias="status", description="The status of the booking; `Cancelled` returns every use."
    )
    reservation_code: ReservationCode | None = Field(
        None, alias="reservationCode", description="With `Rescheduled`: the new code of the booking."
    )


class RedemptionQuery(CursorQuery):
    """Query of GET /storefront/v1/redemptions."""

    code: Text | None = Field(
        None, description="Only redemptions of this promo code or voucher (not case-sensitive).", examples=["WELCOME"]
    )
    reservation_code: Text | None = Field(
        None, description="Only redemptions for this reservation.", examples=["RSV-1001"]
    )
    person_id: Text | None = Field(None, description="Only redemptions of this candidate.", examples=["P-4711"])
    status: Annotated[RedemptionStatus, *choice(RedemptionStatus, REDEMPTION_STATUS)] | None = Field(
        None, description="Only redemptions that now have this status.", examples=["Held"]
    )
    created_from: Instant | None = Field(
        None, description="Only redemptions created at this time or later.", examples=["2026-11-01T00:00:00Z"]
    )
    created_before: Instant | None = Field(
        None, description="Only redemptions created before this time.", examples=["2026-12-01T00:00:00Z"]
    )
    metadata: MetadataFilter | None = Field(None, description=FILTER, examples=FILTER_EXAMPLES)


class CodeValidationRequest(RequestModel):
    """Body of POST /storefront/v1/validations."""

    codes: Codes = Field(
        alias="codes",
        description="Promo codes and vouchers (not case-sensitive).",
        json_schema_extra={"minItems": 1, "maxItems": MAX_CODES},
    )
    store_exam_code: Text | None = Field(
        None, alias="storeExamCode", description="The exam to book. Required unless `productBundleId` is given."
    )
    product_bundle_id: Uuid | None = Field(
        None, alias="productBundleId", description="The bundle to buy. Required unless `storeExamCode` is given."
    )
    candidate: ValidationCandidateRequest | None = Field(
        None,
        alias="candidate",
        description="The candidate who would use the codes; if absent, rules about candidates are not checked.",
    )
    reservation_code: ReservationCode | None = Field(
        None,
        alias="reservationCode",
        description="Your code for the booking. Its own use of a code does not count against the code; its others do.",
    )
    as_of: Instant | None = Field(None, alias="asOf", description="The time of use; default: now.")


class CodeReasonModel(ResponseModel):
    """A reason why a code cannot be used."""

    code: Annotated[str, REASON] = Field(description="The reason.")
    message: str = Field(description="A human-readable sentence.")
    remainingUses: int | None = Field(description="Remaining uses under a limit; null for other rules.")
    validFrom: datetime | None = Field(
        description="When the rule may be satisfied without a change, such as the end of a hold, UTC; null if never."
    )


class CodeAssessmentModel(ResponseModel):
    """The assessment of one code."""

    code: str = Field(description="The code as it was created.")
    kind: Annotated[str, CODE_KIND] | None = Field(description="The kind of code; null for a code that does not exist.")
    isValid: bool = Field(description="Whether the code can be used.")
    reasons: list[CodeReasonModel] = Field(description="Every rule that the code violates.")
    remainingUses: int | None = Field(
        description="Remaining uses for the candidate, or for anyone; holds count as uses. Null without a limit."
    )
    validUntil: datetime | None = Field(description="When the code expires, UTC; null if never.")
    listPrice: float = Field(description="The price of the product in dollars.")
    discount: float = Field(description="The discount of the code in dollars; 0 if it is not valid.")
    finalPrice: float = Field(
        description="The price after the discount, in dollars; the list price if the code is not valid."
    )


class CodeValidationModel(ResponseModel):
    """The assessments, in the order of the codes in the request."""

    results: list[CodeAssessmentModel] = Field(description="One assessment for each code.")


class RedemptionCandidateModel(ResponseModel):
    """The candidate of a redemption."""

    personId: str = Field(description="The id of the person.")
    clientCandidateId: str = Field(description="The id of the person in your system.")
    firstName: str = Field(description="First name.")
    lastName: str = Field(description="Last name.")
    email: str | None = Field(description="The email address of the booking account, or null.")


class RedemptionModel(ResponseModel):
    """A promo code or a voucher used for a reservation."""

    id: str = Field(description="The id of the redemption.")
    status: Annotated[str, REDEMPTION_STATUS] = Field(description="The current status.")
    code: str = Field(description="The code as it was created.")
    kind: Annotated[str, CODE_KIND] = Field(description="The kind of code.")
    reservationCode: str = Field(description="The current code of the reservation.")
    reservationStatus: Annotated[str, RESERVATION_STATUS] = Field(description="The current status of the reservation.")
    storeExamCode: str | None = Field(description="The exam; null for a bundle.")
    productBundleId: str | None = Field(description="The bundle; null for an exam.")
    candidate: RedemptionCandidateModel = Field(description="The candidate who takes the exam.")
    listPrice: float = Field(description="The price of the product at that time, in dollars.")
    discount: float = Field(description="The discount of this code in dollars.")
    finalPrice: float = Field(
        description="The amount to pay at that time, after this code and the reservation's earlier ones, in dollars."
    )
    madeBy: str | None = Field(
        description="The id of the credential that made it, or of the first key of its rotations. Null if none made it."
    )
    heldUntil: datetime | None = Field(description="When the hold expires, UTC; null without a hold.")
    createdAt: datetime = Field(description="When the redemption was created, UTC.")
    updatedAt: datetime = Field(description="When the status last changed, UTC.")
    metadata: dict[str, str] = Field(description="Texts by key, attached by an integration of the management API.")


class RedemptionPage(ResponseModel):
    """A page of redemptions."""

    data: list[RedemptionModel] = Field(description="In order of creation.")
    nextLink: str | None = Field(
        description="The URL of the next page, also in the Link header; null on the last page."
    )
    nextCursor: str | None = Field(description="The `cursor` of the next page; null on the last page.")


class ReservationModel(ResponseModel):
    """A reservation with its redemptions."""

    reservationCode: str = Field(description="The current code of the reservation.")
    status: Annotated[str, RESERVATION_STATUS] = Field(description="The current status.")
    redemptions: list[RedemptionModel] = Field(description="Oldest first.")
