"""What the management of organizations reads and answers."""

from datetime import datetime
from uuid import UUID

from pydantic import Field

from tessera.api.http.fields import EmailText, RequestModel, Text
from tessera.api.management.serialization import Representation
from tessera.api.serving.cursor_pages import CursorQuery


class OrganizationQuery(CursorQuery):
    """Query of GET /management/v1/organizations."""


class OrganizationRequest(RequestModel):
    """Body of POST /management/v1/organizations, and of PUT to one of them."""

    name: Text = Field(description="What people call it, 1 to 200 characters, unique in any case.")


class AdministratorRequest(RequestModel):
    """Body of POST /management/v1/organizations/{organizationId}/administrators."""

    email: EmailText = Field(description="The address, the user's own for ever.")
    first_name: Text = Field(description="1 to 200 characters.")
    last_name: Text = Field(description="1 to 200 characters.")


class OrganizationModel(Representation):
    """An organization."""

    id: UUID = Field(description="Its id.")
    name: str = Field(description="What people call it.")
    is_active: bool = Field(description="Whether anyone of it may call.")
    created_at: datetime = Field(description="When it was made, UTC.")
    version: int = Field(description="Raised by each change; the `ETag` too.")


class OrganizationSlice(Representation):
    """A part of the organizations."""

    data: list[OrganizationModel] = Field(description="Organizations, oldest first.")
    next_link: str | None = Field(description="The next part; null at the end.")


REQUEST = {"name": "Aurora Certification Board"}
ADMINISTRATOR = {"email": "ada@example.com", "firstName": "Ada", "lastName": "Byron"}
ORGANIZATION = {
    "id": "01906a6e-0000-7000-8000-000000000001",
    **REQUEST,
    "isActive": True,
    "createdAt": "2026-01-01T00:00:00Z",
    "version": 1,
}
