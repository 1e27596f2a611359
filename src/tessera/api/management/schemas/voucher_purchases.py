"""Request and response models of voucher purchases."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from pydantic import Field

from tessera.api.http.fields import DisplayName, EmailText, Flag, Instant, RequestModel, Text, Uuid, WholeNumber, choice
from tessera.api.http.metadata import EXAMPLE, FILTER, FILTER_EXAMPLES, METADATA, Metadata, MetadataFilter
from tessera.api.management.schemas.metadata import MetadataOf
from tessera.api.management.serialization import Representation
from tessera.api.serving.cursor_pages import CursorQuery
from tessera.api.vocabulary import PURCHASE_STATUS
from tessera.vouchers.rules import PurchaseStatus

PurchaseStatusChoice = Annotated[PurchaseStatus, *choice(PurchaseStatus, PURCHASE_STATUS)]


class VoucherPurchaseQuery(CursorQuery):
    """Query of GET /management/v1/voucher-purchases."""

    partner_id: Uuid | None = Field(
        None, description="Only purchases of this partner.", examples=["01906a6e-0000-7000-8000-000000000001"]
    )
    program_id: Uuid | None = Field(
        None, description="Only purchases of this program.", examples=["01906a6e-0000-7000-8000-000000000003"]
    )
    purchase_code: Text | None = Field(
        None, description="Only the purchase with this code (not case-sensitive).", examples=["VP-7K2M9QXA4T"]
    )
    purchased_by_email: EmailText | None = Field(
        None, description="Only purchases by the buyer with this address.", examples=["grace@acme.example.com"]
    )
    status: PurchaseStatusChoice | None = Field(
        None, description="Only purchases with this status (not case-sensitive).", examples=["Complete"]
    )
    is_archived: Flag | None = Field(
        None, description="`true` for archived purchases, `false` for all others.", examples=["false"]
    )
    metadata: MetadataFilter | None = Field(None, description=FILTER, examples=FILTER_EXAMPLES)


class ManagedVoucherPurchaseCreateRequest(RequestModel):
    """Body of POST /management/v1/voucher-purchases."""

    partner_id: Uuid = Field(description="The id of an active voucher partner.")
    program_id: Uuid = Field(description="The id of an active program that is open to the partner.")
    quantity: WholeNumber = Field(
        description="The number of vouchers, 1 to 1,000.", json_schema_extra={"minimum": 1, "maximum": 1000}
    )
    notes: Text = Field(
        "", description="Notes on the purchase, up to 2,000 characters.", json_schema_extra={"maxLength": 2000}
    )
    purchased_by_first_name: DisplayName = Field(description="The first name of the buyer.")
    purchased_by_last_name: DisplayName = Field(description="The last name of the buyer.")
    purchased_by_email: EmailText | None = Field(None, description="The email address of the buyer.")
    checkout_expires_at: Instant | None = Field(
        None, description="The payment deadline, within 30 days; default: in 24 hours."
    )
    metadata: Metadata = Field({}, description=METADATA)


class ManagedVoucherPurchaseModel(Representation):
    """An order for vouchers of one program by one partner."""

    id: UUID = Field(description="The unique identifier.")
    code: str = Field(description="The code, unique in your organization.")
    status: Annotated[str, PURCHASE_STATUS] = Field(description="The current status.")
    is_archived: bool = Field(description="Whether it is archived (permanent).")
    partner_id: UUID = Field(description="The id of the voucher partner.")
    partner_name: str = Field(description="The name of the partner.")
    program_id: UUID = Field(description="The id of the voucher program.")
    program_name: str = Field(description="The name of the program.")
    quantity: int = Field(description="The number of vouchers.")
    quantity_used: int = Field(description="The number of used vouchers.")
    amount: float = Field(description="The price of the purchase at the tier that its quantity reaches, in dollars.")
    amount_paid: float = Field(description="The amount paid, in dollars.")
    notes: str = Field(description="Notes on the purchase.")
    purchased_by_first_name: str = Field(description="The first name of the buyer.")
    purchased_by_last_name: str = Field(description="The last name of the buyer.")
    purchased_by_email: str | None = Field(description="The email address of the buyer, if known.")
    purchased_at: datetime = Field(description="The time of the order, in UTC.")
    checkout_expires_at: datetime | None = Field(
        description="The payment deadline, in UTC; null for a purchase that costs nothing."
    )
    metadata: MetadataOf = Field(description="Texts by key, attached by an integration.")
    version: int = Field(description="The version, incremented by each change; also the `ETag`.")


class ManagedVoucherPurchasePage(Representation):
    """A page of voucher purchases."""

    data: list[ManagedVoucherPurchaseModel] = Field(description="Voucher purchases, in the order of the list.")
    next_link: str | None = Field(description="The URL of the next page; null on the last page.")
    next_cursor: str | None = Field(description="The `cursor` of the next page; null on the last page.")


ORDER = {
    "partnerId": "01906a6e-0000-7000-8000-000000000001",
    "programId": "01906a6e-0000-7000-8000-000000000001",
    "quantity": 50,
    "notes": "Q2 employee certification batch",
    "purchasedByFirstName": "Grace",
    "purchasedByLastName": "Hopper",
    "purchasedByEmail": "grace@acme.example.com",
    "metadata": EXAMPLE,
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
