"""What imports of CSV files share: their documentation, and one import for each `Idempotency-Key`."""

from collections.abc import Awaitable, Callable
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
from tessera.kit.imports.rows import MAX_LINES
from tessera.kit.imports.steps import Source

MEDIA_TYPE = "text/csv"


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

    async def effect() -> JsonResponse:
        return JsonResponse(await import_file(Source(upload.file, upload.digest)), 200 if dry_run else 201)

    # A dry run has no effect, so its Idempotency-Key is ignored.
    return await effect() if dry_run else await idempotency.once(request, caller, effect)
