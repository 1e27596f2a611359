"""What the management of voucher partners and their users reads and answers."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from pydantic import Field

from tessera.api.http.fields import Boolean, RequestModel, Text, choice
from tessera.api.management.serialization import Representation
from tessera.api.serving.cursor_pages import CursorQuery
from tessera.vouchers.rules import Status

StatusChoice = Annotated[Status, *choice(Status)]


class VoucherPartnerQuery(CursorQuery):
    """Query of GET /management/v1/voucher-partners."""

    partner_name_part: Text | None = Field(
        None, alias="name", description="Any part of the name, in any case.", examples=["Acme"]
    )
    status: StatusChoice | None = Field(None, description="Those of this status.", examples=["Active"])


class VoucherPartnerCreateRequest(RequestModel):
    """Body of POST /management/v1/voucher-partners."""

    name: Text = Field(description="1 to 200 characters, unique in any case.")
    is_active: Boolean = Field(default=False, description="Whether it can buy at once.")


class VoucherPartnerUpdateRequest(RequestModel):
    """Body of PUT /management/v1/voucher-partners/{voucherPartnerId}."""

    name: Text = Field(description="1 to 200 characters, unique in any case.")


class VoucherPartnerUserQuery(CursorQuery):
    """Query of GET /management/v1/voucher-partners/{voucherPartnerId}/users."""


class VoucherPartnerUserInviteRequest(RequestModel):
    """Body of POST /management/v1/voucher-partners/{voucherPartnerId}/users."""

    email: Text = Field(description="A valid address, unique among all users of your organization.")
    first_name: Text = Field(description="1 to 200 characters.")
    last_name: Text = Field(description="1 to 200 characters.")


class VoucherPartnerModel(Representation):
    """A company that buys vouchers."""

    id: UUID = Field(description="Its id.")
    name: str = Field(description="What people call it.")
    status: str = Field(description="`Active`, `Inactive`, or `Archived` for ever.")
    created_at: datetime = Field(description="When it was made, UTC.")
    version: int = Field(description="Raised by each change; the `ETag` too.")


class VoucherPartnerSlice(Representation):
    """A part of the voucher partners."""

    data: list[VoucherPartnerModel] = Field(description="The parts, in the order of the list.")
    next_link: str | None = Field(description="The next part; null at the end.")


class VoucherPartnerUserModel(Representation):
    """A person who calls for a voucher partner, or will."""

    id: UUID = Field(description="Its id.")
    email: str = Field(description="Unique among all users of your organization.")
    first_name: str = Field(description="Of the user.")
    last_name: str = Field(description="Of the user.")
    status: str = Field(description="`Invited`, `Accepted`, `Active` or `Inactive`; only an active user can call.")
    created_at: datetime = Field(description="When it was made, UTC.")
    version: int = Field(description="Raised by each change; the `ETag` too.")


class VoucherPartnerUserSlice(Representation):
    """A part of the users of a voucher partner."""

    data: list[VoucherPartnerUserModel] = Field(description="The parts, in the order of the list.")
    next_link: str | None = Field(description="The next part; null at the end.")


PARTNER = {
    "id": "01906a6e-0000-7000-8000-000000000001",
    "name": "Acme Corp",
    "status": "Active",
    "createdAt": "2026-01-01T00:00:00Z",
    "version": 1,
}
CREATE_PARTNER = {"name": "Acme Corp", "isActive": True}
RENAME_PARTNER = {"name": "Acme Corporation"}
USER = {
    "id": "01906a6e-0000-7000-8000-000000000002",
    "email": "grace@acme.example.com",
    "firstName": "Grace",
    "lastName": "Hopper",
    "status": "Invited",
    "createdAt": "2026-01-01T00:00:00Z",
    "version": 1,
}
INVITE = {"email": "grace@acme.example.com", "firstName": "Grace", "lastName": "Hopper"}
