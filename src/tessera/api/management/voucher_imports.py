"""Imports of vouchers from elsewhere: /management/v1/voucher-imports."""

from typing import Any

from fastapi import APIRouter, Request, Response

from tessera.api.http import parsing
from tessera.api.http.fields import RequestModel
from tessera.api.management import csv_imports
from tessera.api.management.requests import read_filters
from tessera.api.management.schemas.voucher_imports import FILE, IMPORTED, VoucherImportModel, VoucherImportQuery
from tessera.api.serving.dependencies import Manager
from tessera.kit.imports.steps import Source
from tessera.kit.wire import wire_name
from tessera.voucher_imports import cells, service
from tessera.vouchers.purchases.checkout.rules import Order

router = APIRouter(tags=["Management: voucher purchases"])

BODIES: tuple[type[RequestModel], ...] = ()
QUERIES = (VoucherImportQuery,)
_BAD_LINE = ("/3/code", "CodeTaken", "Line 3: code must be unique, and 'OLD-4712' is taken.")

_COLUMNS = ", ".join(f"`{wire_name(column)}`" for column in cells.FILE.imported if column != "code")
DESCRIPTION = f"""\
Import all vouchers of a file as complete purchases of up to 1,000 each, or import nothing. Every bad line is reported
with its number and its reasons.

The first line names the columns: `code`, and any of {_COLUMNS}. An export of vouchers has these columns. The columns
that only an export has are ignored.

A code must not be that of another voucher or the name of a promo code of your organization. Without `expiresAt`, a
voucher expires after the period of the program. The vouchers of a file expire on at most 5,000 days.

A voucher was used if `isUsed` is `true`, or if there is a `usedAt`. It gets a redemption at that time, or else now,
which counts and reports include, at the current price of its exam. A program with one exam needs no `storeExamCode`.
Without `reservationCode` the reservation is named `IMPORTED-` and the code. Its status is `reservationStatus`, or else
`Created`; while it can be cancelled, a cancellation gives the voucher back. The only reservation of an unused voucher
is a cancelled one.

The file is UTF-8, or UTF-16 with a byte-order mark, with comma, semicolon or tab as separator.

{csv_imports.GUESSES}"""


@router.post(
    parsing.VOUCHER_IMPORTS,
    operation_id="importVouchers",
    summary="Import vouchers from a CSV file",
    description=DESCRIPTION,
    status_code=201,
    responses=csv_imports.responses(
        VoucherImportModel,
        IMPORTED,
        IMPORTED | {"voucherPurchaseIds": [], "isDryRun": True},
        records="vouchers",
        bad_line=_BAD_LINE,
    ),
    openapi_extra=csv_imports.request_body(VoucherImportQuery, FILE, records="vouchers"),
)
async def import_vouchers(request: Request, caller: Manager) -> Response:
    """Import all vouchers of a file, or none."""
    filters = read_filters(request, VoucherImportQuery)
    order = Order(partner_id=filters["partner_id"], program_id=filters["program_id"])
    dry_run = bool(filters.get("dry_run"))

    async def import_file(source: Source) -> dict[str, Any]:
        return VoucherImportModel.of(
            await service.import_file(caller.work, source, order, dry_run=dry_run, now=caller.now)
        )

    return await csv_imports.run(request, caller, import_file, dry_run=dry_run)
