"""Request and response models of API keys."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from pydantic import Field

from tessera.api.http.fields import DisplayName, RequestModel, Text, WholeNumber, list_of
from tessera.api.management.schemas.rights import FunctionPoints
from tessera.api.management.serialization import Representation
from tessera.api.serving.cursor_pages import CursorQuery
from tessera.api.vocabulary import FUNCTION_POINT
from tessera.identity.rules import MAX_OVERLAP_HOURS


class KeyQuery(CursorQuery):
    """Query of GET /management/v1/keys."""


class ApiKeyCreateRequest(RequestModel):
    """Body of POST /management/v1/keys."""

    name: DisplayName = Field(description="The display name, 1 to 200 characters.")
    function_points: FunctionPoints = Field(description="The rights, by name; you must have all of them.")
    networks: Annotated[tuple[str, ...], list_of(Text, "strings")] | None = Field(
        None,
        description="IP addresses and networks that the key can be used from, at most 100; all if absent or empty.",
        json_schema_extra={"maxItems": 100},
    )


class ApiKeyRotateRequest(RequestModel):
    """Body of POST /management/v1/keys/{keyId}/rotate."""

    overlap_hours: WholeNumber = Field(
        description="The number of hours for which the old key stays valid.",
        json_schema_extra={"minimum": 0, "maximum": MAX_OVERLAP_HOURS},
    )


class ApiKeyModel(Representation):
    """An API key without its secret text."""

    id: UUID = Field(description="The unique identifier.")
    name: str = Field(description="The display name.")
    function_points: list[Annotated[str, FUNCTION_POINT]] = Field(description="The rights, by name.")
    networks: list[str] = Field(description="The networks that the key can be used from; empty for all.")
    first_key_id: UUID | None = Field(
        description="The first key of a series of rotations, whose redemptions this key can change; null for that key."
    )
    created_at: datetime = Field(description="The time of creation, in UTC.")
    expires_at: datetime | None = Field(description="The time of expiry, in UTC; null if the key does not expire.")
    revoked_at: datetime | None = Field(description="The time of revocation, in UTC.")
    last_used_at: datetime | None = Field(
        description="The time of the last use, in UTC, accurate to minutes; null if never used."
    )
    version: int = Field(description="The version, incremented by each change; also the `ETag`.")


class ApiKeySecretModel(ApiKeyModel):
    """An API key with its secret text."""

    api_key: str | None = Field(
        description="The `cv-api-key`, shown only once; null when the request is repeated with its `Idempotency-Key`."
    )


class ApiKeyPage(Representation):
    """A page of keys."""

    data: list[ApiKeyModel] = Field(description="Keys, oldest first.")
    next_link: str | None = Field(description="The URL of the next page; null on the last page.")
    next_cursor: str | None = Field(description="The `cursor` of the next page; null on the last page.")


REQUEST = {"name": "Till", "functionPoints": ["StorefrontRedeem"], "networks": ["192.0.2.0/24"]}
ROTATE = {"overlapHours": 24}
KEY = {
    "id": "01906a6e-0000-7000-8000-000000000001",
    **REQUEST,
    "firstKeyId": "01906a6e-0000-7000-8000-000000000002",
    "createdAt": "2026-01-01T00:00:00Z",
    "expiresAt": "2027-01-01T00:00:00Z",
    "revokedAt": "2026-12-01T00:00:00Z",
    "lastUsedAt": "2026-11-01T00:00:00Z",
    "version": 1,
}
KEY_SECRET = KEY | {"apiKey": "shown-once"}
