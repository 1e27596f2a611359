"""The rules of promo codes, with frozen values and a frozen time."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tessera.kit.errors import Violation
from tessera.promo_codes import rules
from tessera.promo_codes.rules import PromoCodeDraft, Status
from tessera.promo_codes.uses import rules as use_rules
from tessera.promo_codes.uses.rules import Usability

NOW = datetime(2026, 6, 15, 12, 0, tzinfo=UTC)
MOMENT = timedelta(microseconds=1)


def draft(**changes: Any) -> PromoCodeDraft:
    """A valid draft with these changes."""
    values: dict[str, Any] = {
        "name": "SPRING25",
        "store_exam_codes": ("NCA-GENL",),
        "discount_percent": 25,
        "expires_at": NOW + timedelta(days=1),
        "max_redemptions": 500,
    }
    return PromoCodeDraft(**values | changes)


def codes(**changes: Any) -> list[str]:
    return [violation.code for violation in rules.violations(draft(**changes), now=NOW)]


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, []),
        ({"name": "abc"}, []),
        ({"name": "a" * 25}, []),
        ({"name": "ab"}, ["NameLength"]),
        ({"name": "a" * 26}, ["NameLength"]),
        ({"name": ""}, ["NameLength"]),
        ({"name": "a-c"}, ["NameNotAlphanumeric"]),
        ({"name": "abc\n"}, ["NameNotAlphanumeric"]),
        ({"name": "-"}, ["NameLength", "NameNotAlphanumeric"]),
        ({"store_exam_codes": ()}, ["NoStoreExams"]),
        ({"expires_at": NOW + MOMENT}, []),
        ({"expires_at": NOW}, ["ExpiryInPast"]),
        ({"expires_at": NOW - MOMENT}, ["ExpiryInPast"]),
        ({"starts_at": NOW - MOMENT}, []),
        ({"starts_at": NOW + timedelta(days=1) - MOMENT}, []),
        ({"starts_at": NOW + timedelta(days=1)}, ["StartNotBeforeExpiry"]),
        ({"starts_at": NOW, "expires_at": NOW}, ["StartNotBeforeExpiry", "ExpiryInPast"]),
        ({"starts_at": NOW, "expires_at": None}, []),
        ({"notes": "n" * 256}, []),
        ({"notes": "n" * 257}, ["NotesTooLong"]),
        ({"max_redemptions_per_candidate": 500}, []),
        ({"max_redemptions_per_candidate": 501}, ["LimitAboveTotal"]),
        ({"max_redemptions": 0, "max_redemptions_per_candidate": 0}, ["LimitRange", "LimitRange"]),
        ({"email_addresses": ("ada@example.com",)}, []),
        ({"email_addresses": ("ada",)}, ["InvalidEmailAddress"]),
        ({"email_addresses": (), "restrict_to_email_addresses": True}, ["EmailAddressesMissing"]),
        ({"email_addresses": ("a@example.com",), "restrict_to_email_addresses": True}, []),
    ],
    ids=str,
)
def test_each_rule_of_a_draft(changes: dict[str, Any], expected: list[str]) -> None:
    assert codes(**changes) == expected


@given(st.integers())
def test_a_percentage_is_from_1_to_100(percent: int) -> None:
    assert (codes(discount_percent=percent) == []) == (percent in range(1, 101))


@given(st.integers(), st.integers() | st.none())
def test_limits_are_from_1_to_100_000_and_one_candidate_never_has_more_than_all(
    total: int, per_candidate: int | None
) -> None:
    allowed = range(1, 100_001)
    expected = total in allowed and (per_candidate is None or (per_candidate in allowed and per_candidate <= total))
    assert (codes(max_redemptions=total, max_redemptions_per_candidate=per_candidate) == []) == expected


@given(st.text(max_size=30))
def test_a_name_is_3_to_25_ascii_letters_and_digits(name: str) -> None:
    expected = 3 <= len(name) <= 25 and name.isascii() and name.isalnum()
    assert (codes(name=name) == []) == expected


def test_a_field_that_was_not_read_is_named_once() -> None:
    fields = ("name", "store_exam_codes", "discount_percent", "expires_at", "max_redemptions", "email_addresses")
    violations = tuple(Violation("NotRead", field, "must be something else") for field in fields)
    unread = draft(**dict.fromkeys(fields, None), parse_violations=violations, restrict_to_email_addresses=True)
    assert tuple(rules.violations(unread, now=NOW)) == violations


def test_addresses_are_counted_without_repeats() -> None:
    addresses = tuple(f"user{number}@example.com" for number in range(10_000))
    assert codes(email_addresses=addresses + tuple(address.upper() for address in addresses)) == []
    assert codes(email_addresses=(*addresses, "one@example.com")) == ["TooManyEmailAddresses"]


@pytest.mark.parametrize(
    ("count", "shown"),
    [
        (1, "'0'"),
        (10, "'0', '1', '2', '3', '4', '5', '6', '7', '8', '9'"),
        (11, "'0', '1', '2', '3', '4', '5', '6', '7', '8', '9' and 1 more"),
        (2_010, "'0', '1', '2', '3', '4', '5', '6', '7', '8', '9' and 2,000 more"),
    ],
)
def test_a_message_names_ten_values_at_most(count: int, shown: str) -> None:
    assert rules.some_of([str(number) for number in range(count)]) == shown


def test_a_message_shows_sixty_characters_of_a_value() -> None:
    assert rules.some_of(["x" * 61]) == f"'{'x' * 60}'"


def reasons(**changes: Any) -> list[str]:
    values: dict[str, Any] = {
        "status": Status.ACTIVE,
        "expires_at": NOW + MOMENT,
        "max_redemptions": 5,
        "redemption_count": 4,
        "held_count": 0,
        "covers_product": True,
    }
    return [violation.code for violation in use_rules.unusable(Usability(**values | changes), now=NOW)]


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, []),
        ({"status": Status.INACTIVE}, ["Inactive"]),
        ({"status": Status.ARCHIVED}, ["Archived"]),
        ({"expires_at": NOW}, ["Expired"]),
        ({"expires_at": None}, []),
        ({"redemption_count": 5}, ["UsedUp"]),
        ({"redemption_count": 6}, ["UsedUp"]),
        ({"redemption_count": 3, "held_count": 2}, ["UsedUp"]),
        ({"max_redemptions_per_candidate": 2, "candidate_uses": 2}, ["UsedUpForCandidate"]),
        ({"max_redemptions_per_candidate": 2, "candidate_uses": 1}, []),
        ({"max_redemptions_per_candidate": 2}, []),
        ({"max_redemptions": None, "redemption_count": 10**9}, []),
        ({"covers_product": False}, ["NotCovered"]),
        (
            {"status": Status.ARCHIVED, "expires_at": NOW, "redemption_count": 5, "covers_product": False},
            ["Archived", "Expired", "UsedUp", "NotCovered"],
        ),
    ],
    ids=str,
)
def test_every_reason_why_a_code_cannot_be_used(changes: dict[str, Any], expected: list[str]) -> None:
    assert reasons(**changes) == expected
