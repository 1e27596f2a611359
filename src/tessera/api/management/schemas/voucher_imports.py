"""Request and response models of imports of vouchers."""

from uuid import UUID

from pydantic import Field

from tessera.api.http.fields import Flag, RequestModel, Uuid
from tessera.api.management.serialization import Representation


class VoucherImportQuery(RequestModel):
    """Query of POST /management/v1/voucher-imports."""

    partner_id: Uuid = Field(
        description="The partner that has bought the vouchers.", examples=["01906a6e-0000-7000-8000-000000000001"]
    )
    program_id: Uuid = Field(
        description="The program of the vouchers, which must be open to the partner.",
        examples=["01906a6e-0000-7000-8000-000000000001"],
    )
    dry_run: Flag | None = Field(
        None, description="Whether to check the file without importing it; default: false.", examples=["true"]
    )


class VoucherImportModel(Representation):
    """The result of an import without bad lines."""

    vouchers: int = Field(description="The number of vouchers in the file.")
    used: int = Field(description="The number of used vouchers among them.")
    voucher_purchase_ids: list[UUID] = Field(
        description="The ids of the purchases that contain the vouchers, in the order of the file; none in a dry run."
    )
    is_dry_run: bool = Field(description="Whether this was a dry run, which imports nothing.")


FILE = """\
code,expiresAt,recipientEmail,isUsed,usedAt,reservationCode,storeExamCode,usedByPersonId,usedByFirstName,usedByLastName
OLD-4711,2030-01-01T00:00:00Z,ada@example.com,false,,,,,,
OLD-4712,2030-01-01T00:00:00Z,,true,2025-03-01T09:00:00Z,R-2025-17,NCA-GENL,P-17,Grace,Hopper
"""
IMPORTED = {
    "vouchers": 2,
    "used": 1,
    "voucherPurchaseIds": ["01906a6e-0000-7000-8000-000000000004"],
    "isDryRun": False,
}
