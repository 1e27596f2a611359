"""What imports of CSV files share: their documentation, and one import for each `Idempotency-Key`."""

from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Any

from fastapi import Request, Response

from tessera.api.error_rendering import problem_details
from tessera.api.http import openapi, uploads
from tessera.api.http.fields import RequestModel, ResponseModel
from tessera.api.http.json import JsonResponse
from tessera.api.http.openapi import response
from tessera.api.management.documentation import Example, Responses
from tessera.api.serving import idempotency
from tessera.api.serving.callers import Caller
from tessera.api.serving.resources import resources_of
from tessera.identity.rules import FunctionPoint
from tessera.kit.imports.refusals import ImportRefused
from tessera.kit.imports.rows import MAX_LINES
from tessera.kit.imports.steps import Source

MEDIA_TYPE = "text/csv"
# A part of the description of each import.
GUESSES = """\
For callers without `SeeVoucherCodes`, each line of a dry run or of a refused file counts against the budget of guesses
of the credential, because the answer tells whether a voucher has its code or name.
"""


def responses(
    model: type[ResponseModel], imported: Example, checked: Example, *, records: str, bad_line: tuple[str, str, str]
) -> Responses:
    """The responses of an import of these records, with examples of an import, of a dry run and of a bad line."""
    return {
        200: response(model, "The dry run found no bad lines.", checked),
        201: response(model, f"All {records} were imported.", imported),
        400: problem_details.documented_invalid(*bad_line),
        **problem_details.documented(401, 403, 409, 413, 415, 422, 429, 500, 503),
    }


def request_body(query: type[RequestModel], file: str, *, records: str) -> dict[str, Any]:
    """The parameters and the body of a request to import these records."""
    return {
        "security": openapi.BEARER,
        "parameters": [*openapi.parameters(query), idempotency.PARAMETER],
        "requestBody": {
            "required": True,
            "description": f"Up to 100 MiB and {MAX_LINES:,} {records}.",
            "content": {MEDIA_TYPE: {"schema": {"type": "string"}, "example": file}},
        },
    }


async def run(
    request: Request, caller: Caller, import_file: Callable[[Source], Awaitable[dict[str, Any]]], *, dry_run: bool
) -> Response:
    """The response to a request with a file, which `import_file` imports or, for a dry run, only checks."""
    upload = uploads.read_upload(request, MEDIA_TYPE)
    with _counted_guesses(request, caller, dry_run=dry_run) as on_guesses:

        async def effect() -> JsonResponse:
            source = Source(upload.file, upload.digest, on_guesses=on_guesses)
            return JsonResponse(await import_file(source), 200 if dry_run else 201)

        # A dry run has no effect, so its Idempotency-Key is ignored.
        return await effect() if dry_run else await idempotency.once(request, caller, effect)


@contextmanager
def _counted_guesses(request: Request, caller: Caller, *, dry_run: bool) -> Iterator[Callable[[int], None]]:
    """Count the lines of an import that adds nothing as guesses of a caller without the right to voucher codes.

    Such an import tells of each line whether a voucher has its text. Raises TooManyRequests.
    """
    if FunctionPoint.SEE_VOUCHER_CODES in caller.principal.function_points:
        yield lambda _: None
        return
    pipeline, guesses = resources_of(request).pipeline, list[int]()
    pipeline.admit_guess(request)
    try:
        yield guesses.append
    except ImportRefused:  # any other error, such as an outage of the database, tells nothing of the lines
        pipeline.count_misses(request, sum(guesses))
        raise
    pipeline.count_misses(request, sum(guesses) if dry_run else 0)
