"""Facts in the words of the storefront API."""

from tessera.api import problems
from tessera.api.problems import ProblemAnswer
from tessera.api.storefront.schemas import ValidationRequest
from tessera.kit.errors import Fact


def render(fact: Fact) -> ProblemAnswer:
    """Problem details (RFC 9457)."""
    return problems.render(fact, ValidationRequest)
