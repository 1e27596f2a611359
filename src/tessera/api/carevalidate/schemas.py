"""Responses of the CareValidate promo-code validation."""

from pydantic import Field

from tessera.api.http.fields import ResponseModel


class CareValidateFlatDiscountModel(ResponseModel):
    """A fixed discount in dollars."""

    flatDiscount: float = Field(description="Fixed discount amount in dollars.", ge=0)


class CareValidatePercentDiscountModel(ResponseModel):
    """A percentage off."""

    percentDiscount: int = Field(description="Percentage discount.", ge=0, le=100)


class CareValidateResultModel(ResponseModel):
    """Whether the code can be used now, and its discount: one entry or none."""

    success: bool = Field(description="Whether the promo code is valid.")
    data: list[CareValidateFlatDiscountModel | CareValidatePercentDiscountModel] = Field(
        description="The discount, flat or percent, never both; empty if the code is not valid.", max_length=1
    )


class CareValidateFailureModel(ResponseModel):
    """An invalid request."""

    success: bool = Field(description="`false`.")
    message: str = Field(description="The reason.")


class CareValidateUnauthorizedModel(ResponseModel):
    """A request without a valid key."""

    status: int = Field(description="`401`.")
    error: str = Field(description="The reason.")
