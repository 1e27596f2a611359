"""What the management of voucher purchases reads and answers."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from pydantic import Field

from tessera.api.http.fields import EmailText, Flag, Instant, RequestModel, Text, Uuid, WholeNumber, choice
from tessera.api.management.serialization import Representation
from tessera.api.serving.cursor_pages import CursorQuery
from tessera.vouchers.rules import PurchaseStatus

PurchaseStatusChoice = Annotated[PurchaseStatus, *choice(PurchaseStatus)]


class VoucherPurchaseQuery(CursorQuery):
    """Query of GET /management/v1/voucher-purchases."""

    partner_id: Uuid | None = Field(
        None, description="Those of this partner.", examples=["01906a6e-0000-7000-8000-000000000001"]
    )
    program_id: Uuid | None = Field(
        None, description="Those of this program.", examples=["01906a6e-0000-7000-8000-000000000003"]
    )
    purchase_code: Text | None = Field(
        None, description="The purchase of this code, in any case.", examples=["VP-7K2M9QXA4T"]
    )
    purchased_by_email: EmailText | None = Field(
        None, description="Those of this buyer.", examples=["grace@acme.example.com"]
    )
    status: PurchaseStatusChoice | None = Field(
        None, description="Those of this status, in any case.", examples=["Complete"]
    )
    is_archived: Flag | None = Field(None, description="`true` for archived ones alone.", examples=["false"])


class VoucherOrderRequest(RequestModel):
    """Body of POST /management/v1/voucher-purchases."""

    partner_id: Uuid = Field(description="The active partner that buys.")
    program_id: Uuid = Field(description="An active program that is open to it.")
    quantity: WholeNumber = Field(description="1 to 1,000.", json_schema_extra={"minimum": 1, "maximum": 1000})
    notes: Text = Field("", description="At most 2,000 characters.")
    purchased_by_first_name: Text = Field(description="Of the buyer.")
    purchased_by_last_name: Text = Field(description="Of the buyer.")
    purchased_by_email: EmailText | None = Field(None, description="Of the buyer.")
    checkout_expires_at: Instant | None = Field(
        None, description="Until when it can be paid, within 30 days; in 24 hours unless given."
    )


class ManagedVoucherPurchaseModel(Representation):
    """An order for vouchers of one program by one partner."""

    id: UUID = Field(description="Its id.")
    code: str = Field(description="Unique in your organization.")
    status: str = Field(
        description=(
            "`CheckoutInProgress`, then `VoucherCreation` and `Complete`, or `CheckoutFailed`, `CheckoutCancelled`,"
            " `CheckoutExpired`."
        )
    )
    is_archived: bool = Field(description="Whether it is put away for ever.")
    partner_id: UUID = Field(description="The partner that buys.")
    partner_name: str = Field(description="Its name.")
    program_id: UUID = Field(description="What is bought.")
    program_name: str = Field(description="Its name.")
    quantity: int = Field(description="How many vouchers.")
    quantity_used: int = Field(description="How many of the vouchers are used.")
    amount: float = Field(description="What it costs by the tier that its quantity reaches, in dollars.")
    amount_paid: float = Field(description="What of it is paid, in dollars.")
    notes: str = Field(description="Notes kept with the purchase.")
    purchased_by_first_name: str = Field(description="Of the buyer.")
    purchased_by_last_name: str = Field(description="Of the buyer.")
    purchased_by_email: str | None = Field(description="Of the buyer, if known.")
    purchased_at: datetime = Field(description="When it was ordered, UTC.")
    checkout_expires_at: datetime | None = Field(description="Until when it can be paid; null for what costs nothing.")
    version: int = Field(description="Raised by each change; the `ETag` too.")


class ManagedVoucherPurchaseSlice(Representation):
    """A part of the voucher purchases."""

    data: list[ManagedVoucherPurchaseModel] = Field(description="The parts, in the order of the list.")
    next_link: str | None = Field(description="The next part; null at the end.")


ORDER = {
    "partnerId": "01906a6e-0000-7000-8000-000000000001",
    "programId": "01906a6e-0000-7000-8000-000000000003",
    "quantity": 50,
    "notes": "Q2 employee certification batch",
    "purchasedByFirstName": "Grace",
    "purchasedByLastName": "Hopper",
    "purchasedByEmail": "grace@acme.example.com",
}
PURCHASE = ORDER | {
    "id": "01906a6e-0000-7000-8000-000000000004",
    "code": "VP-7K2M9QXA4T",
    "status": "CheckoutInProgress",
    "isArchived": False,
    "partnerName": "Acme Corp",
    "programName": "Professional Program",
    "quantityUsed": 0,
    "amount": 4353.13,
    "amountPaid": 0.0,
    "purchasedAt": "2026-01-01T00:00:00Z",
    "checkoutExpiresAt": "2026-01-02T00:00:00Z",
    "version": 1,
}
