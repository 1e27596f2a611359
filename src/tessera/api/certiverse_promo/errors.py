"""Errors in the format of the Certiverse Promo Code API."""

from tessera.api.certiverse_promo.schemas import PromoCodeCreateCommand, PromoCodeQuery
from tessera.api.error_rendering import certiverse
from tessera.api.http.json import JsonResponse
from tessera.kit.errors import DomainError, Invalid, TooManyResults


def render(error: DomainError) -> JsonResponse:
    """The Certiverse format; TooManyResults is 400 here."""
    match error:
        case Invalid():
            return certiverse.invalid(error, PromoCodeQuery, PromoCodeCreateCommand)
        case TooManyResults():
            return certiverse.error_response(400, "TooManyResults", error.message)
        case _:
            return certiverse.common(error)
