"""What the storefront API reads and answers."""

from datetime import datetime
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, WithJsonSchema

from tessera.api.http.fields import (
    AN_OBJECT,
    EmailText,
    Instant,
    RequestModel,
    ResponseModel,
    Text,
    Uuid,
    choice,
    refuse,
)
from tessera.api.serving.cursor_pages import CursorQuery
from tessera.redemptions.rules import MAX_HOLD_SECONDS, RedemptionStatus
from tessera.vouchers.rules import ReservationStatus

MAX_CODES = 1000
MAX_CODE_LENGTH = 100
# What can be told of a reservation; `Created` is what it is at first.
TOLD_STATUSES = tuple(status for status in ReservationStatus if status is not ReservationStatus.CREATED)


def _codes(value: Any) -> tuple[Any, ...]:  # noqa: ANN401 - whatever JSON holds
    if not isinstance(value, list) or not 1 <= len(value) <= MAX_CODES:
        raise refuse("NumberOfCodes", f"must be a list of 1 to {MAX_CODES:,} codes")
    return tuple(value)


def _code(value: Any) -> str:  # noqa: ANN401
    if not isinstance(value, str) or not 1 <= len(value.strip()) <= MAX_CODE_LENGTH or "\0" in value:
        raise refuse("NotCode", f"must be a string of 1 to {MAX_CODE_LENGTH} characters")
    return value.strip()


Code = Annotated[
    str,
    BeforeValidator(_code),
    WithJsonSchema({"type": "string", "minLength": 1, "maxLength": MAX_CODE_LENGTH, "pattern": r"\S"}),
]
Codes = Annotated[tuple[Code, ...], BeforeValidator(_codes)]


def _label(longest: int) -> Any:  # noqa: ANN401 - an annotated type
    """A text of 1 to `longest` characters, without white space around it."""

    def read(value: Any) -> str:  # noqa: ANN401
        if not isinstance(value, str) or not 1 <= len(value.strip()) <= longest or "\0" in value:
            raise refuse("NotLabel", f"must be a string of 1 to {longest} characters")
        return value.strip()

    return BeforeValidator(read), WithJsonSchema(
        {"type": "string", "minLength": 1, "maxLength": longest, "pattern": r"\S"}
    )


def _hold_seconds(value: Any) -> int:  # noqa: ANN401
    if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= MAX_HOLD_SECONDS:
        raise refuse("HoldRange", f"must be an integer from 1 to {MAX_HOLD_SECONDS:,}, which is 7 days")
    return value


ReservationCode = Annotated[str, *_label(MAX_CODE_LENGTH)]
PersonText = Annotated[str, *_label(200)]
HoldSeconds = Annotated[
    int,
    BeforeValidator(_hold_seconds),
    WithJsonSchema({"type": "integer", "minimum": 1, "maximum": MAX_HOLD_SECONDS}),
]


class AskedCandidateRequest(RequestModel):
    """The candidate who is asked about."""

    person_id: PersonText | None = Field(
        None, alias="personId", description="Who it is; without, limits for each candidate are not asked."
    )
    email: EmailText | None = Field(None, alias="email", description="The address of the booking account.")


class CandidateRequest(RequestModel):
    """The candidate who sits the exam."""

    person_id: PersonText = Field(alias="personId", description="Who it is: limits for each candidate go by this.")
    client_candidate_id: PersonText = Field(alias="clientCandidateId", description="The same person in your system.")
    first_name: PersonText = Field(alias="firstName", description="First name.")
    last_name: PersonText = Field(alias="lastName", description="Last name.")
    email: EmailText | None = Field(
        None, alias="email", description="The address of the booking account; some codes ask for it."
    )


AskedCandidate = Annotated[AskedCandidateRequest, AN_OBJECT]
Candidate = Annotated[CandidateRequest, AN_OBJECT]


class RedemptionCreateRequest(RequestModel):
    """Body of POST /storefront/v1/redemptions."""

    code: Code = Field(alias="code", description="A promo code or a voucher, in any case.")
    reservation_code: ReservationCode = Field(
        alias="reservationCode", description="Your name of the booking; a reservation uses a code once."
    )
    store_exam_code: Text | None = Field(
        None, alias="storeExamCode", description="The exam that is being booked; either this or a bundle."
    )
    product_bundle_id: Uuid | None = Field(
        None, alias="productBundleId", description="The bundle that is being bought; either this or an exam."
    )
    candidate: Candidate = Field(alias="candidate", description="Who sits the exam.")
    hold_seconds: HoldSeconds | None = Field(
        None, alias="holdSeconds", description="Hold the code for so long, to be confirmed; without, it is redeemed."
    )


class ReservationUpdateRequest(RequestModel):
    """Body of PUT /storefront/v1/reservations/{code}."""

    status: Annotated[ReservationStatus, *choice(TOLD_STATUSES)] = Field(
        alias="status", description="What became of the booking; `Cancelled` gives every use back."
    )
    reservation_code: ReservationCode | None = Field(
        None, alias="reservationCode", description="With `Rescheduled`: the code that the booking has from now on."
    )


class RedemptionQuery(CursorQuery):
    """Which redemptions, and which part of the list."""

    code: Text | None = Field(
        None, alias="code", description="Of this promo code or voucher, in any case.", examples=["WELCOME"]
    )
    reservation_code: Text | None = Field(
        None, alias="reservationCode", description="Of this reservation.", examples=["RSV-1001"]
    )
    person_id: Text | None = Field(None, alias="personId", description="Of this candidate.", examples=["P-4711"])
    status: Annotated[RedemptionStatus, *choice(RedemptionStatus)] | None = Field(
        None, alias="status", description="In this status now.", examples=["Held"]
    )
    created_from: Instant | None = Field(
        None, alias="createdFrom", description="Made at this time or later.", examples=["2026-11-01T00:00:00Z"]
    )
    created_before: Instant | None = Field(
        None, alias="createdBefore", description="Made before this time.", examples=["2026-12-01T00:00:00Z"]
    )


class ValidationRequest(RequestModel):
    """Body of POST /storefront/v1/validations."""

    codes: Codes = Field(
        alias="codes",
        description="Promo codes and vouchers, in any case.",
        json_schema_extra={"minItems": 1, "maxItems": MAX_CODES},
    )
    store_exam_code: Text | None = Field(
        None, alias="storeExamCode", description="The exam that is being booked; either this or a bundle."
    )
    product_bundle_id: Uuid | None = Field(
        None, alias="productBundleId", description="The bundle that is being bought; either this or an exam."
    )
    candidate: AskedCandidate | None = Field(
        None, alias="candidate", description="Who would use the codes; without, rules about candidates are not asked."
    )
    as_of: Instant | None = Field(None, alias="asOf", description="The time that is asked about; now unless given.")


class ReasonModel(ResponseModel):
    """A rule that a code breaks."""

    code: str = Field(description="Stable, in PascalCase: `Expired`, `UsedUp`, `EmailNotListed` ...")
    message: str = Field(description="A sentence for people.")
    remainingUses: int | None = Field(description="What a limit that is reached leaves; null for other rules.")
    validFrom: datetime | None = Field(
        description="When this rule may be met by itself, as a hold runs out, UTC; null if never."
    )


class AssessmentModel(ResponseModel):
    """What one code is worth."""

    code: str = Field(description="The code in its own spelling.")
    kind: str | None = Field(description="`PromoCode` or `Voucher`; null for a code that does not exist.")
    isValid: bool = Field(description="Whether it can be used.")
    reasons: list[ReasonModel] = Field(description="Every rule that it breaks.")
    remainingUses: int | None = Field(
        description="Uses that are left, holds counted, for the candidate if one is named; null if nothing limits them."
    )
    validUntil: datetime | None = Field(description="When it expires, UTC; null for never.")
    listPrice: float = Field(description="What the product costs, in dollars.")
    discount: float = Field(description="What the code takes off, if it is valid.")
    finalPrice: float = Field(description="What is left to pay with it; never below zero.")


class ValidationsModel(ResponseModel):
    """What each code is worth, in the order of the request."""

    results: list[AssessmentModel] = Field(description="One for each code.")


class RedeemedCandidateModel(ResponseModel):
    """The candidate of a redemption."""

    personId: str = Field(description="Who it is.")
    clientCandidateId: str = Field(description="The same person in your system.")
    firstName: str = Field(description="First name.")
    lastName: str = Field(description="Last name.")
    email: str | None = Field(description="The address of the booking account; null if none was given.")


class RedemptionModel(ResponseModel):
    """A promo code or a voucher used for a reservation."""

    id: str = Field(description="Names it in the operations on it.")
    status: str = Field(description="`Held`, `Redeemed`, `Released`, `Expired` or `Cancelled`.")
    code: str = Field(description="The code in its own spelling.")
    kind: str = Field(description="`PromoCode` or `Voucher`.")
    reservationCode: str = Field(description="The reservation's code now.")
    reservationStatus: str = Field(description="`Created`, `Rescheduled`, `Completed`, `NoShow` or `Cancelled`.")
    storeExamCode: str | None = Field(description="The exam; null for a bundle.")
    productBundleId: str | None = Field(description="The bundle; null for an exam.")
    candidate: RedeemedCandidateModel = Field(description="Who sits the exam.")
    listPrice: float = Field(description="What the product cost, in dollars.")
    discount: float = Field(description="What the code took off.")
    finalPrice: float = Field(description="What was left to pay.")
    heldUntil: datetime | None = Field(description="When a hold runs out, UTC; null if there was none.")
    createdAt: datetime = Field(description="When it was made, UTC.")
    updatedAt: datetime = Field(description="When its status changed, UTC.")


class RedemptionsModel(ResponseModel):
    """A part of a list of redemptions."""

    data: list[RedemptionModel] = Field(description="In order of creation.")
    nextLink: str | None = Field(description="The next part; null at the end. The Link header has it too.")


class ReservationModel(ResponseModel):
    """A reservation with its redemptions."""

    reservationCode: str = Field(description="Its code now.")
    status: str = Field(description="`Created`, `Rescheduled`, `Completed`, `NoShow` or `Cancelled`.")
    redemptions: list[RedemptionModel] = Field(description="Oldest first.")
