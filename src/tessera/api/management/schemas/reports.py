"""Request and response models of reports."""

from typing import Annotated
from uuid import UUID

from pydantic import Field

from tessera.api.http.fields import Day, choice
from tessera.api.management.csv_responses import Format
from tessera.api.management.revealing import RevealQuery
from tessera.api.management.serialization import Representation
from tessera.api.serving.cursor_pages import CursorQuery
from tessera.api.vocabulary import DIMENSION
from tessera.reports.service import Dimension


class ReportQuery(CursorQuery):
    """The format of a report; a CSV file is complete and ignores the cursor and the limit."""

    format: Annotated[Format, *choice(Format)] | None = Field(
        None, description="`json` or `csv`; default: the format that `Accept` prefers.", examples=["json"]
    )


class RedemptionReportQuery(ReportQuery, RevealQuery):
    """Query of GET /management/v1/reports/redemptions."""

    by: Annotated[Dimension, *choice(Dimension, DIMENSION)] | None = Field(
        None, description="The dimension of the sums; default: `day`.", examples=["code"]
    )
    first: Day | None = Field(
        None,
        alias="from",
        description="The first day, in UTC; default: 30 days before the end.",
        examples=["2026-11-01"],
    )
    until: Day | None = Field(
        None,
        description="The day after the last day, in UTC; default: tomorrow, so that today is included.",
        examples=["2026-12-01"],
    )


class VoucherReportQuery(ReportQuery):
    """Query of GET /management/v1/reports/vouchers."""


class RedemptionSumModel(Representation):
    """The redemptions of one key."""

    key: str = Field(
        description=(
            "The day, the code, the campaign, the code of the exam, the id of the bundle, or the id of the partner."
        )
    )
    name: str | None = Field(description="The name of the exam, the bundle or the partner; null for other keys.")
    redeemed: int = Field(description="The number of redemptions made or confirmed on these days.")
    cancelled: int = Field(
        description="The number of redemptions cancelled on these days, including earlier redemptions."
    )
    net: int = Field(description="`redeemed` less `cancelled`.")
    discount: float = Field(description="The discount of redemptions less that of cancellations, in dollars.")


class RedemptionReportModel(Representation):
    """Sums of redemptions and of their discounts."""

    by: Annotated[str, DIMENSION] = Field(description="The dimension of the sums.")
    # `from` is a keyword of Python; the alias restores the name.
    from_: str = Field(description="The first day, in UTC.")
    until: str = Field(description="The day after the last day, in UTC.")
    data: list[RedemptionSumModel] = Field(description="A sum for each key with redemptions, in a fixed order.")
    next_link: str | None = Field(description="The URL of the next page, for the same days; null on the last page.")
    next_cursor: str | None = Field(description="The `cursor` of the next page; null on the last page.")


class VoucherTotalsModel(Representation):
    """Numbers of vouchers."""

    bought: int = Field(description="Vouchers of all purchases.")
    used: int = Field(description="Used vouchers.")
    unused: int = Field(description="Vouchers that are neither used nor archived, including expired ones.")
    archived: int = Field(description="Vouchers that were archived unused.")
    expired: int = Field(description="Unused vouchers that expired before today (UTC).")
    expiring_within_30_days: int = Field(
        description="Unused vouchers that expire within 30 days (UTC), today included."
    )
    expiring_within_90_days: int = Field(
        description="Unused vouchers that expire within 90 days (UTC), today included."
    )


class VoucherTotalsByPartnerModel(VoucherTotalsModel):
    """Numbers of vouchers of one partner."""

    partner_id: UUID = Field(description="The id of the partner.")
    partner_name: str = Field(description="The name of the partner.")


class VoucherReportModel(Representation):
    """Vouchers in total and by partner."""

    total: VoucherTotalsModel = Field(description="The totals of all partners, on every page.")
    data: list[VoucherTotalsByPartnerModel] = Field(
        description="Partners, oldest first, including those without vouchers."
    )
    next_link: str | None = Field(description="The URL of the next page; null on the last page.")
    next_cursor: str | None = Field(description="The `cursor` of the next page; null on the last page.")


SUM = {"key": "WELCOME", "name": None, "redeemed": 12, "cancelled": 2, "net": 10, "discount": 135.0}
SUMS_CSV = "code,name,redeemed,cancelled,net,discount\r\nWELCOME,,12,2,10,135.00\r\n"
TOTALS = {
    "bought": 50,
    "used": 20,
    "unused": 29,
    "archived": 1,
    "expired": 5,
    "expiringWithin30Days": 10,
    "expiringWithin90Days": 25,
}
PARTNER = {"partnerId": "01906a6e-0000-7000-8000-000000000001", "partnerName": "Acme Corp", **TOTALS}
TOTALS_CSV = (
    "partnerId,partnerName,bought,used,unused,archived,expired,expiringWithin30Days,expiringWithin90Days\r\n"
    "01906a6e-0000-7000-8000-000000000001,Acme Corp,50,20,29,1,5,10,25\r\n,Total,50,20,29,1,5,10,25\r\n"
)
