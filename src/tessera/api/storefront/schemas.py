"""What the storefront API reads and answers."""

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from pydantic import BeforeValidator, Field, WithJsonSchema

from tessera.api.types import EmailText, Instant, RequestModel, ResponseModel, Text, refuse

MAX_CODES = 1000
MAX_CODE_LENGTH = 100


def _codes(value: Any) -> tuple[Any, ...]:  # noqa: ANN401 - whatever JSON holds
    if not isinstance(value, list) or not 1 <= len(value) <= MAX_CODES:
        raise refuse("NumberOfCodes", f"must be a list of 1 to {MAX_CODES:,} codes")
    return tuple(value)


def _code(value: Any) -> str:  # noqa: ANN401
    if not isinstance(value, str) or not 1 <= len(value.strip()) <= MAX_CODE_LENGTH or "\0" in value:
        raise refuse("NotCode", f"must be a string of 1 to {MAX_CODE_LENGTH} characters")
    return value.strip()


def _uuid(value: Any) -> UUID:  # noqa: ANN401
    try:
        return UUID(value)
    except (TypeError, ValueError, AttributeError) as error:
        raise refuse("NotUuid", "must be a UUID") from error


Code = Annotated[
    str,
    BeforeValidator(_code),
    WithJsonSchema({"type": "string", "minLength": 1, "maxLength": MAX_CODE_LENGTH, "pattern": r"\S"}),
]
Codes = Annotated[tuple[Code, ...], BeforeValidator(_codes)]
Uuid = Annotated[UUID, BeforeValidator(_uuid), WithJsonSchema({"type": "string", "format": "uuid"})]


class CandidateRequest(RequestModel):
    """The candidate who wants to use a code."""

    email: EmailText | None = Field(None, alias="email", description="The address of the booking account.")


def _object(value: Any) -> Any:  # noqa: ANN401
    if not isinstance(value, dict):
        raise refuse("NotObject", "must be an object")
    return value


Candidate = Annotated[CandidateRequest, BeforeValidator(_object)]


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
    candidate: Candidate | None = Field(
        None, alias="candidate", description="Who would use the codes; without, rules about candidates are not asked."
    )
    as_of: Instant | None = Field(None, alias="asOf", description="The time that is asked about; now unless given.")


class ReasonModel(ResponseModel):
    """A rule that a code breaks."""

    code: str = Field(description="Stable, in PascalCase: `Expired`, `UsedUp`, `EmailNotListed` ...")
    message: str = Field(description="A sentence for people.")


class AssessmentModel(ResponseModel):
    """What one code is worth."""

    code: str = Field(description="The code in its own spelling.")
    kind: str | None = Field(description="`PromoCode` or `Voucher`; null for a code that does not exist.")
    isValid: bool = Field(description="Whether it can be used.")
    reasons: list[ReasonModel] = Field(description="Every rule that it breaks.")
    remainingUses: int | None = Field(description="Uses that are left; null if nothing limits them.")
    validUntil: datetime | None = Field(description="When it expires, UTC; null for never.")
    listPrice: float = Field(description="What the product costs, in dollars.")
    discount: float = Field(description="What the code takes off, if it is valid.")
    finalPrice: float = Field(description="What is left to pay with it; never below zero.")


class ValidationsModel(ResponseModel):
    """What each code is worth, in the order of the request."""

    results: list[AssessmentModel] = Field(description="One for each code.")
