"""Requests and responses of the Certiverse Voucher Partner API, with the names of its document."""

from datetime import datetime
from typing import Annotated

from pydantic import Field

from tessera.api.http.fields import (
    DocumentedRequestModel,
    EmailText,
    Flag,
    PageNumber,
    ResponseModel,
    Text,
    WholeNumber,
    choice,
)
from tessera.api.vocabulary import PARTNER_STATUS, PARTNER_USER_STATUS, PURCHASE_STATUS, RESERVATION_STATUS
from tessera.vouchers.rules import PurchaseStatus, Status

StatusParameter = Annotated[Status, *choice(Status, PARTNER_STATUS)]
PurchaseStatusParameter = Annotated[PurchaseStatus, *choice(PurchaseStatus, PURCHASE_STATUS)]


def _page() -> int:
    field: int = Field(1, alias="page", description="Page number, from 1; a page has 100 records.", examples=[1])
    return field


def _next_link() -> str | None:
    field: str | None = Field(None, description="URL of the next page. Absent when no further pages exist.")
    return field


class PartnerQuery(DocumentedRequestModel):
    """Query of GET /api/vouchers/partners."""

    page: PageNumber = _page()
    partner_name_part: Text | None = Field(
        None, alias="partnerName", description="Any part of the partner's name (not case-sensitive).", examples=["Acme"]
    )
    status: StatusParameter | None = Field(
        None,
        alias="status",
        description="`Active`, `Inactive` or `Archived` (not case-sensitive).",
        examples=["Active"],
    )


class ProgramQuery(DocumentedRequestModel):
    """Query of GET /api/vouchers/programs."""

    page: PageNumber = _page()
    program_name_part: Text | None = Field(
        None,
        alias="programName",
        description="Any part of the program's name (not case-sensitive).",
        examples=["Spring"],
    )


class PurchaseQuery(DocumentedRequestModel):
    """Query of GET /api/vouchers/purchases."""

    page: PageNumber = _page()
    partner_name: Text | None = Field(
        None, alias="partnerName", description="Name of the partner that made the purchase.", examples=["Acme Corp"]
    )
    program_name: Text | None = Field(
        None, alias="programName", description="Name of the program.", examples=["Spring Certification Drive"]
    )
    purchase_code: Text | None = Field(
        None, alias="purchaseCode", description="Code of the purchase.", examples=["VP-7K2M9QXA4T"]
    )
    purchased_by_email: EmailText | None = Field(
        None, alias="purchasedByEmail", description="E-mail address of the buyer.", examples=["ada@example.com"]
    )
    status: PurchaseStatusParameter | None = Field(
        None, alias="status", description="Status of the purchase (not case-sensitive).", examples=["Complete"]
    )


class VoucherQuery(DocumentedRequestModel):
    """Query of GET /api/vouchers."""

    is_active: Flag | None = Field(
        None, alias="isActive", description="`true` for enabled vouchers, `false` for disabled.", examples=["true"]
    )
    is_used: Flag | None = Field(
        None, alias="isUsed", description="`true` for used vouchers, `false` for unused.", examples=["true"]
    )
    page: PageNumber = _page()
    purchase_code: Text | None = Field(
        None, alias="purchaseCode", description="Code of the purchase.", examples=["VP-7K2M9QXA4T"]
    )
    recipient_email: EmailText | None = Field(
        None, alias="recipientEmail", description="Assigned recipient.", examples=["ada@example.com"]
    )
    reservation_code: Text | None = Field(
        None, alias="reservationCode", description="Code of the latest reservation.", examples=["RSV-1001"]
    )
    store_exam_code: Text | None = Field(
        None, alias="storeExamCode", description="Code of the linked store exam.", examples=["NCA-GENL"]
    )
    voucher_code: Text | None = Field(
        None, alias="voucherCode", description="Code of the voucher (not case-sensitive).", examples=["SPRING-4H7KQ2M"]
    )


class VoucherPurchaseCreateCommand(DocumentedRequestModel):
    """Body of POST /api/vouchers/purchases."""

    notes: Text = Field(
        alias="notes", description="Notes on the purchase.", json_schema_extra={"minLength": 1, "maxLength": 20000}
    )
    partner_name: Text = Field(
        alias="partnerName",
        description="Name of an active partner within your organization.",
        json_schema_extra={"minLength": 1},
    )
    program_name: Text = Field(
        alias="programName",
        description="Name of an active program that is open to the partner and priced at $0.",
        json_schema_extra={"minLength": 1},
    )
    quantity: WholeNumber = Field(
        alias="quantity",
        description="Number of vouchers to purchase.",
        json_schema_extra={"minimum": 1, "maximum": 1000},
    )


class PartnerVoucherPartnerUserModel(ResponseModel):
    """A user of a partner."""

    email: str = Field(description="Email address of the partner user.")
    isActive: bool = Field(description="Whether the user account is active.")
    status: Annotated[str, PARTNER_USER_STATUS] = Field(description="The status of the user.")


class PartnerVoucherPartnerModel(ResponseModel):
    """A voucher partner."""

    id: str = Field(description="Unique identifier.")
    isActive: bool = Field(description="Whether the partner is currently active.")
    isArchived: bool = Field(description="Whether the partner has been archived.")
    name: str = Field(description="Display name.")
    users: list[PartnerVoucherPartnerUserModel] = Field(description="Users associated with this partner.")


class PartnerVoucherPartnerPage(ResponseModel):
    """A page of voucher partners."""

    data: list[PartnerVoucherPartnerModel] = Field(description="Up to 100 partners, oldest first.")
    nextLink: str | None = _next_link()


class PartnerVoucherProgramDiscountModel(ResponseModel):
    """A bulk discount tier."""

    id: str = Field(description="Unique identifier for the discount tier.")
    percent: float = Field(description="Discount percentage when the threshold is met.")
    quantity: int = Field(description="Minimum quantity to qualify for this discount.")


class PartnerVoucherProgramAssignedPartnerModel(ResponseModel):
    """A partner that is assigned to a program."""

    id: str = Field(description="Unique identifier of the partner.")
    name: str = Field(description="Display name of the partner.")


class PartnerVoucherProgramPartnerModel(ResponseModel):
    """Partner assignment and pricing of a program."""

    assignedPartners: list[PartnerVoucherProgramAssignedPartnerModel] = Field(
        description="Partners explicitly assigned to this program."
    )
    canAssignedPartnersPurchaseZeroPrice: bool = Field(
        description="Whether assigned partners can purchase vouchers at zero cost."
    )
    isAvailableToAllVoucherPartners: bool = Field(
        description="If true, open to all partners. If false, only assigned partners may participate."
    )
    partnerCostPerVoucher: float = Field(description="Cost per voucher charged to the partner, in dollars.")


class PartnerVoucherProgramEmailDomainRestrictionModel(ResponseModel):
    """A domain whose candidates may redeem."""

    id: str = Field(description="Unique identifier of the restriction.")
    domain: str = Field(description="The email domain, without its subdomains.")


class PartnerVoucherProgramRestrictionsModel(ResponseModel):
    """Booking restrictions applied to a program's vouchers."""

    emailDomainRestrictions: list[PartnerVoucherProgramEmailDomainRestrictionModel] = Field(
        description="Domain-level restrictions on who may redeem vouchers."
    )
    enforceAssignedEmailToBookExam: bool = Field(
        description="If true, the voucher's assigned recipient email must match the booking account."
    )


class PartnerVoucherProgramStoreExamModel(ResponseModel):
    """An exam that is available under a program."""

    code: str = Field(description="Short exam code.")
    id: str = Field(description="Unique identifier.")
    name: str = Field(description="Exam display name.")
    price: float = Field(description="Retail price of the exam, in dollars.")


class PartnerVoucherProgramModel(ResponseModel):
    """A voucher program."""

    allowAchPayments: bool = Field(description="Whether ACH (bank transfer) payments are accepted.")
    discounts: list[PartnerVoucherProgramDiscountModel] = Field(description="Bulk tiers, by rising quantity.")
    expirationPeriodInDays: int = Field(description="Days after issuance before a voucher expires.")
    id: str = Field(description="Unique identifier.")
    isActive: bool = Field(description="Whether vouchers can be purchased.")
    isArchived: bool = Field(description="Whether the program has been archived.")
    isInactive: bool = Field(description="Neither active nor archived.")
    name: str = Field(description="Display name.")
    partners: PartnerVoucherProgramPartnerModel = Field(description="Partner assignment and pricing configuration.")
    restrictions: PartnerVoucherProgramRestrictionsModel = Field(description="Booking restrictions.")
    storeExams: list[PartnerVoucherProgramStoreExamModel] = Field(description="Exams available under this program.")
    voucherCodePrefix: str = Field(description="Prefix applied to generated voucher codes.")


class PartnerVoucherProgramPage(ResponseModel):
    """A page of voucher programs."""

    data: list[PartnerVoucherProgramModel] = Field(description="Up to 100 programs, oldest first.")
    nextLink: str | None = _next_link()


class PartnerVoucherPurchaseModel(ResponseModel):
    """A voucher purchase."""

    amountPaid: float = Field(description="Total amount paid, in dollars.")
    id: str = Field(description="Unique identifier for the purchase record.")
    isArchived: bool = Field(description="Whether this purchase record has been archived.")
    notes: str = Field(description="Notes recorded against this purchase.")
    partnerName: str = Field(description="Name of the partner that made the purchase.")
    programName: str = Field(description="Name of the voucher program purchased.")
    purchaseDateUtc: datetime = Field(description="When the purchase was initiated, UTC.")
    purchasedByFirstName: str = Field(description="First name of the purchasing user.")
    purchasedByLastName: str = Field(description="Last name of the purchasing user.")
    quantity: int = Field(description="Total vouchers purchased.")
    quantityRemaining: int = Field(description="Vouchers remaining unused.")
    quantityUsed: int = Field(description="Vouchers redeemed.")
    status: Annotated[str, PURCHASE_STATUS] = Field(description="Current purchase status.")
    voucherPurchaseCode: str = Field(description="Human-readable code identifying this purchase.")


class PartnerVoucherPurchasePage(ResponseModel):
    """A page of voucher purchases."""

    data: list[PartnerVoucherPurchaseModel] = Field(description="Up to 100 purchases, oldest first.")
    nextLink: str | None = _next_link()


class PartnerVoucherUsedByModel(ResponseModel):
    """The person who redeemed a voucher."""

    clientCandidateId: str = Field(description="Client-defined candidate identifier.")
    firstName: str = Field(description="First name of the redeeming person.")
    lastName: str = Field(description="Last name of the redeeming person.")
    personId: str = Field(description="Identifier of the person who redeemed the voucher.")
    usedDateUtc: datetime = Field(description="When the voucher was redeemed, UTC.")


class PartnerVoucherModel(ResponseModel):
    """A voucher."""

    assignedDateUtc: datetime | None = Field(None, description="When it was assigned, UTC. Omitted if not assigned.")
    expirationDateUtc: datetime = Field(description="Expiration date and time, UTC.")
    id: str = Field(description="Unique identifier for the voucher.")
    isActive: bool = Field(description="Whether the voucher is enabled; use and expiry do not change this.")
    isUsed: bool = Field(description="Whether the voucher has been redeemed.")
    recipientEmail: str | None = Field(None, description="Assigned recipient email. Omitted if not assigned.")
    reservationCode: str | None = Field(None, description="Latest reservation's code. Omitted if none.")
    reservationStatus: Annotated[str, RESERVATION_STATUS] | None = Field(None, description="Its status, if any.")
    storeExamCode: str | None = Field(None, description="Linked store exam code. Omitted if not linked.")
    usedBy: PartnerVoucherUsedByModel | None = Field(None, description="Redemption details. Omitted if not used.")
    voucherCode: str = Field(description="Unique redemption code.")
    voucherPurchaseCode: str = Field(description="Code identifying the purchase batch.")


class PartnerVoucherPage(ResponseModel):
    """A page of vouchers."""

    data: list[PartnerVoucherModel] = Field(description="Up to 100 vouchers, oldest first.")
    nextLink: str | None = _next_link()
