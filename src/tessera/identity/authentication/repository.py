"""The statement that finds callers of any organization by their credentials."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from tessera.identity.authentication.credentials import Credential
from tessera.kit.db.arrays import Texts, Uuids
from tessera.kit.db.unit_of_work import Reader

# The function pins each organization in turn, so that row-level security applies to each look-up.
FIND_CALLERS = "select * from find_callers(%(kinds)s, %(organization_ids)s, %(ids)s, %(addresses)s::inet[])"


class CallerRow(NamedTuple):
    """The holder of a credential and the digest of its secret, which is None for a token; `position` starts at 1.

    `is_active` is None for a key whose client's address is outside of its networks.
    """

    position: int
    id: UUID
    name: str
    function_points: Sequence[str]
    partner_id: UUID | None
    revoked_at: datetime | None
    expires_at: datetime | None
    is_active: bool | None
    digest: bytes | None
    first_key_id: UUID | None
    token_generation: int | None
    token_function_points: Sequence[str] | None
    token_issuer: str | None


async def find_callers(reader: Reader, credentials: Sequence[Credential]) -> dict[Credential, CallerRow]:
    """The caller that each credential names, from one statement, which compares no secrets."""
    parameters: dict[str, Any] = {
        "kinds": Texts([credential.kind for credential in credentials]),
        "organization_ids": Uuids([credential.organization_id for credential in credentials]),
        "ids": Uuids([credential.name.id for credential in credentials]),
        "addresses": Texts([credential.address for credential in credentials]),
    }
    rows = (CallerRow(*row) for row in await reader.fetch(FIND_CALLERS, parameters))
    return {credentials[row.position - 1]: row for row in rows}
