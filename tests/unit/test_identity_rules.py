"""The rights and the standing of callers at their edges."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from email_validator import EmailNotValidError, validate_email

from tessera.identity import rules
from tessera.identity.rules import FunctionPoint, Standing
from tessera.kit.errors import Invalid, NotAllowed
from tessera.kit.identifiers import new_id

NOW = datetime(2026, 6, 15, 12, tzinfo=UTC)
GOOD = Standing(revoked_at=None, expires_at=None, is_active=True)
MANAGE, REDEEM = FunctionPoint.MANAGE_ORGANIZATION, FunctionPoint.STOREFRONT_REDEEM
VOUCHERS, ASSIGN = FunctionPoint.PARTNER_MANAGE_VOUCHERS, FunctionPoint.PARTNER_ASSIGN_VOUCHERS


def test_a_credential_is_good_until_the_moment_of_its_expiry() -> None:
    standings = {
        GOOD: True,
        replace(GOOD, expires_at=NOW + timedelta(seconds=1)): True,
        replace(GOOD, expires_at=NOW): False,
        replace(GOOD, revoked_at=NOW + timedelta(days=1)): False,
        replace(GOOD, is_active=False): False,
    }
    assert {standing: rules.in_good_standing(standing, now=NOW) for standing in standings} == standings


def test_a_token_conveys_only_what_the_user_and_the_issuer_have() -> None:
    assert rules.rights_of([MANAGE, REDEEM], None, partner_id=None) == {MANAGE, REDEEM}
    assert rules.rights_of([MANAGE, REDEEM], [REDEEM, VOUCHERS], partner_id=None) == {REDEEM}
    assert rules.rights_of(list(FunctionPoint), None, partner_id=new_id()) == {VOUCHERS, ASSIGN}


@pytest.mark.parametrize(
    ("ensure", "rights", "callers", "is_allowed"),
    [
        (rules.ensure_may_grant, [REDEEM], [REDEEM, MANAGE], True),
        (rules.ensure_may_grant, [REDEEM, VOUCHERS], [REDEEM, MANAGE], False),
        (rules.ensure_may_grant, [REDEEM], [], False),
        (rules.ensure_may_grant, list(FunctionPoint), None, True),
        (rules.ensure_may_weaken, [MANAGE, REDEEM], [MANAGE, REDEEM], True),
        (rules.ensure_may_weaken, [MANAGE, REDEEM], [MANAGE], False),
        (rules.ensure_may_weaken, [REDEEM], [MANAGE], True),
        (rules.ensure_may_weaken, list(FunctionPoint), None, True),
    ],
)
def test_nobody_grants_or_takes_more_than_they_have(
    ensure: Callable[[list[str], list[str] | None], None],
    rights: list[str],
    callers: list[str] | None,
    is_allowed: bool,  # noqa: FBT001
) -> None:
    if is_allowed:
        ensure(rights, callers)
    else:
        with pytest.raises(NotAllowed):
            ensure(rights, callers)


@pytest.mark.parametrize(("duration_of", "least", "most"), [(rules.overlap_of, 0, 8784), (rules.lifetime_of, 1, 3660)])
def test_a_duration_has_a_least_and_a_greatest_value(
    duration_of: Callable[[int], timedelta], least: int, most: int
) -> None:
    unit = duration_of(1)
    assert [duration_of(value) / unit for value in (least, most)] == [least, most]
    for value in (least - 1, most + 1):
        with pytest.raises(Invalid):
            duration_of(value)


def test_a_name_has_one_to_two_hundred_characters_without_control_characters() -> None:
    names = {"A": [], "A" * 200: [], "A" * 201: ["TooLong"], " \t": ["Blank"], "A\x1f": ["ControlCharacter"], "A B": []}
    assert {name: [each.code for each in rules.name_violations("name", name)] for name in names} == names


LOCAL_PARTS = (
    "a",
    "Ada.Byron+exam_1",
    "a..b",
    ".a",
    "a.",
    "-a",
    "a--b",
    "1",
    "a" * 64,
    "a" * 65,
    "\u00e4",
    "a b",
    '"a b"',
    "",
)
DOMAINS = (
    *(
        "example.com",
        "EXAMPLE.COM",
        "a.b",
        "x",
        "localhost",
        "a.test",
        "foo.invalid",
        "x.local",
        "1.2.3.4",
        "[1.2.3.4]",
    ),
    *(
        "a-b.co",
        "a--b.co",
        "ab--cd.com",
        "xn--bcher-kva.ch",
        "xn--a.com",
        "b\u00fccher.ch",
        "a.1",
        "a..b",
        "-a.com",
        "a-.com",
    ),
    *(
        "a.com.",
        f"{'a' * 63}.com",
        f"{'a' * 64}.com",
        ".".join(["a" * 62] * 3),
        ".".join(["a" * 62] * 4),
        "b@example.com",
        "",
    ),
)


@pytest.mark.parametrize("domain", DOMAINS)
def test_an_address_is_valid_if_the_library_accepts_it(domain: str) -> None:
    def accepts(text: str) -> bool:
        try:
            validate_email(text, check_deliverability=False, test_environment=True)
        except EmailNotValidError:
            return False
        return True

    addresses = [f"{local}@{domain}" for local in LOCAL_PARTS]
    assert [each for each in addresses if rules.is_email_address(each) != accepts(each)] == []


@pytest.mark.parametrize(("length", "expected"), [(254, True), (255, False)])
def test_an_email_address_has_at_most_254_characters(length: int, *, expected: bool) -> None:
    domain = ".".join(["a" * 63, "b" * 63, "c" * (length - 64 - 1 - 128 - 4), "com"])
    address = f"{'p' * 64}@{domain}"
    assert len(address) == length
    assert rules.is_email_address(address) is expected
