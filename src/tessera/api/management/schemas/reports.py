"""What reports read and answer."""

from typing import Annotated
from uuid import UUID

from pydantic import Field

from tessera.api.http.fields import Day, choice
from tessera.api.management.csv_responses import Format
from tessera.api.management.serialization import Representation
from tessera.api.serving.cursor_pages import CursorQuery
from tessera.reports.service import Dimension


class ReportQuery(CursorQuery):
    """In which form a report comes; a CSV file has all of it, whatever cursor and limit say."""

    format: Annotated[Format, *choice(Format)] | None = Field(
        None, description="`json` or `csv`; unless given, what `Accept` prefers.", examples=["json"]
    )


class RedemptionReportQuery(ReportQuery):
    """Query of GET /management/v1/reports/redemptions."""

    by: Annotated[Dimension, *choice(Dimension)] | None = Field(
        None, description="By what they are summed up; `day` unless given.", examples=["code"]
    )
    first: Day | None = Field(
        None,
        alias="from",
        description="The first day, UTC; 30 days before the end unless given.",
        examples=["2026-11-01"],
    )
    until: Day | None = Field(
        None,
        description="The day, UTC, before which it ends; tomorrow unless given, so that today is included.",
        examples=["2026-12-01"],
    )


class VoucherReportQuery(ReportQuery):
    """Query of GET /management/v1/reports/vouchers."""


class RedemptionSumModel(Representation):
    """What was redeemed of one key."""

    key: str = Field(
        description="The day, the code as it is spelled, the exam's code or the bundle's id, or the partner's id."
    )
    name: str | None = Field(description="What people call the exam, the bundle or the partner; null for others.")
    redeemed: int = Field(description="Redemptions made or confirmed in these days.")
    cancelled: int = Field(description="Redemptions cancelled in these days, also of earlier ones.")
    net: int = Field(description="Redeemed less cancelled.")
    discount: float = Field(description="What was taken off, in dollars; what was cancelled is taken back.")


class RedemptionReportModel(Representation):
    """Redemptions and the discount given."""

    by: str = Field(description="By what they are summed up.")
    # A keyword of the language, so it has its name from its alias.
    from_: str = Field(description="The first day, UTC.")
    until: str = Field(description="The day, UTC, before which it ends.")
    data: list[RedemptionSumModel] = Field(description="One for each key with redemptions, in a fixed order.")
    next_link: str | None = Field(description="The next part, of the same days; null at the end.")


class VoucherTotalsModel(Representation):
    """How many vouchers there are."""

    bought: int = Field(description="Made for purchases.")
    used: int = Field(description="Used by now.")
    unused: int = Field(description="Neither used nor archived, expired ones included.")
    archived: int = Field(description="Archived unused.")
    expired: int = Field(description="Expired unused, before today (UTC).")
    expiring_within_30_days: int = Field(description="Unused, and expiring on one of the 30 days (UTC) from today on.")
    expiring_within_90_days: int = Field(description="Unused, and expiring on one of the 90 days (UTC) from today on.")


class PartnerVouchersModel(VoucherTotalsModel):
    """How many vouchers a partner has."""

    partner_id: UUID = Field(description="The partner's id.")
    partner_name: str = Field(description="The partner.")


class VoucherReportModel(Representation):
    """Vouchers in total and by partner."""

    total: VoucherTotalsModel = Field(description="Of all partners together, whatever part of the list this is.")
    data: list[PartnerVouchersModel] = Field(description="Partners, oldest first, those without vouchers included.")
    next_link: str | None = Field(description="The next part; null at the end.")


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
