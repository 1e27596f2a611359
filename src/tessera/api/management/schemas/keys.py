"""What the management of API keys reads and answers."""

from datetime import datetime
from uuid import UUID

from pydantic import Field

from tessera.api.http.fields import RequestModel, Text, WholeNumber
from tessera.api.management.schemas.rights import FunctionPoints
from tessera.api.management.serialization import Representation
from tessera.api.serving.cursor_pages import CursorQuery
from tessera.identity.rules import MAX_OVERLAP_HOURS


class KeyQuery(CursorQuery):
    """Query of GET /management/v1/keys."""


class KeyRequest(RequestModel):
    """Body of POST /management/v1/keys."""

    name: Text = Field(description="What people call it, 1 to 200 characters.")
    function_points: FunctionPoints = Field(description="The rights; none that you lack.")


class KeyRotateRequest(RequestModel):
    """Body of POST /management/v1/keys/{keyId}/rotate."""

    overlap_hours: WholeNumber = Field(
        description="How long the old key works on.", json_schema_extra={"minimum": 0, "maximum": MAX_OVERLAP_HOURS}
    )


class KeyModel(Representation):
    """An API key, without its text."""

    id: UUID = Field(description="Its id.")
    name: str = Field(description="What people call it.")
    function_points: list[str] = Field(description="The rights, by name.")
    created_at: datetime = Field(description="When it was made, UTC.")
    expires_at: datetime | None = Field(description="When it ends, UTC; null for never.")
    revoked_at: datetime | None = Field(description="When it was ended at once, UTC.")
    last_used_at: datetime | None = Field(description="When it was last used, UTC, minutes late; null for never.")
    version: int = Field(description="Raised by each change; the `ETag` too.")


class KeySecretModel(KeyModel):
    """An API key with its text."""

    api_key: str | None = Field(
        description="The `cv-api-key`, shown this once; null when repeated under its `Idempotency-Key`."
    )


class KeySlice(Representation):
    """A part of the keys."""

    data: list[KeyModel] = Field(description="Keys, oldest first.")
    next_link: str | None = Field(description="The next part; null at the end.")


REQUEST = {"name": "Till", "functionPoints": ["StorefrontRedeem"]}
ROTATE = {"overlapHours": 24}
KEY = {
    "id": "01906a6e-0000-7000-8000-000000000001",
    **REQUEST,
    "createdAt": "2026-01-01T00:00:00Z",
    "expiresAt": "2027-01-01T00:00:00Z",
    "revokedAt": "2026-12-01T00:00:00Z",
    "lastUsedAt": "2026-11-01T00:00:00Z",
    "version": 1,
}
KEY_SECRET = KEY | {"apiKey": "shown-once"}
