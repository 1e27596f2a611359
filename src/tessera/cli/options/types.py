"""Options and arguments that several commands share, and the parsers of their values."""

from datetime import datetime
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Annotated

import typer

from tessera.identity.rules import FunctionPoint
from tessera.kit import normalization
from tessera.kit.errors import Invalid, Violation

Organization = Annotated[
    str | None,
    typer.Option(
        "--organization",
        help="The organization's name (any case) or id; default: TESSERA_ORGANIZATION, or the only organization.",
    ),
]
RequiredOrganization = Annotated[str, typer.Option("--organization", help="The organization's name (any case) or id.")]
Yes = Annotated[bool, typer.Option("--yes", help="Do not ask for confirmation.")]
Name = Annotated[str, typer.Option("--name", help="The display name.")]
Email = Annotated[str, typer.Option("--email", help="The user's email address.")]
FirstName = Annotated[str, typer.Option("--first-name", help="The user's first name.")]
LastName = Annotated[str, typer.Option("--last-name", help="The user's last name.")]
Partner = Annotated[str, typer.Argument(help="The partner's name (any case) or id.", metavar="PARTNER")]
FunctionPoints = Annotated[
    list[str],
    typer.Option("--function-point", help=f"A right to grant; repeatable. One of {', '.join(FunctionPoint)}."),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print only JSON to standard output.")]
PartnerFilter = Annotated[str | None, typer.Option("--partner", help="The partner, by name or id.")]
Price = Annotated[str, typer.Option("--price", help="The price in dollars.")]
TokenDays = Annotated[int, typer.Option("--days", min=1, max=3660, help="The lifetime of the token in days.")]
Limit = Annotated[int, typer.Option(min=1, max=1000, help="The maximum number of records.")]
Cursor = Annotated[str | None, typer.Option("--cursor", help="The cursor that the previous page printed.")]
Reveal = Annotated[
    bool, typer.Option("--reveal", help="Show whole voucher codes, which the audit log records; default: masked.")
]
Output = Annotated[Path | None, typer.Option("--output", help="The file to write; - (default) is standard output.")]


def parse_function_points(names: list[str]) -> list[FunctionPoint]:
    """The rights in options; raises Invalid."""
    known = ", ".join(FunctionPoint)
    unknown = [name for name in names if name not in list(FunctionPoint)]
    if unknown:
        raise Invalid([Violation("Unknown", "function_points", f"must be one of {known}: {name}") for name in unknown])
    return [FunctionPoint(name) for name in names]


def parse_decimal(field: str, text: str) -> Decimal:
    """A finite number in the option of this field; raises Invalid."""
    try:
        number = Decimal(text)
    except InvalidOperation:
        number = Decimal("NaN")
    if not number.is_finite():
        raise Invalid([Violation("NotNumber", field, f"must be a number: {text}")])
    return number or Decimal(0)  # a negative zero is shown as zero


def parse_exact_time(field: str, text: str) -> datetime:
    """A time with its parts of a second in the option of this field, UTC unless it has an offset; raises Invalid."""
    seconds = parse_time(field, text)
    return seconds.replace(microsecond=datetime.fromisoformat(text).microsecond)


def parse_time(field: str, text: str) -> datetime:
    """A time in the option of this field, UTC unless it has an offset; raises Invalid."""
    try:
        return normalization.parse_time(text)
    except (ValueError, OverflowError):
        message = f"must be an ISO 8601 date and time: {text}"
        raise Invalid([Violation("NotDateTime", field, message)]) from None
