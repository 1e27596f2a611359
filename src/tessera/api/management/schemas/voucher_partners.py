"""Request and response models of voucher partners and their users."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from pydantic import Field

from tessera.api.http.fields import Boolean, DisplayName, RequestModel, Text, choice
from tessera.api.management.serialization import Representation
from tessera.api.serving.cursor_pages import CursorQuery
from tessera.api.vocabulary import PARTNER_STATUS, PARTNER_USER_STATUS
from tessera.vouchers.rules import Status

StatusChoice = Annotated[Status, *choice(Status, PARTNER_STATUS)]


class VoucherPartnerQuery(CursorQuery):
    """Query of GET /management/v1/voucher-partners."""

    partner_name_part: Text | None = Field(
        None,
        alias="name",
        description="Only partners whose name contains this text (not case-sensitive).",
        examples=["Acme"],
    )
    status: StatusChoice | None = Field(None, description="Only partners with this status.", examples=["Active"])


class VoucherPartnerCreateRequest(RequestModel):
    """Body of POST /management/v1/voucher-partners."""

    name: DisplayName = Field(description="The display name, 1 to 200 characters, unique (not case-sensitive).")
    is_active: Boolean = Field(default=False, description="Whether the partner can buy vouchers at once.")


class VoucherPartnerUpdateRequest(RequestModel):
    """Body of PUT /management/v1/voucher-partners/{voucherPartnerId}."""

    name: DisplayName = Field(description="The display name, 1 to 200 characters, unique (not case-sensitive).")


class VoucherPartnerUserQuery(CursorQuery):
    """Query of GET /management/v1/voucher-partners/{voucherPartnerId}/users."""


class VoucherPartnerUserInviteRequest(RequestModel):
    """Body of POST /management/v1/voucher-partners/{voucherPartnerId}/users."""

    email: Text = Field(description="A valid email address, unique among all users of your organization.")
    first_name: DisplayName = Field(description="The first name, 1 to 200 characters.")
    last_name: DisplayName = Field(description="The last name, 1 to 200 characters.")


class VoucherPartnerModel(Representation):
    """A company that buys vouchers."""

    id: UUID = Field(description="The unique identifier.")
    name: str = Field(description="The display name.")
    status: Annotated[str, PARTNER_STATUS] = Field(description="The current status.")
    created_at: datetime = Field(description="The time of creation, in UTC.")
    version: int = Field(description="The version, incremented by each change; also the `ETag`.")


VoucherPartnerUpdateRequest.ignore_read_only(VoucherPartnerModel)


class VoucherPartnerPage(Representation):
    """A page of voucher partners."""

    data: list[VoucherPartnerModel] = Field(description="Voucher partners, oldest first.")
    next_link: str | None = Field(description="The URL of the next page; null on the last page.")
    next_cursor: str | None = Field(description="The `cursor` of the next page; null on the last page.")


class VoucherPartnerUserModel(Representation):
    """A user of a voucher partner."""

    id: UUID = Field(description="The unique identifier.")
    email: str = Field(description="The email address, unique among all users of your organization.")
    first_name: str = Field(description="The first name.")
    last_name: str = Field(description="The last name.")
    status: Annotated[str, PARTNER_USER_STATUS] = Field(description="The current status.")
    created_at: datetime = Field(description="The time of creation, in UTC.")
    version: int = Field(description="The version, incremented by each change; also the `ETag`.")


class VoucherPartnerUserPage(Representation):
    """A page of users of a voucher partner."""

    data: list[VoucherPartnerUserModel] = Field(description="Users, oldest first.")
    next_link: str | None = Field(description="The URL of the next page; null on the last page.")
    next_cursor: str | None = Field(description="The `cursor` of the next page; null on the last page.")


PARTNER = {
    "id": "01906a6e-0000-7000-8000-000000000001",
    "name": "Acme Corp",
    "status": "Active",
    "createdAt": "2026-01-01T00:00:00Z",
    "version": 1,
}
CREATE_PARTNER = {"name": "Hooli Academy", "isActive": True}
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
INVITE = {"email": "ida@acme.example.com", "firstName": "Ida", "lastName": "Rhodes"}
