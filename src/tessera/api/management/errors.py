"""Facts in the words of the management API."""

from tessera.api import problems
from tessera.api.management.router import RESOURCES
from tessera.api.problems import ProblemAnswer
from tessera.kit.errors import Fact

BODIES = tuple(model for resource in RESOURCES for model in resource.BODIES)
QUERIES = tuple(model for resource in RESOURCES for model in resource.QUERIES)


def render(fact: Fact) -> ProblemAnswer:
    """Problem details (RFC 9457).

    A violation is told under the names of the first model that has all its fields, so a name is told alike everywhere.
    """
    return problems.render(fact, *BODIES, *QUERIES)
