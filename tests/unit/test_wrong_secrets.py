"""What one process remembers of wrong secrets."""

from uuid import UUID

import pytest

from tessera.identity.authentication import wrong_secrets
from tessera.identity.authentication.credentials import Credential, CredentialKind, CredentialName, WrongSecret
from tessera.identity.authentication.wrong_secrets import WrongSecrets
from tessera.kit.token_buckets import Rate


def test_only_the_names_tried_last_are_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wrong_secrets, "MAX_NAMES", 3)
    memory = WrongSecrets(Rate(per_minute=1, burst=1))
    names = [CredentialName(UUID(int=0), UUID(int=number)) for number in range(5)]
    for name in (names[0], *names):  # the second try of the first name makes it no older
        memory.note(Credential(CredentialKind.CLIENT, name, b"wrong"), WrongSecret("", b"right"))
    assert list(memory._digests) == names[2:]
