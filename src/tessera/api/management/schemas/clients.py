"""Request and response models of API clients."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from pydantic import Field

from tessera.api.http.fields import DisplayName, Flag, RequestModel
from tessera.api.management.schemas.rights import FunctionPoints
from tessera.api.management.serialization import Representation
from tessera.api.serving.cursor_pages import CursorQuery
from tessera.api.vocabulary import FUNCTION_POINT


class ClientQuery(CursorQuery):
    """Query of GET /management/v1/clients."""


class ClientRotateQuery(RequestModel):
    """Query of POST /management/v1/clients/{apiClientId}/rotate-secret."""

    end_tokens: Flag | None = Field(
        None, description="`true` also ends the access tokens that the client has fetched.", examples=["true"]
    )


class ApiClientCreateRequest(RequestModel):
    """Body of POST /management/v1/clients."""

    name: DisplayName = Field(description="The display name, 1 to 200 characters, unique.")
    function_points: FunctionPoints = Field(description="The rights, by name; you must have all of them.")


class ApiClientModel(Representation):
    """An API client."""

    id: UUID = Field(description="The unique identifier.")
    client_id: str = Field(description="The ClientId for authentication.")
    name: str = Field(description="The display name.")
    function_points: list[Annotated[str, FUNCTION_POINT]] = Field(description="The rights, by name.")
    created_at: datetime = Field(description="The time of creation, in UTC.")
    revoked_at: datetime | None = Field(description="The time of revocation, in UTC; null while the client is valid.")
    version: int = Field(description="The version, incremented by each change; also the `ETag`.")


class ApiClientSecretModel(ApiClientModel):
    """An API client with its secret."""

    client_secret: str | None = Field(
        description="The secret, shown only once; null when the request is repeated with its `Idempotency-Key`."
    )


class ApiClientPage(Representation):
    """A page of clients."""

    data: list[ApiClientModel] = Field(description="Clients, oldest first.")
    next_link: str | None = Field(description="The URL of the next page; null on the last page.")
    next_cursor: str | None = Field(description="The `cursor` of the next page; null on the last page.")


REQUEST = {"name": "Web shop", "functionPoints": ["PartnerManagePromoCodes"]}
CLIENT = {
    "id": "01906a6e-0000-7000-8000-000000000001",
    "clientId": "tsc_AZBqbgAAcACAAAAAAAAAAQGQam4AAHAAgAAAAAAAAAE",
    **REQUEST,
    "createdAt": "2026-01-01T00:00:00Z",
    "revokedAt": "2027-01-01T00:00:00Z",
    "version": 1,
}
CLIENT_SECRET = CLIENT | {"clientSecret": "shown-once"}
