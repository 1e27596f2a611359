"""The problems that only the storefront API has, for the OpenAPI document."""

from datetime import datetime
from typing import Annotated

from pydantic import Field

from tessera.api.error_rendering.codes import PROBLEM_TYPE, URN
from tessera.api.http.fields import ResponseModel
from tessera.api.vocabulary import REASON


class RedemptionRefusalModel(ResponseModel):
    """A reason why a code cannot be redeemed."""

    pointer: str = Field(description="JSON Pointer (RFC 6901) to the part of the body.")
    code: Annotated[str, REASON] = Field(description="The reason.")
    detail: str = Field(description="A human-readable sentence.")
    remainingUses: int | None = Field(description="Remaining uses under a limit; null for other rules.")
    validFrom: datetime | None = Field(
        description="When the rule may be satisfied without a change, such as the end of a hold, UTC; null if never."
    )


class NotRedeemableProblemModel(ResponseModel):
    """The problem (RFC 9457) of a code that cannot be redeemed."""

    type: Annotated[str, PROBLEM_TYPE.only("NotRedeemableType", [f"{URN}not-redeemable"])] = Field(
        description="The kind of problem."
    )
    title: str = Field(description="The kind of problem as a short text.")
    status: int = Field(description="`409`.")
    detail: str = Field(description="This occurrence of the problem.")
    errors: list[RedemptionRefusalModel] = Field(description="Every reason.")
