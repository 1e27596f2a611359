"""Request and response models of the assignment of vouchers to people."""

from typing import Annotated
from uuid import UUID

from pydantic import Field

from tessera.api.http.fields import Boolean, RequestModel, Texts, Uuids
from tessera.api.management.serialization import From, Representation
from tessera.vouchers.issued.assignments.rules import MAX_FURTHER, MAX_PEOPLE


class AssignmentRequest(RequestModel):
    """Body of POST /management/v1/voucher-purchases/{voucherPurchaseId}/assignments."""

    recipient_emails: Texts = Field(
        description=f"The email addresses of the people, 1 to {MAX_PEOPLE:,}; a repeated one gets one voucher.",
        json_schema_extra={"minItems": 1, "maxItems": MAX_PEOPLE},
    )
    further_purchase_ids: Uuids = Field(
        (),
        description=f"Other purchases, up to {MAX_FURTHER}, whose vouchers follow when this one has none left. A "
        "person who has a voucher of any of these keeps it.",
        json_schema_extra={"maxItems": MAX_FURTHER},
    )
    dry_run: Boolean | None = Field(
        None, description="Whether to check the list without assigning anything; default: false."
    )


class AssignmentModel(Representation):
    """The voucher of one person."""

    recipient_email: str = Field(description="The email address of the person.")
    voucher_id: Annotated[UUID, From(lambda assignment: assignment.voucher.id)] = Field(description="The voucher's id.")
    code: Annotated[str, From(lambda assignment: assignment.voucher.code)] = Field(description="The voucher's code.")
    is_new: bool = Field(description="Whether this request assigned it; false for a voucher that the person had.")


class AssignedVouchersModel(Representation):
    """The voucher of each person, in the order of the request."""

    is_dry_run: bool = Field(description="Whether this was a dry run, which assigns nothing.")
    results: list[AssignmentModel] = Field(description="Each person once.")


PEOPLE = {"recipientEmails": ["ada@example.com", "grace@example.com"]}
ASSIGNED = {
    "isDryRun": False,
    "results": [
        {
            "recipientEmail": "ada@example.com",
            "voucherId": "01906a6e-0000-7000-8000-000000000005",
            "code": "PRO-4H7KQ2M",
            "isNew": True,
        }
    ],
}
