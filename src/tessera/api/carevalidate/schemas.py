"""What the CareValidate promo-code validation answers."""

from pydantic import Field

from tessera.api.types import ResponseModel


class FlatDiscount(ResponseModel):
    """A fixed amount off, in dollars."""

    flatDiscount: float


class PercentDiscount(ResponseModel):
    """A percentage off."""

    percentDiscount: int = Field(ge=0, le=100)


class ValidationResult(ResponseModel):
    """Whether the code can be used now, and what it gives: exactly one entry, or none."""

    success: bool
    data: list[FlatDiscount | PercentDiscount]


class Failure(ResponseModel):
    """A request that cannot be answered."""

    success: bool
    message: str


class InvalidApiKey(ResponseModel):
    """A request without a good key."""

    status: int
    error: str
