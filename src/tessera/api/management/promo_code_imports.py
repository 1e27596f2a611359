"""Imports of promo codes: /management/v1/promo-code-imports."""

from typing import Any

from fastapi import APIRouter, Request, Response

from tessera.api.http import parsing
from tessera.api.http.fields import RequestModel
from tessera.api.management import csv_imports
from tessera.api.management.requests import read_filters
from tessera.api.management.schemas.promo_code_imports import FILE, ImportQuery, PromoCodeImportModel
from tessera.api.serving.dependencies import Manager
from tessera.kit.imports.steps import Source
from tessera.kit.wire import wire_name
from tessera.promo_codes.imports import cells, service

router = APIRouter(tags=["Management: promo-code batches"])

BODIES: tuple[type[RequestModel], ...] = ()
QUERIES = (ImportQuery,)
_BAD_LINE = ("/3/discountPercent", "DiscountPercentRange", "Line 3: discountPercent must be between 1 and 100.")

_COLUMNS = ", ".join(f"`{wire_name(column)}`" for column in cells.IMPORTED_COLUMNS if column != "name")
DESCRIPTION = f"""\
Import all promo codes of a file, or none. Every bad line is reported with its number and its reasons.

With `update=true`, a line with the name of an existing promo code changes it: each field that has a column. An empty
cell clears the field, and an empty `status` keeps the status. A line without a difference changes nothing, so an export
can be edited and sent back. Archived promo codes cannot change. A file changes up to 2,000 promo codes, which have up
to 100,000 e-mail addresses in all. Redemptions of a changed promo code that has a limit wait until the import ends,
which takes some seconds for every 1,000 changes; after 15 seconds they are 503. Change promo codes that are in use by
files of up to 1,000 lines.

With `from`, the file is the export of another vendor, as its documentation describes it, and cannot update promo codes.
A limit is reduced by the uses so far, so 99 of 100 uses leave one, and a used-up code is archived. What a promo code
cannot have is reported as a bad line, such as another currency, free shipping, or a minimum amount. To import the
code without it, remove the cell or its column; a column named `metadata.KEY` is kept as metadata.

The first line names the columns: `name`, and any of {_COLUMNS}. `status` is `Active`, `Inactive` or `Archived`.
A column `metadata.KEY` has the texts of one key of metadata, and with `update=true` the other keys stay; `metadata` has
all of them as a JSON object. Columns that only an export has are ignored. Separate the values in a cell by `|`; escape
a `|` or a backslash in a value by a backslash. The file is UTF-8, or UTF-16 with a byte-order mark, with comma,
semicolon or tab as separator.

{csv_imports.GUESSES}"""


@router.post(
    parsing.IMPORTS,
    operation_id="importPromoCodes",
    summary="Import promo codes from a CSV file",
    description=DESCRIPTION,
    status_code=201,
    responses=csv_imports.responses(
        PromoCodeImportModel,
        {"promoCodes": 2, "isDryRun": False},
        {"promoCodes": 2, "isDryRun": True},
        records="promo codes",
        bad_line=_BAD_LINE,
    ),
    openapi_extra=csv_imports.request_body(ImportQuery, FILE, records="promo codes"),
)
async def import_promo_codes(request: Request, caller: Manager) -> Response:
    """Import all promo codes of a file, or none."""
    filters = read_filters(request, ImportQuery)
    dry_run, update, vendor = bool(filters.get("dry_run")), bool(filters.get("update")), filters.get("vendor")

    async def import_file(source: Source) -> dict[str, Any]:
        return PromoCodeImportModel.of(
            await service.import_file(
                caller.work, source, dry_run=dry_run, update=update, vendor=vendor, now=caller.now
            )
        )

    return await csv_imports.run(request, caller, import_file, dry_run=dry_run)
