"""What the management of long-lived tokens reads and answers."""

from datetime import datetime
from uuid import UUID

from pydantic import Field

from tessera.api.http.fields import EmailText, RequestModel, Uuid, WholeNumber
from tessera.api.management.serialization import Representation
from tessera.api.serving.cursor_pages import CursorQuery
from tessera.identity.rules import MAX_TOKEN_DAYS


class TokenQuery(CursorQuery):
    """Query of GET /management/v1/tokens."""

    user_id: Uuid | None = Field(
        None, description="Those of this user.", examples=["01906a6e-0000-7000-8000-000000000002"]
    )


class TokenRequest(RequestModel):
    """Body of POST /management/v1/tokens."""

    email: EmailText = Field(description="The address of the user whom it is for.")
    days: WholeNumber = Field(
        description="How long it is good.", json_schema_extra={"minimum": 1, "maximum": MAX_TOKEN_DAYS}
    )


class TokenModel(Representation):
    """A long-lived Bearer token, without its text."""

    id: UUID = Field(description="Its id.")
    user_id: UUID = Field(description="Whose it is.")
    email: str = Field(description="The user's address.")
    created_at: datetime = Field(description="When it was issued, UTC.")
    expires_at: datetime = Field(description="When it ends, UTC.")
    revoked_at: datetime | None = Field(description="When it was ended before, UTC.")
    version: int = Field(description="Raised by each change; the `ETag` too.")


class TokenSecretModel(TokenModel):
    """A long-lived Bearer token with its text."""

    token: str | None = Field(
        description="The Bearer token, shown this once; null when repeated under its `Idempotency-Key`."
    )


class TokenSlice(Representation):
    """A part of the tokens."""

    data: list[TokenModel] = Field(description="Tokens, oldest first.")
    next_link: str | None = Field(description="The next part; null at the end.")


REQUEST = {"email": "ada@example.com", "days": 365}
TOKEN = {
    "id": "01906a6e-0000-7000-8000-000000000001",
    "userId": "01906a6e-0000-7000-8000-000000000002",
    "email": "ada@example.com",
    "createdAt": "2026-01-01T00:00:00Z",
    "expiresAt": "2027-01-01T00:00:00Z",
    "revokedAt": "2026-12-01T00:00:00Z",
    "version": 1,
}
TOKEN_SECRET = TOKEN | {"token": "shown-once"}
