"""What the management of voucher programs reads and answers."""

from datetime import datetime
from operator import attrgetter
from typing import Annotated
from uuid import UUID

from pydantic import Field

from tessera.api.http.fields import AN_OBJECT, Boolean, Money, RequestModel, Text, Texts, Uuids, WholeNumber, a_list
from tessera.api.management.schemas.voucher_partners import StatusChoice
from tessera.api.management.serialization import From, Representation
from tessera.api.serving.cursor_pages import CursorQuery


class TierRequest(RequestModel):
    """A percent from this quantity on."""

    quantity: WholeNumber = Field(description="1 to 1,000.", json_schema_extra={"minimum": 1, "maximum": 1000})
    percent: Money = Field(description="Above 0 and at most 100, with at most two decimals.")


Tiers = Annotated[tuple[TierRequest, ...], a_list(Annotated[TierRequest, AN_OBJECT], "tiers")]


class VoucherProgramQuery(CursorQuery):
    """Query of GET /management/v1/voucher-programs."""

    program_name_part: Text | None = Field(
        None, alias="name", description="Any part of the name, in any case.", examples=["Spring"]
    )
    status: StatusChoice | None = Field(None, description="Those of this status.", examples=["Active"])


class VoucherProgramUpdateRequest(RequestModel):
    """Body of PUT /management/v1/voucher-programs/{voucherProgramId}: the whole program, as it shall be."""

    name: Text = Field(description="1 to 200 characters, unique in any case.")
    store_exam_codes: Texts = Field(description="The exams that a voucher pays for, at least one; in any case.")
    cost_per_voucher: Money = Field(description="What a voucher costs a partner before any tier, in dollars.")
    tiers: Tiers = Field(
        (), description="Discounts by quantity: a larger quantity has a larger percent. The largest one reached counts."
    )
    is_available_to_all_partners: Boolean = Field(
        default=False, description="Whether every partner can buy, not only assigned ones."
    )
    partner_ids: Uuids = Field((), description="The partners assigned to it.")
    can_assigned_partners_purchase_zero_price: Boolean = Field(
        default=False, description="Whether assigned partners can buy what costs nothing."
    )
    email_domains: Texts = Field(
        (), description="Domains whose candidates alone can use the vouchers, each itself and no subdomain of it."
    )
    enforce_assigned_email: Boolean = Field(
        default=False, description="Whether only its recipient can use an assigned voucher."
    )
    voucher_code_prefix: Text = Field("", description="What codes begin with: at most 20 of A-Z, 0-9 and `-`.")
    expiration_period_in_days: WholeNumber = Field(
        365,
        description="How long vouchers are good once they are made, 1 to 36,500 days.",
        json_schema_extra={"minimum": 1, "maximum": 36_500},
    )
    allow_ach_payments: Boolean = Field(default=False, description="Whether ACH may pay for them.")


class VoucherProgramCreateRequest(VoucherProgramUpdateRequest):
    """Body of POST /management/v1/voucher-programs."""

    is_active: Boolean = Field(default=False, description="Whether it can be bought at once.")


class TierModel(Representation):
    """A percent from this quantity on."""

    quantity: int = Field(description="From how many vouchers on.")
    percent: float = Field(description="What is taken off the cost.")


class AssignedPartnerModel(Representation):
    """A partner that is assigned to a program."""

    id: UUID = Field(description="Its id.")
    name: str = Field(description="What people call it.")


class VoucherProgramModel(Representation):
    """What can be bought."""

    id: UUID = Field(description="Its id.")
    name: str = Field(description="What people call it.")
    status: str = Field(description="`Active`, `Inactive`, or `Archived` for ever.")
    store_exam_codes: Annotated[list[str], From(lambda program: [exam.code for exam in program.store_exams])] = Field(
        description="The exams that a voucher pays for."
    )
    cost_per_voucher: Annotated[float, From(attrgetter("partner_cost_per_voucher"))] = Field(description="In dollars.")
    tiers: Annotated[list[TierModel], From(lambda program: [*map(TierModel.of, program.discounts)])] = Field(
        description="By rising quantity."
    )
    is_available_to_all_partners: bool = Field(description="Whether every partner can buy, not only assigned ones.")
    partners: Annotated[
        list[AssignedPartnerModel], From(lambda program: [*map(AssignedPartnerModel.of, program.assigned_partners)])
    ] = Field(description="The partners assigned to it.")
    can_assigned_partners_purchase_zero_price: bool = Field(
        description="Whether assigned partners can buy what costs nothing."
    )
    email_domains: Annotated[list[str], From(lambda program: [rule.domain for rule in program.email_domains])] = Field(
        description="Domains whose candidates alone can use the vouchers."
    )
    enforce_assigned_email: bool = Field(description="Whether only its recipient can use an assigned voucher.")
    voucher_code_prefix: str = Field(description="What codes begin with.")
    expiration_period_in_days: int = Field(description="How long vouchers are good once they are made.")
    allow_ach_payments: bool = Field(description="Whether ACH may pay for them.")
    created_at: datetime = Field(description="When it was made, UTC.")
    version: int = Field(description="Raised by each change; the `ETag` too.")


class VoucherProgramSlice(Representation):
    """A part of the voucher programs."""

    data: list[VoucherProgramModel] = Field(description="The parts, in the order of the list.")
    next_link: str | None = Field(description="The next part; null at the end.")


UPDATE_PROGRAM = {
    "name": "Professional Program",
    "storeExamCodes": ["NCA-GENL"],
    "costPerVoucher": 99.5,
    "tiers": [{"quantity": 10, "percent": 5}, {"quantity": 50, "percent": 12.5}],
    "isAvailableToAllPartners": True,
    "emailDomains": ["acme.example.com"],
    "enforceAssignedEmail": True,
    "voucherCodePrefix": "PRO-",
    "expirationPeriodInDays": 365,
}
CREATE_PROGRAM = UPDATE_PROGRAM | {"isActive": True}
PROGRAM = UPDATE_PROGRAM | {
    "id": "01906a6e-0000-7000-8000-000000000003",
    "status": "Active",
    "tiers": [{"quantity": 10, "percent": 5.0}, {"quantity": 50, "percent": 12.5}],
    "partners": [],
    "canAssignedPartnersPurchaseZeroPrice": False,
    "allowAchPayments": False,
    "createdAt": "2026-01-01T00:00:00Z",
    "version": 1,
}
