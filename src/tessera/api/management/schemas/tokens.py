"""Request and response models of long-lived tokens."""

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
        None, description="Only tokens of this user.", examples=["01906a6e-0000-7000-8000-000000000002"]
    )


class TokenIssueRequest(RequestModel):
    """Body of POST /management/v1/tokens."""

    email: EmailText = Field(description="The email address of the user.")
    days: WholeNumber = Field(
        description="The validity in days.", json_schema_extra={"minimum": 1, "maximum": MAX_TOKEN_DAYS}
    )


class IssuedTokenModel(Representation):
    """A long-lived Bearer token, without its text."""

    id: UUID = Field(description="The unique identifier.")
    user_id: UUID = Field(description="The id of the user.")
    email: str = Field(description="The email address of the user.")
    function_points: list[str] | None = Field(
        description="The rights of the issuer, which limit those of the user; null if they were not recorded."
    )
    issuer: str | None = Field(description="The name of the issuer; null if it was not recorded.")
    created_at: datetime = Field(description="The time of issue, in UTC.")
    expires_at: datetime = Field(description="The time of expiry, in UTC.")
    revoked_at: datetime | None = Field(description="The time of revocation, in UTC.")
    version: int = Field(description="The version, incremented by each change; also the `ETag`.")


class IssuedTokenSecretModel(IssuedTokenModel):
    """A long-lived Bearer token with its text."""

    token: str | None = Field(
        description="The Bearer token, shown only once; null when the request is repeated with its `Idempotency-Key`."
    )


class IssuedTokenPage(Representation):
    """A page of tokens."""

    data: list[IssuedTokenModel] = Field(description="Tokens, oldest first.")
    next_link: str | None = Field(description="The URL of the next page; null on the last page.")
    next_cursor: str | None = Field(description="The `cursor` of the next page; null on the last page.")


REQUEST = {"email": "ada@example.com", "days": 365}
TOKEN = {
    "id": "01906a6e-0000-7000-8000-000000000001",
    "userId": "01906a6e-0000-7000-8000-000000000002",
    "email": "ada@example.com",
    "functionPoints": ["ManageOrganization", "PartnerManageVouchers"],
    "issuer": "grace@example.com",
    "createdAt": "2026-01-01T00:00:00Z",
    "expiresAt": "2027-01-01T00:00:00Z",
    "revokedAt": "2026-12-01T00:00:00Z",
    "version": 1,
}
TOKEN_SECRET = TOKEN | {"token": "shown-once"}
