"""ClientIds, secrets and API keys."""

import hashlib
from collections.abc import Callable
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tessera.identity.authentication import credentials
from tessera.identity.authentication.credentials import CLIENT_PREFIX, KEY_PREFIX, CredentialName
from tessera.kit.errors import NotAuthenticated

NAME = CredentialName(UUID(int=7), UUID(int=11))


@given(st.uuids(), st.uuids())
def test_a_client_id_names_its_organization_and_its_client(organization_id: UUID, own_id: UUID) -> None:
    name = CredentialName(organization_id, own_id)
    text = name.text(CLIENT_PREFIX)
    assert (len(text), text[:4]) == (47, "tsc_")
    assert credentials.parse_client(text, "secret").name == name


def test_a_key_names_its_holder_and_its_digest_covers_the_whole_text() -> None:
    text = credentials.new_key_text(NAME)
    read = credentials.parse_key(text)
    assert text.startswith("tsk_")
    assert (read.name, read.digest) == (NAME, hashlib.sha256(text.encode()).digest())


def test_secrets_have_256_bits_and_never_repeat() -> None:
    made = {credentials.new_secret() for _ in range(100)}
    assert ({len(secret) for secret in made}, len(made)) == ({43}, 100)


def test_the_digest_of_a_client_is_that_of_its_secret() -> None:
    client = credentials.parse_client(NAME.text(CLIENT_PREFIX), "secret")
    assert (client.name, client.digest) == (NAME, hashlib.sha256(b"secret").digest())


@pytest.mark.parametrize("spoil", [str.upper, str.strip, lambda text: text[:-1], lambda text: text + "A"])
def test_a_changed_client_id_is_refused_or_names_another(spoil: Callable[[str], str]) -> None:
    text = NAME.text(CLIENT_PREFIX)
    spoilt = spoil(text)
    if spoilt != text:
        with pytest.raises(NotAuthenticated):
            credentials.parse_client(spoilt, "secret")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "tsc_",
        NAME.text(KEY_PREFIX),
        NAME.text(""),
        "tsc_" + "!" * 43,
        "tsc_" + "é" * 43,
        "tsc_" + "\0" * 43,
        "tsc_" + "A" * 42,
        "tsc_" + "A" * 44,
        "TSC_" + "A" * 43,
        " " + NAME.text(CLIENT_PREFIX),
    ],
    ids=repr,
)
def test_what_is_no_client_id_is_refused(text: str) -> None:
    with pytest.raises(NotAuthenticated):
        credentials.parse_client(text, "secret")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "tsk_",
        NAME.text(KEY_PREFIX),
        NAME.text(KEY_PREFIX) + "-secret",
        NAME.text(CLIENT_PREFIX) + "_secret",
        NAME.text(KEY_PREFIX)[:-1] + "_secret",
        "tsk_" + "!" * 43 + "_secret",
    ],
    ids=repr,
)
def test_what_is_no_key_is_refused(text: str) -> None:
    with pytest.raises(NotAuthenticated):
        credentials.parse_key(text)


@given(st.text())
def test_garbage_is_refused(text: str) -> None:
    for parse in (lambda name: credentials.parse_client(name, "secret"), credentials.parse_key):
        with pytest.raises(NotAuthenticated):
            parse(text)
