"""What the management of users reads and answers."""

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from pydantic import BeforeValidator, Field

from tessera.api.http.fields import EmailText, Flag, RequestModel, Text, Uuid, refuse
from tessera.api.management.schemas.rights import FunctionPoints
from tessera.api.management.serialization import Representation
from tessera.api.serving.cursor_pages import CursorQuery


def _nobodys(value: Any) -> None:  # noqa: ANN401 - whatever JSON holds
    if value is not None:
        raise refuse("NotHere", "must be null: a voucher partner's users are invited, at /voucher-partners/{id}/users")


class UserQuery(CursorQuery):
    """Query of GET /management/v1/users."""

    email: Text | None = Field(None, description="The user of this address, in any case.", examples=["ada@example.com"])
    is_active: Flag | None = Field(None, description="Whether they may call.", examples=["true"])
    partner_id: Uuid | None = Field(
        None, description="Those of this voucher partner.", examples=["01906a6e-0000-7000-8000-000000000003"]
    )


class UserCreateRequest(RequestModel):
    """Body of POST /management/v1/users."""

    email: EmailText = Field(description="The address, the user's own for ever.")
    first_name: Text = Field(description="1 to 200 characters.")
    last_name: Text = Field(description="1 to 200 characters.")
    function_points: FunctionPoints = Field(description="The rights; none that you lack.")
    partner_id: Annotated[None, BeforeValidator(_nobodys)] = Field(
        None, description="Null: a voucher partner's users are invited."
    )


class UserUpdateRequest(RequestModel):
    """Body of PUT /management/v1/users/{userId}."""

    first_name: Text = Field(description="1 to 200 characters.")
    last_name: Text = Field(description="1 to 200 characters.")
    function_points: FunctionPoints = Field(description="The rights; no new one that you lack.")


class UserModel(Representation):
    """A user."""

    id: UUID = Field(description="The user's id.")
    email: str = Field(description="The address.")
    first_name: str = Field(description="The first name.")
    last_name: str = Field(description="The last name.")
    function_points: list[str] = Field(description="The rights, by name.")
    partner_id: UUID | None = Field(
        description="The voucher partner that the user belongs to; null for your own people."
    )
    is_active: bool = Field(description="Whether the user may call.")
    created_at: datetime = Field(description="When the user was made, UTC.")
    version: int = Field(description="Raised by each change; the `ETag` too.")


class UserSlice(Representation):
    """A part of the users."""

    data: list[UserModel] = Field(description="Users, oldest first.")
    next_link: str | None = Field(description="The next part; null at the end.")


CREATE = {
    "email": "ada@example.com",
    "firstName": "Ada",
    "lastName": "Byron",
    "functionPoints": ["PartnerManagePromoCodes", "PartnerManageVouchers"],
}
UPDATE = {"firstName": "Ada", "lastName": "Lovelace", "functionPoints": ["PartnerManageVouchers"]}
USER = {
    "id": "01906a6e-0000-7000-8000-000000000001",
    **CREATE,
    "partnerId": "01906a6e-0000-7000-8000-000000000003",
    "isActive": True,
    "createdAt": "2026-01-01T00:00:00Z",
    "version": 1,
}
