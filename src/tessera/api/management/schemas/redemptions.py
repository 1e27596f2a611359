"""Request models of redemption exports."""

from typing import Annotated

from pydantic import Field

from tessera.api.http.fields import Instant, Text, choice
from tessera.api.http.metadata import FILTER, FILTER_EXAMPLES, MetadataFilter
from tessera.api.management.revealing import RevealQuery
from tessera.api.vocabulary import REDEMPTION_STATUS
from tessera.redemptions.rules import RedemptionStatus


class RedemptionExportQuery(RevealQuery):
    """Filters of redemptions, which can be combined."""

    code: Text | None = Field(
        None, description="Only redemptions of this promo code or voucher (not case-sensitive).", examples=["WELCOME"]
    )
    reservation_code: Text | None = Field(
        None, description="Only redemptions of this reservation.", examples=["RSV-1001"]
    )
    person_id: Text | None = Field(None, description="Only redemptions by this candidate.", examples=["P-4711"])
    status: Annotated[RedemptionStatus, *choice(RedemptionStatus, REDEMPTION_STATUS)] | None = Field(
        None, description="Only redemptions with this status.", examples=["Redeemed"]
    )
    created_from: Instant | None = Field(
        None, description="Only redemptions created at this time or later.", examples=["2026-11-01T00:00:00Z"]
    )
    created_before: Instant | None = Field(
        None, description="Only redemptions created before this time.", examples=["2026-12-01T00:00:00Z"]
    )
    metadata: MetadataFilter | None = Field(None, description=FILTER, examples=FILTER_EXAMPLES)


EXPORT = (
    "id,status,code,kind,reservationCode,reservationStatus,storeExamCode,productBundleId,personId,clientCandidateId,"
    "firstName,lastName,email,listPrice,discount,finalPrice,madeBy,heldUntil,createdAt,updatedAt\r\n"
    "019ab0c4-7b7e-7c3a-9d0e-2f6f3a1b5c7d,Redeemed,WELCOME,PromoCode,RSV-1001,Created,NCA-GENL,,P-4711,C-17,"
    "Ada,Byron,ada@example.com,135.00,13.50,121.50,,2026-11-25T12:00:00Z,2026-11-25T12:00:00Z\r\n"
)
BAD_TIME = (
    "/createdFrom",
    "NotDateTime",
    "createdFrom must be an ISO 8601 date and time, such as 2026-01-01T00:00:00.",
)
