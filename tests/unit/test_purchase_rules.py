"""The price of a purchase and its violations, by tables and by properties."""

from decimal import ROUND_HALF_UP, Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tessera.kit.errors import Violation
from tessera.vouchers.purchases.checkout.rules import MAX_AMOUNT, amount_violations
from tessera.vouchers.purchases.rules import PurchaseDraft, Terms, amount, terms_violations, violations

Tiers = tuple[tuple[int, Decimal], ...]
TIERS: Tiers = ((10, Decimal(5)), (50, Decimal("12.5")), (100, Decimal(20)))


@pytest.mark.parametrize(
    ("cost", "quantity", "tiers", "expected"),
    [
        ("99.50", 1, TIERS, "99.50"),
        ("99.50", 9, TIERS, "895.50"),
        ("99.50", 10, TIERS, "945.25"),
        ("99.50", 49, TIERS, "4631.73"),  # 4631.725
        ("99.50", 50, TIERS, "4353.13"),  # 4353.125
        ("99.50", 99, TIERS, "8619.19"),  # 8619.1875
        ("99.50", 100, TIERS, "7960.00"),
        ("99.50", 1000, TIERS, "79600.00"),
        ("99.50", 60, tuple(reversed(TIERS)), "5223.75"),
        ("99.50", 1000, (), "99500.00"),
        ("0", 1000, TIERS, "0.00"),
        ("0.01", 1, ((1, Decimal(50)),), "0.01"),  # 0.005 goes up
        ("0.01", 1, ((1, Decimal("50.01")),), "0.00"),  # 0.004999
        ("0.01", 3, ((1, Decimal(50)),), "0.02"),  # 0.015, which rounding to even would make 0.02 as well
        ("0.01", 5, ((1, Decimal(50)),), "0.03"),  # 0.025, which rounding to even would make 0.02
        ("10.00", 3, ((3, Decimal(100)),), "0.00"),
        ("10.00", 2, ((3, Decimal(100)),), "20.00"),
        ("99999999.99", 1000, (), "99999999990.00"),
        ("9999999999.99", 1000, ((1, Decimal("0.07")),), "9992999999990.01"),  # 9992999999990.007
    ],
)
def test_an_amount_is_cost_times_quantity_less_the_tier_rounded_half_up(
    cost: str, quantity: int, tiers: Tiers, expected: str
) -> None:
    assert str(amount(Decimal(cost), quantity, tiers)) == expected


costs = st.decimals(min_value=0, max_value=Decimal("9999999999.99"), places=2)
quantities = st.integers(min_value=1, max_value=1000)
percents = st.decimals(min_value=0, max_value=100, places=2)
tiers_of_any_order = st.dictionaries(quantities, percents, max_size=6).map(lambda found: tuple(found.items()))


@given(costs, quantities, tiers_of_any_order)
def test_an_amount_is_in_cents_and_never_negative_nor_above_the_full_price(
    cost: Decimal, quantity: int, tiers: Tiers
) -> None:
    result = amount(cost, quantity, tiers)
    assert result.as_tuple().exponent == -2
    assert 0 <= result <= cost * quantity


@given(costs, costs, quantities, tiers_of_any_order)
def test_an_amount_rises_with_the_cost(one: Decimal, other: Decimal, quantity: int, tiers: Tiers) -> None:
    low, high = sorted((one, other))
    assert amount(low, quantity, tiers) <= amount(high, quantity, tiers)


@given(costs, quantities, quantities, percents)
def test_an_amount_rises_with_the_quantity_where_the_tier_is_the_same(
    cost: Decimal, one: int, other: int, percent: Decimal
) -> None:
    low, high = sorted((one, other))
    assert amount(cost, low, ((1, percent),)) <= amount(cost, high, ((1, percent),))


@given(costs, quantities, tiers_of_any_order, st.randoms(use_true_random=False))
def test_the_order_of_tiers_does_not_matter(cost: Decimal, quantity: int, tiers: Tiers, random: Any) -> None:
    shuffled = list(tiers)
    random.shuffle(shuffled)
    assert amount(cost, quantity, shuffled) == amount(cost, quantity, tiers)


@given(costs, quantities, tiers_of_any_order)
def test_the_largest_quantity_that_is_reached_counts(cost: Decimal, quantity: int, tiers: Tiers) -> None:
    reached = sorted(tier for tier in tiers if tier[0] <= quantity)
    percent = reached[-1][1] if reached else Decimal(0)
    exact = cost * quantity * (Decimal(100) - percent) / Decimal(100)
    assert amount(cost, quantity, tiers) == exact.quantize(Decimal("0.01"), ROUND_HALF_UP)


def draft(**changes: Any) -> PurchaseDraft:
    values: dict[str, Any] = {"notes": "N", "partner_name": "P", "program_name": "G", "quantity": 50}
    return PurchaseDraft(**values | changes)


def terms(**changes: Any) -> Terms:
    values: dict[str, Any] = {
        "partner_status": "Active",
        "program_status": "Active",
        "is_open_to_partner": True,
        "cost_per_voucher": Decimal("0.00"),
    }
    return Terms(**values | changes)


REFUSED = Violation("NotText", "notes", "must be a string")


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, []),
        ({"quantity": 1}, []),
        ({"quantity": 1000}, []),
        ({"quantity": 0}, ["QuantityRange"]),
        ({"quantity": 1001}, ["QuantityRange"]),
        ({"quantity": -(10**30)}, ["QuantityRange"]),
        ({"quantity": None}, []),
        ({"notes": ""}, ["Blank"]),
        ({"notes": " \t\u3000"}, ["Blank"]),
        ({"notes": "n" * 20_000}, []),
        ({"notes": "n" * 20_001}, ["TooLong"]),
        ({"notes": " " * 20_000}, ["Blank"]),
        ({"notes": None, "parse_violations": (REFUSED,)}, ["NotText"]),
        ({"partner_name": " ", "program_name": "\n", "quantity": 0}, ["Blank", "Blank", "QuantityRange"]),
    ],
    ids=str,
)
def test_what_is_wrong_with_a_draft_by_itself(changes: dict[str, Any], expected: list[str]) -> None:
    assert [violation.code for violation in violations(draft(**changes))] == expected


@pytest.mark.parametrize(
    ("of_draft", "of_terms", "expected"),
    [
        ({}, {}, []),
        ({}, {"partner_status": None}, [("NotFound", "partner_name")]),
        ({}, {"partner_status": "Inactive"}, [("NotActive", "partner_name")]),
        ({}, {"partner_status": "Archived"}, [("NotActive", "partner_name")]),
        ({}, {"program_status": None}, [("NotFound", "program_name")]),
        ({}, {"program_status": "Inactive"}, [("NotActive", "program_name")]),
        ({}, {"program_status": "Archived"}, [("NotActive", "program_name")]),
        ({}, {"is_open_to_partner": False}, [("NotOpenToPartner", "program_name")]),
        ({}, {"is_open_to_partner": False, "partner_status": None}, [("NotFound", "partner_name")]),
        ({}, {"is_open_to_partner": False, "program_status": None}, [("NotFound", "program_name")]),
        ({}, {"cost_per_voucher": Decimal("0.01")}, [("NotFree", "program_name")]),
        ({"partner_name": None}, {"partner_status": None}, []),
        ({"partner_name": " "}, {"partner_status": None}, []),
        ({"program_name": None}, {"program_status": None}, []),
        ({"program_name": " "}, {"program_status": None}, []),
        (
            {},
            {
                "partner_status": "Inactive",
                "program_status": "Archived",
                "is_open_to_partner": False,
                "cost_per_voucher": Decimal(1),
            },
            [
                ("NotActive", "partner_name"),
                ("NotActive", "program_name"),
                ("NotOpenToPartner", "program_name"),
                ("NotFree", "program_name"),
            ],
        ),
    ],
    ids=str,
)
def test_why_a_partner_cannot_have_a_program(
    of_draft: dict[str, Any], of_terms: dict[str, Any], expected: list[tuple[str, str]]
) -> None:
    result = terms_violations(draft(**of_draft), terms(**of_terms))
    assert [(violation.code, violation.field) for violation in result] == expected


def test_messages_cut_a_name_after_sixty_characters() -> None:
    (result,) = terms_violations(draft(partner_name="x" * 61), terms(partner_status=None))
    assert result.message == f"was not found: '{'x' * 60}'"


def test_the_largest_amount_can_be_stored() -> None:
    assert list(amount_violations(MAX_AMOUNT, 1)) == []
    assert [each.field for each in amount_violations(MAX_AMOUNT + Decimal("0.01"), 1)] == ["quantity"]
