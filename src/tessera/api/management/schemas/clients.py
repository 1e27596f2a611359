"""What the management of API clients reads and answers."""

from datetime import datetime
from uuid import UUID

from pydantic import Field

from tessera.api.http.fields import RequestModel, Text
from tessera.api.management.schemas.rights import FunctionPoints
from tessera.api.management.serialization import Representation
from tessera.api.serving.cursor_pages import CursorQuery


class ClientQuery(CursorQuery):
    """Query of GET /management/v1/clients."""


class ClientRequest(RequestModel):
    """Body of POST /management/v1/clients."""

    name: Text = Field(description="What people call it, 1 to 200 characters, unique.")
    function_points: FunctionPoints = Field(description="The rights; none that you lack.")


class ClientModel(Representation):
    """An API client."""

    id: UUID = Field(description="Its id.")
    client_id: str = Field(description="The ClientId that it shows with its secret.")
    name: str = Field(description="What people call it.")
    function_points: list[str] = Field(description="The rights, by name.")
    created_at: datetime = Field(description="When it was made, UTC.")
    revoked_at: datetime | None = Field(description="When it was ended, UTC; null while it works.")
    version: int = Field(description="Raised by each change; the `ETag` too.")


class ClientSecretModel(ClientModel):
    """An API client with its secret."""

    client_secret: str | None = Field(
        description="The secret, shown this once; null when the request is repeated under its `Idempotency-Key`."
    )


class ClientSlice(Representation):
    """A part of the clients."""

    data: list[ClientModel] = Field(description="Clients, oldest first.")
    next_link: str | None = Field(description="The next part; null at the end.")


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
