"""The organization to which a response counts while its client does not read it."""

from uuid import UUID

import httpx
import pytest
from fastapi import FastAPI
from starlette.types import Receive, Scope, Send
from tests.support.factories import Tenant

from tessera.api.serving.unread import READER, UNREAD, UnreadResponses
from tessera.identity.authentication.credentials import CredentialName, new_key_text
from tessera.kit.identifiers import new_id


class Connections:
    """The application behind connections of one process, and the organization to which each response counts."""

    def __init__(self, app: FastAPI) -> None:
        self.unread = UnreadResponses(10, per_organization=5)
        self.readers: list[UUID | None] = []
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        scope["state"] = {UNREAD: self.unread}
        await self._app(scope, receive, send)
        self.readers.append(scope["state"].get(READER))


@pytest.fixture
def connections(app: FastAPI) -> Connections:
    return Connections(app)


@pytest.mark.parametrize("path", ["/api/v1/promo-codes?code=X", "/storefront/v1/redemptions"])
async def test_only_who_has_a_key_of_an_organization_reads_for_it(
    connections: Connections, tenant: Tenant, path: str
) -> None:
    invented = new_key_text(CredentialName(tenant.id, new_id()))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(connections), base_url="http://testserver") as client:

        async def statuses() -> list[int]:
            keys = ({"cv-api-key": key} for key in (tenant.key.secret, invented))
            return [(await client.get(path, headers=each)).status_code for each in keys]

        await statuses()
        connections.unread.add(tenant.id, 6)
        assert await statuses() == [429, 401]
    assert connections.readers == [tenant.id, None, None, None]
