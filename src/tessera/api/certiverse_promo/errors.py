"""Facts in the words of the Certiverse Promo Code API."""

from tessera.api.certiverse_promo.schemas import PromoCodeCreateCommand, PromoCodeQuery
from tessera.api.error_rendering import certiverse
from tessera.api.http.json import JsonAnswer
from tessera.kit.errors import Fact, Invalid, TooManyResults


def render(fact: Fact) -> JsonAnswer:
    """The Certiverse dialect; too many results are 400 here."""
    match fact:
        case Invalid():
            return certiverse.invalid(fact, PromoCodeQuery, PromoCodeCreateCommand)
        case TooManyResults():
            return certiverse.error(400, "TooManyResults", fact.message)
        case _:
            return certiverse.common(fact)
