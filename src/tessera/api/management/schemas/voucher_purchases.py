"""What the management of voucher purchases reads and answers."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from pydantic import Field

from tessera.api.http.fields import (
    EmailText,
    Flag,
    Instant,
    RequestModel,
    ResponseModel,
    Text,
    Uuid,
    WholeNumber,
    choice,
)
from tessera.api.serving.cursor_pages import CursorQuery
from tessera.vouchers.rules import PurchaseStatus

PurchaseStatusChoice = Annotated[PurchaseStatus, *choice(PurchaseStatus)]


class VoucherPurchaseQuery(CursorQuery):
    """Query of GET /management/v1/voucher-purchases."""

    partner_id: Uuid | None = Field(
        None,
        alias="partnerId",
        description="Those of this partner.",
        examples=["01906a6e-0000-7000-8000-000000000001"],
    )
    program_id: Uuid | None = Field(
        None,
        alias="programId",
        description="Those of this program.",
        examples=["01906a6e-0000-7000-8000-000000000003"],
    )
    purchase_code: Text | None = Field(
        None, alias="purchaseCode", description="The purchase of this code, in any case.", examples=["VP-7K2M9QXA4T"]
    )
    purchased_by_email: EmailText | None = Field(
        None, alias="purchasedByEmail", description="Those of this buyer.", examples=["grace@acme.example.com"]
    )
    status: PurchaseStatusChoice | None = Field(
        None, alias="status", description="Those of this status, in any case.", examples=["Complete"]
    )
    is_archived: Flag | None = Field(
        None, alias="isArchived", description="`true` for archived ones alone.", examples=["false"]
    )


class VoucherOrderRequest(RequestModel):
    """Body of POST /management/v1/voucher-purchases."""

    partner_id: Uuid = Field(alias="partnerId", description="The active partner that buys.")
    program_id: Uuid = Field(alias="programId", description="An active program that is open to it.")
    quantity: WholeNumber = Field(
        alias="quantity", description="1 to 1,000.", json_schema_extra={"minimum": 1, "maximum": 1000}
    )
    notes: Text = Field("", alias="notes", description="At most 2,000 characters.")
    purchased_by_first_name: Text = Field(alias="purchasedByFirstName", description="Of the buyer.")
    purchased_by_last_name: Text = Field(alias="purchasedByLastName", description="Of the buyer.")
    purchased_by_email: EmailText | None = Field(None, alias="purchasedByEmail", description="Of the buyer.")
    checkout_expires_at: Instant | None = Field(
        None,
        alias="checkoutExpiresAt",
        description="Until when it can be paid, within 30 days; in 24 hours unless given.",
    )


class ManagedVoucherPurchaseModel(ResponseModel):
    """An order for vouchers of one program by one partner."""

    id: UUID = Field(description="Its id.")
    code: str = Field(description="Unique in your organization.")
    status: str = Field(
        description=(
            "`CheckoutInProgress`, then `VoucherCreation` and `Complete`, or `CheckoutFailed`, `CheckoutCancelled`,"
            " `CheckoutExpired`."
        )
    )
    isArchived: bool = Field(description="Whether it is put away for ever.")
    partnerId: UUID = Field(description="The partner that buys.")
    partnerName: str = Field(description="Its name.")
    programId: UUID = Field(description="What is bought.")
    programName: str = Field(description="Its name.")
    quantity: int = Field(description="How many vouchers.")
    quantityUsed: int = Field(description="How many of the vouchers are used.")
    amount: float = Field(description="What it costs by the tier that its quantity reaches, in dollars.")
    amountPaid: float = Field(description="What of it is paid, in dollars.")
    notes: str = Field(description="Notes kept with the purchase.")
    purchasedByFirstName: str = Field(description="Of the buyer.")
    purchasedByLastName: str = Field(description="Of the buyer.")
    purchasedByEmail: str | None = Field(description="Of the buyer, if known.")
    purchasedAt: datetime = Field(description="When it was ordered, UTC.")
    checkoutExpiresAt: datetime | None = Field(description="Until when it can be paid; null for what costs nothing.")
    version: int = Field(description="Raised by each change; the `ETag` too.")


class ManagedVoucherPurchaseSlice(ResponseModel):
    """A part of the voucher purchases."""

    data: list[ManagedVoucherPurchaseModel] = Field(description="The parts, in the order of the list.")
    nextLink: str | None = Field(description="The next part; null at the end.")


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
