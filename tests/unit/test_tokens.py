"""Bearer tokens: only unchanged ones with our signature and audience, before they expire."""

import base64
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jose import jwt

from tessera.kit import tokens
from tessera.kit.errors import NotAuthenticated
from tessera.kit.tokens import TokenExpired, TokenKeyUnknown, TokenSigner

NOW = datetime(2026, 6, 15, 12, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)
OLD, NEW = "old-secret-0123456789-0123456789-01", "new-secret-0123456789-0123456789-01"
SIGNER = TokenSigner({"new": NEW, "old": OLD})
CLAIMS = {"org": "o", "kind": "client", "sub": "s"}
WHOLE = CLAIMS | {"iss": "tessera", "aud": "tessera-api", "exp": int((NOW + HOUR).timestamp())}


def segment(value: object) -> str:
    raw = value if isinstance(value, bytes) else json.dumps(value).encode()
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def sign(claims: dict[str, Any], *, kid: object = "new", secret: str = NEW, algorithm: str = "HS256") -> str:
    return str(jwt.encode(claims, secret, algorithm=algorithm, headers={"kid": kid}))


def without(name: str) -> dict[str, Any]:
    return {each: value for each, value in WHOLE.items() if each != name}


def test_a_token_gives_its_claims_back() -> None:
    issued = int(NOW.timestamp())
    expected = CLAIMS | {"iss": "tessera", "aud": "tessera-api", "iat": issued, "exp": issued + 3600}
    assert SIGNER.read(SIGNER.issue(CLAIMS, now=NOW, lifetime=HOUR), now=NOW) == expected


def test_our_own_claims_cannot_be_overridden() -> None:
    token = SIGNER.issue(CLAIMS | {"exp": 2**40, "iss": "x", "aud": "x"}, now=NOW, lifetime=HOUR)
    assert SIGNER.read(token, now=NOW)["exp"] == WHOLE["exp"]


def test_a_token_is_good_until_just_before_its_end() -> None:
    token = SIGNER.issue(CLAIMS, now=NOW, lifetime=HOUR)
    assert SIGNER.read(token, now=NOW + HOUR - timedelta(microseconds=1))["sub"] == "s"
    with pytest.raises(TokenExpired):
        SIGNER.read(token, now=NOW + HOUR)


def test_the_first_key_signs_and_every_key_is_accepted_until_it_is_removed() -> None:
    before = TokenSigner({"old": OLD}).issue(CLAIMS, now=NOW, lifetime=HOUR)
    after = SIGNER.issue(CLAIMS, now=NOW, lifetime=HOUR)
    assert jwt.get_unverified_header(after)["kid"] == "new"
    assert SIGNER.read(before, now=NOW) == SIGNER.read(after, now=NOW)
    with pytest.raises(TokenKeyUnknown):
        TokenSigner({"new": NEW}).read(before, now=NOW)


def test_a_whole_token_made_elsewhere_with_our_key_is_good() -> None:
    # Each refused token below differs from this one in one claim.
    assert SIGNER.read(sign(WHOLE), now=NOW) == WHOLE


@pytest.mark.parametrize(
    "token",
    [
        pytest.param(lambda: f"{segment({'alg': 'none', 'kid': 'new'})}.{segment(WHOLE)}.", id="alg none"),
        pytest.param(lambda: f"{segment({'alg': 'None', 'kid': 'new'})}.{segment(WHOLE)}.", id="alg None"),
        pytest.param(lambda: sign(WHOLE, algorithm="HS384"), id="HS384"),
        pytest.param(lambda: sign(WHOLE, algorithm="HS512"), id="HS512"),
        pytest.param(lambda: sign(WHOLE, kid="old"), id="kid of another key"),
        pytest.param(lambda: sign(WHOLE, kid=None), id="kid null"),
        pytest.param(lambda: sign(WHOLE, kid=["new"]), id="kid a list"),
        pytest.param(lambda: sign(WHOLE, kid={}), id="kid an object"),
        pytest.param(lambda: str(jwt.encode(WHOLE, NEW, algorithm="HS256")), id="no kid"),
        pytest.param(lambda: sign(WHOLE, secret="another"), id="another secret"),
        pytest.param(lambda: sign(WHOLE | {"iss": "else"}), id="another issuer"),
        pytest.param(lambda: sign(WHOLE | {"aud": "else"}), id="another audience"),
        pytest.param(lambda: sign(without("iss")), id="no issuer"),
        pytest.param(lambda: sign(without("aud")), id="no audience"),
        pytest.param(lambda: sign(without("exp")), id="no expiry"),
        pytest.param(lambda: sign(WHOLE)[:-2], id="cut signature"),
        pytest.param(lambda: sign(WHOLE).rpartition(".")[0] + ".", id="no signature"),
        pytest.param(lambda: sign(WHOLE).replace(".", ".x", 1), id="changed claims"),
        pytest.param(lambda: sign(WHOLE) + ".x", id="four parts"),
        pytest.param(lambda: sign(WHOLE) + "=", id="signature with padding"),
        pytest.param(lambda: sign(WHOLE) + "!!!!", id="signature with letters that say nothing"),
        pytest.param(lambda: sign(WHOLE).translate(str.maketrans("-_", "+/")), id="signature in another alphabet"),
        pytest.param(lambda: f"{segment([1])}.{segment(WHOLE)}.x", id="header a list"),
        pytest.param(lambda: f"{segment(b'[' * 2900)}.e30.x", id="deep header"),
        pytest.param(lambda: f"{segment(b'{' + b'{' * 9)}.e30.x", id="broken header"),
        pytest.param(lambda: f"{segment(bytes([255]))}.e30.x", id="header no text"),
        pytest.param(lambda: sign(WHOLE | {"x": "y" * 4096}), id="too long"),
        pytest.param(lambda: "", id="empty"),
    ],
)  # fmt: skip
def test_every_other_token_is_refused(token: Callable[[], str]) -> None:
    with pytest.raises(NotAuthenticated) as caught:
        SIGNER.read(token(), now=NOW)
    assert not isinstance(caught.value, TokenExpired | TokenKeyUnknown)


@pytest.mark.parametrize("claims", [b"[" * 2900, b"{}", b"[]", b"x", bytes([255])])
def test_a_forged_token_without_readable_claims_has_none(claims: bytes) -> None:
    assert SIGNER.read_unverified(f"{segment({'kid': 'new'})}.{segment(claims)}.x") == {}


def test_the_refusal_of_a_token_with_an_unknown_key_says_so() -> None:
    with pytest.raises(TokenKeyUnknown, match=r"^The token was signed with a key that this server does not know\.$"):
        SIGNER.read(sign(WHOLE, kid="unknown"), now=NOW)


@given(st.text())
def test_garbage_is_refused(token: str) -> None:
    with pytest.raises(NotAuthenticated):
        SIGNER.read(token, now=NOW)


@given(st.integers(min_value=0), st.characters(codec="ascii"))
def test_no_character_of_a_token_can_be_changed(position: int, character: str) -> None:
    token = SIGNER.issue(CLAIMS, now=NOW, lifetime=HOUR)
    position %= len(token)
    if token[position] != character:
        with pytest.raises(NotAuthenticated):
            SIGNER.read(token[:position] + character + token[position + 1 :], now=NOW)


def test_a_token_of_the_greatest_length_is_read() -> None:
    padding = 1
    while len(token := sign(WHOLE | {"x": "y" * padding})) < 4093:
        padding += 1
    assert SIGNER.read(token, now=NOW)["x"] == "y" * padding


def test_the_keys_are_not_shown_by_accident() -> None:
    assert NEW not in repr(SIGNER)


def test_a_token_is_forgotten_for_a_new_one_and_the_others_stay_verified(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tokens, "MAX_CACHED", 3)
    keys = {"new": NEW}
    signer = TokenSigner(keys)
    issued = [signer.issue({"sub": str(number)}, now=NOW, lifetime=HOUR) for number in range(4)]
    for token in issued:
        signer.read(token, now=NOW)
    keys.clear()  # only a token that was verified before is read
    assert [signer.read(token, now=NOW)["sub"] for token in issued[1:]] == ["1", "2", "3"]
    with pytest.raises(TokenKeyUnknown):
        signer.read(issued[0], now=NOW)
