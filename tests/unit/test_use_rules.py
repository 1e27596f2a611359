"""The limits of a promo code at their edges: the reasons against a use, and the number of uses that are left."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tessera.promo_codes.uses.rules import Usability, remaining, unusable

NOW = datetime(2026, 6, 15, 12, tzinfo=UTC)
SECOND = timedelta(seconds=1)
UNLIMITED: dict[str, Any] = {
    "status": "Active",
    "expires_at": None,
    "max_redemptions": None,
    "redemption_count": 0,
    "held_count": 0,
    "covers_product": True,
}


@pytest.mark.parametrize(
    ("properties", "reasons", "left"),
    [
        ({}, [], None),
        ({"status": "Inactive"}, ["Inactive"], None),
        ({"status": "Archived"}, ["Archived"], None),
        ({"covers_product": False}, ["NotCovered"], None),
        ({"starts_at": NOW}, [], None),
        ({"starts_at": NOW + SECOND}, ["NotStarted"], None),
        ({"expires_at": NOW + SECOND}, [], None),
        ({"expires_at": NOW}, ["Expired"], None),
        ({"max_redemptions": 3, "redemption_count": 1, "held_count": 1}, [], 1),
        ({"max_redemptions": 3, "redemption_count": 1, "held_count": 2}, ["UsedUp"], 0),
        ({"max_redemptions": 3, "redemption_count": 4}, ["UsedUp"], 0),
        ({"max_redemptions_per_candidate": 2, "candidate_uses": 1}, [], 1),
        ({"max_redemptions_per_candidate": 2, "candidate_uses": 2}, ["UsedUpForCandidate"], 0),
        ({"max_redemptions_per_candidate": 2}, [], None),
        ({"max_redemptions_per_organization": 2, "organization_uses": 1}, [], 1),
        ({"max_redemptions_per_organization": 2, "organization_uses": 2}, ["UsedUpForOrganization"], 0),
        ({"restrict_to_email_addresses": True, "lists_candidate": True}, [], None),
        ({"restrict_to_email_addresses": True, "lists_candidate": False}, ["EmailNotListed"], None),
        (
            {"restrict_to_email_addresses": True, "lists_candidate": False, "candidate_has_email": False},
            ["EmailRequired"],
            None,
        ),
        ({"restrict_to_email_addresses": True}, [], None),
        ({"lists_candidate": False}, [], None),
    ],
    ids=str,
)
def test_a_limit_applies_from_its_edge_on(properties: dict[str, Any], reasons: list[str], left: int | None) -> None:
    code = Usability(**UNLIMITED | properties)
    assert ([reason.code for reason in unusable(code, now=NOW)], remaining(code)) == (reasons, left)


def test_the_narrowest_limit_decides_what_is_left() -> None:
    narrow = {"max_redemptions": 9, "max_redemptions_per_candidate": 8, "max_redemptions_per_organization": 7}
    uses = {"redemption_count": 3, "candidate_uses": 3, "organization_uses": 3}
    assert remaining(Usability(**UNLIMITED | narrow | uses)) == 4
    assert remaining(Usability(**UNLIMITED | narrow | uses | {"candidate_uses": 6})) == 2
    assert remaining(Usability(**UNLIMITED | narrow | uses | {"held_count": 5})) == 1
