"""Request and response models of vouchers."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from pydantic import Field

from tessera.api.http.fields import EmailText, Flag, Instant, RequestModel, Text, Uuid, choice, list_of
from tessera.api.http.metadata import EXAMPLE, FILTER, FILTER_EXAMPLES, MetadataFilter
from tessera.api.management.revealing import RevealQuery
from tessera.api.management.schemas.metadata import MetadataOf
from tessera.api.management.serialization import From, Representation
from tessera.api.serving.cursor_pages import CodeQuery
from tessera.api.vocabulary import RESERVATION_STATUS, VOUCHER_ACTION, VOUCHER_REFUSAL
from tessera.vouchers.issued.actions.rules import MAX_VOUCHERS, VoucherAction


class ManagedVoucherQuery(CodeQuery, RevealQuery):
    """Query of GET /management/v1/vouchers."""

    purchase_id: Uuid | None = Field(
        None, description="Only vouchers of this purchase.", examples=["01906a6e-0000-7000-8000-000000000004"]
    )
    purchase_code: Text | None = Field(
        None, description="Only vouchers of the purchase with this code.", examples=["VP-7K2M9QXA4T"]
    )
    partner_id: Uuid | None = Field(
        None, description="Only vouchers of this partner.", examples=["01906a6e-0000-7000-8000-000000000001"]
    )
    voucher_code: Text | None = Field(
        None, description="Only the voucher with this code (not case-sensitive).", examples=["PRO-4H7KQ2M"]
    )
    recipient_email: EmailText | None = Field(
        None, description="Only vouchers assigned to this address.", examples=["ada@example.com"]
    )
    reservation_code: Text | None = Field(None, description="Only vouchers of this reservation.", examples=["RSV-1001"])
    store_exam_code: Text | None = Field(None, description="Only vouchers used for this exam.", examples=["NCA-GENL"])
    is_active: Flag | None = Field(
        None, description="`true` for enabled vouchers, `false` for all others.", examples=["true"]
    )
    is_used: Flag | None = Field(
        None, description="`true` for used vouchers, `false` for all others.", examples=["false"]
    )
    is_archived: Flag | None = Field(
        None, description="`true` for archived vouchers, `false` for all others.", examples=["false"]
    )
    metadata: MetadataFilter | None = Field(None, description=FILTER, examples=FILTER_EXAMPLES)


class VoucherAssignRequest(RequestModel):
    """Body of POST /management/v1/vouchers/{voucherId}/assign."""

    recipient_email: EmailText = Field(description="The email address of the recipient.")


class VoucherExpiryRequest(RequestModel):
    """Body of POST /management/v1/vouchers/{voucherId}/change-expiry."""

    expires_at: Instant = Field(description="The time of expiry; must be in the future.")


class VoucherReferenceRequest(RequestModel):
    """A voucher by its id or its code."""

    id: Uuid | None = Field(None, description="The id of the voucher; excludes `code`.")
    code: Text | None = Field(None, description="The code of the voucher (not case-sensitive); excludes `id`.")
    recipient_email: EmailText | None = Field(
        None, description="The email address of its recipient; overrides `recipientEmail` of the request."
    )


class VoucherBulkRequest(RequestModel):
    """Body of POST /management/v1/vouchers/bulk."""

    action: Annotated[VoucherAction, *choice(VoucherAction, VOUCHER_ACTION)] = Field(
        description="The action to perform on each voucher."
    )
    recipient_email: EmailText | None = Field(
        None, description="For `Assign`: the email address of the recipient, for vouchers without their own."
    )
    expires_at: Instant | None = Field(
        None, description="For `ChangeExpiry`: the time of expiry; must be in the future."
    )
    vouchers: Annotated[
        tuple[VoucherReferenceRequest, ...], list_of(VoucherReferenceRequest, "vouchers", most=MAX_VOUCHERS)
    ] = Field(
        description=f"The vouchers, 1 to {MAX_VOUCHERS:,}.",
        json_schema_extra={"minItems": 1, "maxItems": MAX_VOUCHERS},
    )


class ManagedVoucherModel(Representation):
    """A single-use code that pays for one exam."""

    id: UUID = Field(description="The unique identifier.")
    code: str = Field(description="The code, which is unique; masked for callers without `SeeVoucherCodes`.")
    purchase_id: UUID = Field(description="The id of the purchase.")
    purchase_code: str = Field(description="The code of the purchase.")
    partner_id: UUID = Field(description="The id of the voucher partner.")
    is_active: bool = Field(description="Whether the voucher is enabled; use, expiry and archiving do not change this.")
    is_used: bool = Field(description="Whether the voucher is used.")
    is_archived: bool = Field(description="Whether it is archived (permanent).")
    expires_at: datetime = Field(description="The time of expiry, in UTC.")
    assigned_at: datetime | None = Field(description="The time of assignment, in UTC.")
    recipient_email: str | None = Field(description="The email address of the recipient.")
    reservation_code: str | None = Field(description="The code of the latest reservation.")
    reservation_status: Annotated[str, RESERVATION_STATUS] | None = Field(description="The status of that reservation.")
    store_exam_code: str | None = Field(description="The code of the exam of that reservation.")
    used_at: datetime | None = Field(description="The time of use, in UTC.")
    metadata: MetadataOf = Field(description="Texts by key, attached by an integration.")
    version: int = Field(description="The version, incremented by each change; also the `ETag`.")


class ManagedVoucherPage(Representation):
    """A page of vouchers."""

    data: list[ManagedVoucherModel] = Field(description="Vouchers, in the order of the list.")
    next_link: str | None = Field(description="The URL of the next page; null on the last page.")
    next_cursor: str | None = Field(description="The `cursor` of the next page; null on the last page.")


class VoucherRefusalModel(Representation):
    """The reason for a failure."""

    code: Annotated[str, VOUCHER_REFUSAL] = Field(description="The reason.")
    message: Annotated[str, From(lambda refusal: f"The voucher {refusal.message}.")] = Field(
        description="A human-readable message."
    )


class VoucherActionResultModel(Representation):
    """The result for one voucher."""

    id: Annotated[UUID | None, From(lambda outcome: outcome.voucher and outcome.voucher.id)] = Field(
        description="The id of the voucher; null if it does not exist."
    )
    code: Annotated[str | None, From(lambda outcome: outcome.voucher and outcome.voucher.masked.code)] = Field(
        description="The code of the voucher, masked; null if it does not exist."
    )
    is_done: Annotated[bool, From(lambda outcome: outcome.refusal is None)] = Field(
        description="Whether the action succeeded."
    )
    reason: Annotated[
        VoucherRefusalModel | None, From(lambda outcome: outcome.refusal and VoucherRefusalModel.of(outcome.refusal))
    ] = Field(description="The reason for the failure; null after a success.")
    version: Annotated[int | None, From(lambda outcome: outcome.voucher and outcome.voucher.version)] = Field(
        description="The version of the voucher after the request."
    )


class VoucherBulkResultModel(Representation):
    """The result for each voucher, in the order of the request."""

    done: int = Field(description="The number of vouchers on which the action succeeded.")
    refused: int = Field(description="The number of vouchers on which the action failed.")
    results: list[VoucherActionResultModel] = Field(description="A result for each voucher.")


VOUCHER = {
    "id": "01906a6e-0000-7000-8000-000000000005",
    "code": "PRO-****",
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
    "metadata": EXAMPLE,
    "version": 2,
}
ASSIGN = {"recipientEmail": "ada@example.com"}
EXPIRY = {"expiresAt": "2030-01-01T00:00:00Z"}
BULK = {
    "action": "Assign",
    "vouchers": [
        {"code": "SPRING-ASSIGNED", "recipientEmail": "ada@example.com"},
        {"id": "01906a6e-0000-7000-8000-000000000001", "recipientEmail": "grace@example.com"},
    ],
}
RESULTS = {
    "done": 0,
    "refused": 1,
    "results": [
        {
            "id": "01906a6e-0000-7000-8000-000000000005",
            "code": "PRO-****",
            "isDone": False,
            "reason": {"code": "Used", "message": "The voucher has been used."},
            "version": 2,
        }
    ],
}
