from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tessera.promo_codes.rules import Discount
from tessera.redemptions.rules import price

cents = st.decimals(min_value=0, max_value=10**8, places=2)


@pytest.mark.parametrize(
    ("listed", "discount", "off", "final"),
    [
        pytest.param("100.00", Discount(15, None), "15.00", "85.00", id="percent"),
        pytest.param("0.10", Discount(25, None), "0.03", "0.07", id="half a cent is rounded up"),
        pytest.param("99.99", Discount(100, None), "99.99", "0.00", id="all of it"),
        pytest.param("100.00", Discount(None, Decimal("10.00")), "10.00", "90.00", id="flat"),
        pytest.param("9.99", Discount(None, Decimal("10.00")), "9.99", "0.00", id="flat above the price"),
        pytest.param("0.00", Discount(50, None), "0.00", "0.00", id="free already"),
    ],
)
def test_prices(listed: str, discount: Discount, off: str, final: str) -> None:
    result = price(Decimal(listed), discount)
    assert (str(result.discount), str(result.final)) == (off, final)


@given(listed=cents, percent=st.integers(1, 100))
def test_a_percentage_never_takes_more_than_there_is_and_misses_by_half_a_cent_at_most(
    listed: Decimal, percent: int
) -> None:
    result = price(listed, Discount(percent, None))
    assert 0 <= result.final <= listed
    assert abs(result.discount - listed * percent / 100) <= Decimal("0.005")


@given(listed=cents, flat=st.decimals(min_value="0.01", max_value=10**8, places=2))
def test_a_flat_amount_never_takes_more_than_there_is(listed: Decimal, flat: Decimal) -> None:
    result = price(listed, Discount(None, flat))
    assert result.final == max(listed - flat, Decimal(0))


@given(
    listed=cents,
    codes=st.lists(
        st.tuples(
            st.one_of(
                st.builds(Discount, st.integers(1, 100), st.none()),
                st.builds(Discount, st.none(), st.decimals(min_value="0.01", max_value=10**8, places=2)),
            ),
            st.none() | cents,
        ),
        max_size=5,
    ),
)
def test_combined_codes_each_take_their_part_of_what_is_left(
    listed: Decimal, codes: list[tuple[Discount, Decimal | None]]
) -> None:
    left = listed
    for discount, base in codes:
        result = price(listed, discount, base=base, earlier_discounts=listed - left)
        limit = left if base is None else min(left, base)
        exact = limit * discount.percent / 100 if discount.percent is not None else min(discount.flat or 0, limit)
        assert abs(result.discount - exact) <= Decimal("0.005")
        assert 0 <= result.discount <= limit
        assert result.final == left - result.discount
        left = result.final


def test_two_codes_of_sixty_percent_take_less_than_everything() -> None:
    first = price(Decimal("135.00"), Discount(60, None))
    second = price(Decimal("135.00"), Discount(60, None), earlier_discounts=first.discount)
    assert (first.discount, second.discount, second.final) == (Decimal("81.00"), Decimal("32.40"), Decimal("21.60"))
