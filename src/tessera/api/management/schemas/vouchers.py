"""What the management of vouchers reads and answers."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from pydantic import Field

from tessera.api.http.fields import AN_OBJECT, EmailText, Flag, Instant, RequestModel, Text, Uuid, a_list, choice
from tessera.api.management.serialization import Representation
from tessera.api.serving.cursor_pages import CursorQuery
from tessera.vouchers.issued.actions.rules import MAX_VOUCHERS, VoucherAction


class ManagedVoucherQuery(CursorQuery):
    """Query of GET /management/v1/vouchers."""

    purchase_id: Uuid | None = Field(
        None, description="Those of this purchase.", examples=["01906a6e-0000-7000-8000-000000000004"]
    )
    purchase_code: Text | None = Field(
        None, description="Those of the purchase of this code.", examples=["VP-7K2M9QXA4T"]
    )
    partner_id: Uuid | None = Field(
        None, description="Those of this partner.", examples=["01906a6e-0000-7000-8000-000000000001"]
    )
    voucher_code: Text | None = Field(
        None, description="The voucher of this code, in any case.", examples=["PRO-4H7KQ2M"]
    )
    recipient_email: EmailText | None = Field(
        None, description="Those assigned to this address.", examples=["ada@example.com"]
    )
    reservation_code: Text | None = Field(None, description="Those of this reservation.", examples=["RSV-1001"])
    store_exam_code: Text | None = Field(None, description="Those used for this exam.", examples=["NCA-GENL"])
    is_active: Flag | None = Field(None, description="`true` for those switched on.", examples=["true"])
    is_used: Flag | None = Field(None, description="`true` for used ones.", examples=["false"])
    is_archived: Flag | None = Field(None, description="`true` for archived ones alone.", examples=["false"])


class VoucherAssignRequest(RequestModel):
    """Body of POST /management/v1/vouchers/{voucherId}/assign."""

    recipient_email: EmailText = Field(description="Whom the voucher is for.")


class VoucherExpiryRequest(RequestModel):
    """Body of POST /management/v1/vouchers/{voucherId}/change-expiry."""

    expires_at: Instant = Field(description="Until when it is good; in the future.")


class VoucherChoiceRequest(RequestModel):
    """One voucher, by its id or its code."""

    id: Uuid | None = Field(None, description="Its id; either this or a code.")
    code: Text | None = Field(None, description="Its code, in any case; either this or an id.")
    recipient_email: EmailText | None = Field(None, description="Whom it is for, in place of the one for all.")


class VoucherBulkRequest(RequestModel):
    """Body of POST /management/v1/vouchers/bulk."""

    action: Annotated[VoucherAction, *choice(VoucherAction)] = Field(
        alias="action", description="What to do to each of them."
    )
    recipient_email: EmailText | None = Field(
        None, description="For `Assign`: whom they are for, where a voucher names nobody."
    )
    expires_at: Instant | None = Field(None, description="For `ChangeExpiry`: until when they are good; in the future.")
    vouchers: Annotated[
        tuple[VoucherChoiceRequest, ...], a_list(Annotated[VoucherChoiceRequest, AN_OBJECT], "vouchers")
    ] = Field(
        description=f"Which vouchers, 1 to {MAX_VOUCHERS:,}.",
        json_schema_extra={"minItems": 1, "maxItems": MAX_VOUCHERS},
    )


class ManagedVoucherModel(Representation):
    """One single-use code that pays for one exam."""

    id: UUID = Field(description="Its id.")
    code: str = Field(description="Unique in your organization.")
    purchase_id: UUID = Field(description="The purchase that it belongs to.")
    purchase_code: str = Field(description="The code of that purchase.")
    partner_id: UUID = Field(description="The partner that bought it.")
    is_active: bool = Field(description="The on/off switch; use, expiry and archiving do not change it.")
    is_used: bool = Field(description="Whether a reservation uses it.")
    is_archived: bool = Field(description="Whether it is put away for ever.")
    expires_at: datetime = Field(description="Until when it is good, UTC.")
    assigned_at: datetime | None = Field(description="When it was assigned, UTC.")
    recipient_email: str | None = Field(description="Whom it is for.")
    reservation_code: str | None = Field(description="Of the latest reservation.")
    reservation_status: str | None = Field(description="Of that reservation.")
    store_exam_code: str | None = Field(description="The exam of that reservation.")
    used_at: datetime | None = Field(description="When it was used, UTC.")
    version: int = Field(description="Raised by each change; the `ETag` too.")


class ManagedVoucherSlice(Representation):
    """A part of the vouchers."""

    data: list[ManagedVoucherModel] = Field(description="The parts, in the order of the list.")
    next_link: str | None = Field(description="The next part; null at the end.")


class VoucherReasonModel(Representation):
    """Why nothing was done to a voucher."""

    code: str = Field(description="Stable: `NotFound`, `Used`, `Archived`, `Expired`, `Repeated`.")
    message: str = Field(description="A sentence for people.")


class VoucherResultModel(Representation):
    """What came of one voucher."""

    id: UUID | None = Field(description="Null for a voucher that does not exist.")
    code: str | None = Field(description="In its own spelling; null for a voucher that does not exist.")
    is_done: bool = Field(description="Whether it was done.")
    reason: VoucherReasonModel | None = Field(description="Why it was not done; null if it was.")
    version: int | None = Field(description="The voucher's version now.")


class VoucherResultsModel(Representation):
    """What came of each voucher, in the order of the request."""

    done: int = Field(description="To how many it was done.")
    refused: int = Field(description="To how many it was not.")
    results: list[VoucherResultModel] = Field(description="One for each voucher.")


VOUCHER = {
    "id": "01906a6e-0000-7000-8000-000000000005",
    "code": "PRO-4H7KQ2M",
    "purchaseId": "01906a6e-0000-7000-8000-000000000004",
    "purchaseCode": "VP-7K2M9QXA4T",
    "partnerId": "01906a6e-0000-7000-8000-000000000001",
    "isActive": True,
    "isUsed": True,
    "isArchived": False,
    "expiresAt": "2027-01-01T00:00:00Z",
    "assignedAt": "2026-01-01T00:00:00Z",
    "recipientEmail": "ada@example.com",
    "reservationCode": "RSV-1001",
    "reservationStatus": "Created",
    "storeExamCode": "NCA-GENL",
    "usedAt": "2026-02-01T00:00:00Z",
    "version": 2,
}
ASSIGN = {"recipientEmail": "ada@example.com"}
EXPIRY = {"expiresAt": "2030-01-01T00:00:00Z"}
BULK = {
    "action": "Assign",
    "vouchers": [
        {"code": "PRO-4H7KQ2M", "recipientEmail": "ada@example.com"},
        {"id": "01906a6e-0000-7000-8000-000000000006", "recipientEmail": "grace@example.com"},
    ],
}
RESULTS = {
    "done": 0,
    "refused": 1,
    "results": [
        {
            "id": "01906a6e-0000-7000-8000-000000000005",
            "code": "PRO-4H7KQ2M",
            "isDone": False,
            "reason": {"code": "Used", "message": "The voucher has been used."},
            "version": 2,
        }
    ],
}
