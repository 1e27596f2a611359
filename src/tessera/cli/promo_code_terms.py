"""What promo codes give, as options of commands, and how they are shown."""

from collections.abc import Container, Iterable
from typing import Annotated, Any

import typer

from tessera.kit.csv import join
from tessera.kit.errors import Invalid, Violation
from tessera.promo_codes.imports import cells
from tessera.promo_codes.management.service import ManagedPromoCode

Percent = Annotated[str | None, typer.Option("--percent", help="1 to 100; either this or --flat.")]
Flat = Annotated[str | None, typer.Option("--flat", help="An amount in dollars, such as 12.50.")]
Exams = Annotated[list[str] | None, typer.Option("--exam", help="A store exam's code; may be given again.")]
Bundles = Annotated[list[str] | None, typer.Option("--bundle", help="A product bundle's id; may be given again.")]
Expires = Annotated[str | None, typer.Option("--expires", help="A date, or date and time, UTC: 2030-01-01.")]
Limit = Annotated[str | None, typer.Option("--max-redemptions", help="Uses in total.")]
LimitEach = Annotated[str | None, typer.Option("--max-redemptions-per-candidate", help="Uses of each candidate.")]
Notes = Annotated[str | None, typer.Option("--notes", help="For your own people.")]
Active = Annotated[bool, typer.Option("--active", help="Usable at once.")]


def read(**options: str | list[str] | None) -> dict[str, Any]:
    """The fields of a draft that these options give; what cannot be read is among the `parse_violations`."""
    texts = {name: value if isinstance(value, str) else join(value) for name, value in options.items() if value}
    return cells.read(texts)


_EMPTY: dict[str, Any] = {
    "store_exam_codes": (),
    "product_bundle_ids": (),
    "email_addresses": (),
    "discount_percent": None,
    "flat_discount": None,
    "expires_at": None,
    "max_redemptions": None,
    "max_redemptions_per_candidate": None,
    "notes": None,
}


def emptied(names: Iterable[str], given: Container[str]) -> dict[str, Any]:
    """What a code shall no longer have: what is named, and the one kind of discount where the other is given.

    Raises Invalid.
    """
    named = [name.replace("-", "_") for name in names]
    unknown = [name for name in named if name not in _EMPTY]
    if unknown:
        known = ", ".join(_EMPTY).replace("_", "-")
        raise Invalid([Violation("Unknown", "clear", f"must be one of {known}: {unknown[0]}")])
    replaced = {"discount_percent": "flat_discount", "flat_discount": "discount_percent"}
    return {name: _EMPTY[name] for name in (*named, *(one for one, other in replaced.items() if other in given))}


def fields(code: ManagedPromoCode) -> dict[str, Any]:
    """A promo code as commands show it."""
    return {
        "id": code.id,
        "name": code.name,
        "status": code.status,
        "discountPercent": code.discount_percent,
        "flatDiscount": code.flat_discount,
        "storeExamCodes": list(code.store_exam_codes),
        "expiresAt": code.expires_at,
        "maxRedemptions": code.max_redemptions,
        "redemptionCount": code.redemption_count,
    }


def all_fields(code: ManagedPromoCode) -> dict[str, Any]:
    """Everything of one promo code."""
    return fields(code) | {
        "maxRedemptionsPerCandidate": code.max_redemptions_per_candidate,
        "productBundleIds": [str(bundle_id) for bundle_id in code.product_bundle_ids],
        "restrictToEmailAddresses": code.restrict_to_email_addresses,
        "emailAddresses": list(code.email_addresses or ()),
        "notes": code.notes,
        "batchId": code.batch_id,
        "createdAt": code.created_at,
        "version": code.version,
    }
