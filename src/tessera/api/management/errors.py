"""Domain errors as responses of the management API."""

from tessera.api.error_rendering import problem_details
from tessera.api.error_rendering.problem_details import ProblemResponse
from tessera.api.management.router import RESOURCES
from tessera.kit.errors import DomainError, Violation
from tessera.kit.imports.refusals import ImportRefused

BODIES = tuple(model for resource in RESOURCES for model in resource.BODIES)
QUERIES = tuple(model for resource in RESOURCES for model in resource.QUERIES)


def render(error: DomainError) -> ProblemResponse:
    """The problem details (RFC 9457) of an error.

    Violations have the field names of the first model with all their fields, so that a field has one name everywhere.
    A violation in a CSV file points to its line and the name of its column.
    """
    if isinstance(error, ImportRefused):
        errors = [_line_error(line.number, violation) for line in error.lines for violation in line.violations]
        return problem_details.problem(400, "validation-failed", "The file has bad lines", error.message, errors=errors)
    return problem_details.render(error, *BODIES, *QUERIES)


def _line_error(number: int, violation: Violation) -> dict[str, str]:
    detail = f"Line {number}: {violation.field} {violation.message}."
    return {"pointer": f"/{number}/{violation.field}", "code": violation.code, "detail": detail}
