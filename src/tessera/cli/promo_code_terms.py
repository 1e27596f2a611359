"""What promo codes give, as options of commands, and how they are shown."""

from typing import Annotated, Any

import typer

from tessera.kit.csv_export import SEPARATOR
from tessera.promo_codes.imports import cells
from tessera.promo_codes.managed.service import ManagedPromoCode

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
    """The fields of a draft that these options give; what cannot be read is among the `refused`."""
    texts = {
        name: value if isinstance(value, str) else SEPARATOR.join(value) for name, value in options.items() if value
    }
    return cells.read(texts)


def fields(code: ManagedPromoCode) -> dict[str, Any]:
    """A promo code as commands show it."""
    return {
        "id": code.id,
        "name": code.name,
        "status": code.status,
        "discountPercent": code.discount_percent,
        "flatDiscount": code.flat_discount,
        "storeExamCodes": ", ".join(code.store_exam_codes),
        "expiresAt": code.expires_at,
        "maxRedemptions": code.max_redemptions,
        "redemptionCount": code.redemption_count,
    }


def all_fields(code: ManagedPromoCode) -> dict[str, Any]:
    """Everything of one promo code."""
    return fields(code) | {
        "maxRedemptionsPerCandidate": code.max_redemptions_per_candidate,
        "productBundleIds": ", ".join(map(str, code.product_bundle_ids)),
        "restrictToEmailAddresses": code.restrict_to_email_addresses,
        "emailAddresses": ", ".join(code.email_addresses or ()),
        "notes": code.notes,
        "batchId": code.batch_id,
        "createdAt": code.created_at,
        "version": code.version,
    }
