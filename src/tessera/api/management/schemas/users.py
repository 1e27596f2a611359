"""Request and response models of users."""

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from pydantic import BeforeValidator, Field

from tessera.api.http.fields import DisplayName, EmailText, Flag, RequestModel, Text, Uuid, parse_error
from tessera.api.management.schemas.rights import FunctionPoints
from tessera.api.management.serialization import Representation
from tessera.api.serving.cursor_pages import CursorQuery
from tessera.api.vocabulary import FUNCTION_POINT


def _must_be_null(value: Any) -> None:  # noqa: ANN401 - any JSON value
    if value is not None:
        raise parse_error(
            "NotHere", "must be null: a voucher partner's users are invited, at /voucher-partners/{id}/users"
        )


class UserQuery(CursorQuery):
    """Query of GET /management/v1/users."""

    email: Text | None = Field(
        None, description="Only the user with this address (not case-sensitive).", examples=["ada@example.com"]
    )
    is_active: Flag | None = Field(
        None, description="`true` for users that can call the API, `false` for all others.", examples=["true"]
    )
    partner_id: Uuid | None = Field(
        None, description="Only users of this voucher partner.", examples=["01906a6e-0000-7000-8000-000000000003"]
    )


class UserCreateRequest(RequestModel):
    """Body of POST /management/v1/users."""

    email: EmailText = Field(description="The email address (permanent).")
    first_name: DisplayName = Field(description="The first name, 1 to 200 characters.")
    last_name: DisplayName = Field(description="The last name, 1 to 200 characters.")
    function_points: FunctionPoints = Field(description="The rights, by name; you must have all of them.")
    partner_id: Annotated[None, BeforeValidator(_must_be_null)] = Field(
        None, description="Must be null: users of voucher partners are invited."
    )


class UserUpdateRequest(RequestModel):
    """Body of PUT /management/v1/users/{userId}."""

    first_name: DisplayName = Field(description="The first name, 1 to 200 characters.")
    last_name: DisplayName = Field(description="The last name, 1 to 200 characters.")
    function_points: FunctionPoints = Field(
        description="The rights, by name; you must have each right that the user does not have yet."
    )


class UserModel(Representation):
    """A user."""

    id: UUID = Field(description="The unique identifier.")
    email: str = Field(description="The email address.")
    first_name: str = Field(description="The first name.")
    last_name: str = Field(description="The last name.")
    function_points: list[Annotated[str, FUNCTION_POINT]] = Field(description="The rights, by name.")
    partner_id: UUID | None = Field(description="The id of the user's voucher partner; null for your own users.")
    is_active: bool = Field(description="Whether the user can call the API.")
    created_at: datetime = Field(description="The time of creation, in UTC.")
    version: int = Field(description="The version, incremented by each change; also the `ETag`.")


UserUpdateRequest.ignore_read_only(UserModel)


class UserPage(Representation):
    """A page of users."""

    data: list[UserModel] = Field(description="Users, oldest first.")
    next_link: str | None = Field(description="The URL of the next page; null on the last page.")
    next_cursor: str | None = Field(description="The `cursor` of the next page; null on the last page.")


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
