"""Uses of keys are written in the background, each once, and what was written long ago takes no memory."""

from datetime import timedelta

import pytest
from tests.conftest import NOW
from tests.support.factories import Tenant

from tessera.api.serving.resources import Resources
from tessera.identity.authentication.credentials import CredentialName, parse_key
from tessera.identity.authentication.key_usage import WRITE_INTERVAL, KeyUses
from tessera.identity.keys import service


async def test_what_was_written_long_ago_is_forgotten(resources: Resources, tenant: Tenant) -> None:
    uses, key = KeyUses(), parse_key(tenant.key.secret).name
    for number in range(50):
        uses.note(CredentialName(tenant.id, tenant.exam_ids["NCA-GENL"]), now=NOW)
        uses.note(key, now=NOW + number * WRITE_INTERVAL)
        await uses.flush(resources.database)
        assert uses._pending == {}
    assert list(uses._written) == [key]


async def test_a_use_during_the_write_is_written_by_the_next(
    resources: Resources, tenant: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    uses, key = KeyUses(), parse_key(tenant.key.secret).name
    later = NOW + timedelta(hours=1)
    write = service.note_uses

    async def use_again(*arguments: object, **options: object) -> None:
        await write(*arguments, **options)  # type: ignore[arg-type]  # passed on
        uses.note(key, now=later)

    uses.note(key, now=NOW)
    monkeypatch.setattr(service, "note_uses", use_again)
    await uses.flush(resources.database)
    assert uses._pending == {key: later}
