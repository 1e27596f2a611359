"""Request and response models of organizations."""

from datetime import datetime
from uuid import UUID

from pydantic import Field

from tessera.api.http.fields import DisplayName, EmailText, RequestModel
from tessera.api.management.serialization import Representation
from tessera.api.serving.cursor_pages import CursorQuery


class OrganizationQuery(CursorQuery):
    """Query of GET /management/v1/organizations."""


class OrganizationRequest(RequestModel):
    """Body of POST /management/v1/organizations and of PUT /management/v1/organizations/{organizationId}."""

    name: DisplayName = Field(description="The display name, 1 to 200 characters, unique (not case-sensitive).")


class AdministratorCreateRequest(RequestModel):
    """Body of POST /management/v1/organizations/{organizationId}/administrators."""

    email: EmailText = Field(description="The email address (permanent).")
    first_name: DisplayName = Field(description="The first name, 1 to 200 characters.")
    last_name: DisplayName = Field(description="The last name, 1 to 200 characters.")


class OrganizationModel(Representation):
    """An organization."""

    id: UUID = Field(description="The unique identifier.")
    name: str = Field(description="The display name.")
    is_active: bool = Field(description="Whether its users, clients and keys can call the API.")
    frozen_at: datetime | None = Field(
        description="The time since which it can be read but not changed; null unless it is frozen."
    )
    created_at: datetime = Field(description="The time of creation, in UTC.")
    version: int = Field(description="The version, incremented by each change; also the `ETag`.")


OrganizationRequest.ignore_read_only(OrganizationModel)


class OrganizationPage(Representation):
    """A page of organizations."""

    data: list[OrganizationModel] = Field(description="Organizations, oldest first.")
    next_link: str | None = Field(description="The URL of the next page; null on the last page.")
    next_cursor: str | None = Field(description="The `cursor` of the next page; null on the last page.")


REQUEST = {"name": "Zephyr Certification Board"}
ADMINISTRATOR = {"email": "ada@example.com", "firstName": "Ada", "lastName": "Byron"}
ORGANIZATION = {
    "id": "01906a6e-0000-7000-8000-000000000001",
    **REQUEST,
    "isActive": True,
    "frozenAt": None,
    "createdAt": "2026-01-01T00:00:00Z",
    "version": 1,
}
