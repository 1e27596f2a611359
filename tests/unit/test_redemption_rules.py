from datetime import UTC, datetime, timedelta
from decimal import Decimal
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tessera.identity.rules import PLATFORM_ID
from tessera.promo_codes.rules import Discount
from tessera.redemptions.rules import RedemptionStatus, can_become, price, status_at, too_long_hold, uses
from tessera.vouchers.rules import ReservationStatus

NOW = datetime(2026, 6, 15, 12, tzinfo=UTC)

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


def test_a_hold_has_expired_at_its_deadline() -> None:
    statuses = [status_at(RedemptionStatus.HELD, NOW + timedelta(seconds=each), now=NOW) for each in (0, 1)]
    assert statuses == [RedemptionStatus.EXPIRED, RedemptionStatus.HELD]
    assert status_at(RedemptionStatus.REDEEMED, NOW, now=NOW) is RedemptionStatus.REDEEMED


def test_only_what_is_held_or_redeemed_counts_as_a_use() -> None:
    counts = {status: uses(status) for status in (None, *RedemptionStatus)}
    live = {RedemptionStatus.REDEEMED: (1, 0), RedemptionStatus.HELD: (0, 1)}
    assert counts == dict.fromkeys((None, *RedemptionStatus), (0, 0)) | live


def test_only_a_global_code_has_a_limit_for_holds_of_an_hour() -> None:
    hour, longer = timedelta(hours=1), timedelta(hours=1, seconds=1)
    cases = [(None, PLATFORM_ID), (hour, PLATFORM_ID), (longer, PLATFORM_ID), (longer, UUID(int=1)), (longer, None)]
    assert [bool(too_long_hold(hold, code_owner_id=owner)) for hold, owner in cases] == [
        False,
        False,
        True,
        False,
        False,
    ]


def test_an_ended_reservation_gets_no_other_status() -> None:
    ended = {ReservationStatus.COMPLETED, ReservationStatus.NO_SHOW, ReservationStatus.CANCELLED}
    changes = {(old, new): can_become(old, new) for old in ReservationStatus for new in ReservationStatus}
    assert changes == {(old, new): old == new or old not in ended for old, new in changes}
