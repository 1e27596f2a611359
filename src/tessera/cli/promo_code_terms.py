"""The terms of promo codes as options of commands, and promo codes as output."""

from collections.abc import Container, Iterable
from dataclasses import asdict, dataclass
from typing import Annotated, Any

import typer

from tessera.cli.lookups import catalog as lookups
from tessera.cli.options.metadata import Metadata, parse_metadata
from tessera.kit.csv import join
from tessera.kit.db.unit_of_work import UnitOfWork
from tessera.kit.errors import Invalid, Violation
from tessera.promo_codes.imports import cells
from tessera.promo_codes.management.service import ManagedPromoCode
from tessera.promo_codes.rules import TERMS, PromoCodeDraft


@dataclass(frozen=True, slots=True, kw_only=True)
class TermOptions:
    """The terms of a promo code or of a batch; the texts have the format of CSV cells."""

    discount_percent: Annotated[str | None, typer.Option("--percent", help="1 to 100; excludes --flat.")] = None
    flat_discount: Annotated[str | None, typer.Option("--flat", help="An amount in dollars, such as 12.50.")] = None
    store_exam_codes: Annotated[
        list[str] | None, typer.Option("--exam", help="The code of a store exam; repeatable.")
    ] = None
    product_bundle_ids: Annotated[
        list[str] | None, typer.Option("--bundle", help="A product bundle, by name or id; repeatable.")
    ] = None
    starts_at: Annotated[
        str | None, typer.Option("--starts", help="A time in UTC from which it can be used; default: at once.")
    ] = None
    expires_at: Annotated[
        str | None, typer.Option("--expires", help="A time in UTC; 2030-01-01 is the beginning of that day.")
    ] = None
    max_redemptions: Annotated[str | None, typer.Option(help="The maximum number of uses.")] = None
    max_redemptions_per_candidate: Annotated[
        str | None, typer.Option(help="The maximum number of uses by each candidate.")
    ] = None
    max_redemptions_per_organization: Annotated[
        str | None,
        typer.Option(help="The maximum number of uses by each organization; for global codes only, default: half."),
    ] = None
    is_combinable: Annotated[
        bool | None,
        typer.Option("--combinable/--not-combinable", help="Whether a reservation can use it with other such codes."),
    ] = None
    campaign: Annotated[str | None, typer.Option(help="The campaign to which it belongs.")] = None
    metadata: Metadata = None
    notes: Annotated[str | None, typer.Option(help="Internal notes.")] = None

    async def values(self, work: UnitOfWork) -> dict[str, Any]:
        """The fields of a draft from the options, and the violations of options that cannot be parsed.

        Raises NotFound, Conflict.
        """
        bundles = [str(await lookups.bundle_id(work, bundle)) for bundle in self.product_bundle_ids or ()]
        options = {
            name: value
            for name, value in (asdict(self) | {"product_bundle_ids": bundles}).items()
            if name in PromoCodeDraft.__dataclass_fields__ and value not in (None, "", [])
        }
        metadata = {"metadata": parse_metadata(options.pop("metadata"))} if "metadata" in options else {}
        flags = {name: value for name, value in options.items() if isinstance(value, bool)}
        texts = {name: join(value) if isinstance(value, list) else value for name, value in options.items()}
        return cells.parse({name: text for name, text in texts.items() if name not in flags}) | flags | metadata


_EMPTY: dict[str, Any] = {
    "store_exam_codes": (),
    "product_bundle_ids": (),
    "email_addresses": (),
    **dict.fromkeys(TERMS),
}


def fields_to_clear(names: Iterable[str], changes: Container[str]) -> dict[str, Any]:
    """The fields with these names, and the discount that a change replaces, with empty values; raises Invalid."""
    fields = [name.replace("-", "_") for name in names]
    unknown = [name for name in fields if name not in _EMPTY]
    if unknown:
        known = ", ".join(_EMPTY).replace("_", "-")
        raise Invalid([Violation("Unknown", "clear", f"must be one of {known}: {unknown[0]}")])
    replacements = {"discount_percent": "flat_discount", "flat_discount": "discount_percent"}
    fields += [name for name, replacement in replacements.items() if replacement in changes]
    return {name: _EMPTY[name] for name in fields}


# The attributes that the commands `list` and `show` print.
LIST_FIELDS = (
    "name",
    "status",
    "discount_percent",
    "flat_discount",
    "redemption_count",
    "max_redemptions",
    "expires_at",
    "store_exam_codes",
    "id",
)
DETAIL_FIELDS = (*LIST_FIELDS, *(name for name in ManagedPromoCode.__dataclass_fields__ if name not in LIST_FIELDS))
