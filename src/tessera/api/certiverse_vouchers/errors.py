"""Errors in the format of the Certiverse Voucher Partner API."""

from tessera.api.certiverse_vouchers.schemas import (
    PartnerQuery,
    ProgramQuery,
    PurchaseQuery,
    VoucherPurchaseCreateCommand,
    VoucherQuery,
)
from tessera.api.error_rendering import certiverse
from tessera.api.http.json import JsonResponse
from tessera.kit.errors import DomainError, Invalid, TooManyResults

# A violation contains only the name of its field, so a field must have the same wire name in each of these models.
MODELS = (PartnerQuery, ProgramQuery, VoucherPurchaseCreateCommand, PurchaseQuery, VoucherQuery)


class NoFilter(DomainError):
    """A list that requires a filter was requested without one."""

    def __init__(self, *names: str) -> None:
        super().__init__(f"At least one of {', '.join(names)} is required.")


def render(error: DomainError) -> JsonResponse:
    """The Certiverse format; TooManyResults is 422 here."""
    match error:
        case Invalid():
            return certiverse.invalid(error, *MODELS)
        case NoFilter():
            return certiverse.error_response(400, "FilterRequired", error.message)
        case TooManyResults():
            return certiverse.error_response(422, "TooManyResults", error.message)
        case _:
            return certiverse.common(error)
