"""Request and response models of voucher programs."""

from datetime import datetime
from operator import attrgetter
from typing import Annotated
from uuid import UUID

from pydantic import Field

from tessera.api.http.fields import (
    Boolean,
    DisplayName,
    Money,
    PositiveNumber,
    RequestModel,
    Text,
    Texts,
    Uuids,
    WholeNumber,
    list_of,
)
from tessera.api.http.metadata import EXAMPLE, FILTER, FILTER_EXAMPLES, METADATA, Metadata, MetadataFilter
from tessera.api.management.schemas.metadata import MetadataOf
from tessera.api.management.schemas.voucher_partners import StatusChoice
from tessera.api.management.serialization import From, Representation
from tessera.api.serving.cursor_pages import CursorQuery
from tessera.api.vocabulary import PARTNER_STATUS
from tessera.vouchers.programs.rules import MAX_TIERS


class DiscountTierRequest(RequestModel):
    """A discount for a minimum quantity."""

    quantity: WholeNumber = Field(
        description="The smallest quantity with this discount, 1 to 1,000.",
        json_schema_extra={"minimum": 1, "maximum": 1000},
    )
    percent: PositiveNumber = Field(
        description="The discount in percent, above 0 and at most 100, with at most two decimals.",
        json_schema_extra={"maximum": 100},
    )


Tiers = Annotated[tuple[DiscountTierRequest, ...], list_of(DiscountTierRequest, "tiers", most=MAX_TIERS)]


class VoucherProgramQuery(CursorQuery):
    """Query of GET /management/v1/voucher-programs."""

    program_name_part: Text | None = Field(
        None,
        alias="name",
        description="Only programs whose name contains this text (not case-sensitive).",
        examples=["Spring"],
    )
    status: StatusChoice | None = Field(None, description="Only programs with this status.", examples=["Active"])
    metadata: MetadataFilter | None = Field(None, description=FILTER, examples=FILTER_EXAMPLES)


class VoucherProgramUpdateRequest(RequestModel):
    """Body of PUT /management/v1/voucher-programs/{voucherProgramId}: the complete program."""

    name: DisplayName = Field(description="The display name, 1 to 200 characters, unique (not case-sensitive).")
    store_exam_codes: Texts = Field(
        description="The codes of the exams that a voucher pays for, at least one (not case-sensitive)."
    )
    cost_per_voucher: Money = Field(description="The price of a voucher before any discount, in dollars.")
    tiers: Tiers = Field(
        (),
        description="Discounts by quantity: a larger quantity has a larger percent. The largest tier reached applies."
        " At most 100.",
        json_schema_extra={"maxItems": 100},
    )
    is_available_to_all_partners: Boolean = Field(
        default=False, description="Whether all partners can buy it, or only assigned partners."
    )
    partner_ids: Uuids = Field((), description="The assigned partners.")
    can_assigned_partners_purchase_zero_price: Boolean = Field(
        default=False, description="Whether assigned partners can make purchases that cost nothing."
    )
    email_domains: Texts = Field(
        (),
        description="The email domains to restrict the vouchers to, without their subdomains, at most 1,000.",
        json_schema_extra={"maxItems": 1000},
    )
    enforce_assigned_email: Boolean = Field(
        default=False, description="Whether only the recipient of an assigned voucher can use it."
    )
    voucher_code_prefix: Text = Field(
        "",
        description="The prefix of voucher codes: at most 20 characters of A-Z, 0-9 and `-`.",
        json_schema_extra={"maxLength": 20},
    )
    expiration_period_in_days: WholeNumber = Field(
        365,
        description="The validity of vouchers after creation, 1 to 36,500 days.",
        json_schema_extra={"minimum": 1, "maximum": 36_500},
    )
    allow_ach_payments: Boolean = Field(default=False, description="Whether purchases can be paid by ACH.")
    metadata: Metadata = Field({}, description=METADATA)


class VoucherProgramCreateRequest(VoucherProgramUpdateRequest):
    """Body of POST /management/v1/voucher-programs."""

    is_active: Boolean = Field(default=False, description="Whether partners can buy it at once.")


class DiscountTierModel(Representation):
    """A discount for a minimum quantity."""

    quantity: int = Field(description="The smallest quantity with this discount.")
    percent: float = Field(description="The discount in percent.")


class AssignedPartnerModel(Representation):
    """A partner that is assigned to a program."""

    id: UUID = Field(description="The unique identifier.")
    name: str = Field(description="The display name.")


class VoucherProgramModel(Representation):
    """An offer of vouchers."""

    id: UUID = Field(description="The unique identifier.")
    name: str = Field(description="The display name.")
    status: Annotated[str, PARTNER_STATUS] = Field(description="The current status.")
    store_exam_codes: Annotated[list[str], From(lambda program: [exam.code for exam in program.store_exams])] = Field(
        description="The codes of the exams that a voucher pays for."
    )
    cost_per_voucher: Annotated[float, From(attrgetter("partner_cost_per_voucher"))] = Field(
        description="The price of a voucher before any discount, in dollars."
    )
    tiers: Annotated[list[DiscountTierModel], From(lambda program: [*map(DiscountTierModel.of, program.discounts)])] = (
        Field(description="Discounts by quantity, in ascending order.")
    )
    is_available_to_all_partners: bool = Field(
        description="Whether all partners can buy it, or only assigned partners."
    )
    partners: Annotated[
        list[AssignedPartnerModel], From(lambda program: [*map(AssignedPartnerModel.of, program.assigned_partners)])
    ] = Field(description="The assigned partners.")
    can_assigned_partners_purchase_zero_price: bool = Field(
        description="Whether assigned partners can make purchases that cost nothing."
    )
    email_domains: Annotated[list[str], From(lambda program: [rule.domain for rule in program.email_domains])] = Field(
        description="The email domains to which the vouchers are restricted."
    )
    enforce_assigned_email: bool = Field(description="Whether only the recipient of an assigned voucher can use it.")
    voucher_code_prefix: str = Field(description="The prefix of voucher codes.")
    expiration_period_in_days: int = Field(description="The validity of vouchers after creation, in days.")
    allow_ach_payments: bool = Field(description="Whether purchases can be paid by ACH.")
    metadata: MetadataOf = Field(description="Texts by key, attached by an integration.")
    created_at: datetime = Field(description="The time of creation, in UTC.")
    version: int = Field(description="The version, incremented by each change; also the `ETag`.")


VoucherProgramUpdateRequest.ignore_read_only(VoucherProgramModel, unless=["partners"])


class VoucherProgramPage(Representation):
    """A page of voucher programs."""

    data: list[VoucherProgramModel] = Field(description="Voucher programs, oldest first.")
    next_link: str | None = Field(description="The URL of the next page; null on the last page.")
    next_cursor: str | None = Field(description="The `cursor` of the next page; null on the last page.")


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
    "metadata": EXAMPLE,
}
CREATE_PROGRAM = UPDATE_PROGRAM | {"name": "Summer Program", "voucherCodePrefix": "SUMMER-", "isActive": True}
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
