"""Look-ups of the ids of resources by name, code or id."""

from collections.abc import Iterable
from functools import partial
from uuid import UUID

from tessera.catalog.product_bundles import service as bundles
from tessera.catalog.product_bundles.service import ProductBundleFilter
from tessera.catalog.store_exams import service as exams
from tessera.catalog.store_exams.service import StoreExamFilter
from tessera.cli.organization_session import fetch_all
from tessera.identity.clients import service as clients
from tessera.identity.keys import service as keys
from tessera.identity.tokens import service as tokens
from tessera.kit.clock import clock
from tessera.kit.db.unit_of_work import UnitOfWork
from tessera.kit.errors import Conflict, NotFound
from tessera.redemptions import lifecycle as redemptions
from tessera.redemptions.lifecycle import RedemptionFilter
from tessera.vouchers.issued import service as vouchers
from tessera.vouchers.partners import service as partners
from tessera.vouchers.programs import service as programs
from tessera.vouchers.purchases import service as purchases


async def exam_id(work: UnitOfWork, code_or_id: str) -> UUID:
    """The id of the store exam with this code (in any case) or id; raises NotFound."""
    page = await exams.list_by_cursor(work, filters=StoreExamFilter(code=code_or_id), after=None, size=1)
    exam = page.items[0].id if page.items else _as_id(code_or_id)
    return _required(exam, f"There is no store exam {code_or_id}.")


async def bundle_id(work: UnitOfWork, name_or_id: str) -> UUID:
    """The id of the product bundle with this name (in any case) or id; raises NotFound, Conflict."""
    if row_id := _as_id(name_or_id):
        return row_id
    rows = await fetch_all(partial(bundles.list_by_cursor, work, filters=ProductBundleFilter()))
    return _named("product bundle", name_or_id, ((bundle.name, bundle.id) for bundle in rows))


async def client_id(work: UnitOfWork, name_or_id: str) -> UUID:
    """The id of the API client with this name (in any case), ClientId or id; raises NotFound."""
    if row_id := _as_id(name_or_id):
        return row_id
    rows = await fetch_all(partial(clients.list_by_cursor, work))
    names = ((name, client.id) for client in rows for name in (client.name, clients.client_id_of(work, client)))
    return _named("client", name_or_id, names)


async def key_id(work: UnitOfWork, name_or_id: str) -> UUID:
    """The id of the API key with this name (in any case) that is not revoked, or with this id.

    Raises NotFound, Conflict.
    """
    if row_id := _as_id(name_or_id):
        return row_id
    rows = await fetch_all(partial(keys.list_by_cursor, work))
    return _named("key", name_or_id, ((key.name, key.id) for key in rows if key.revoked_at is None))


async def token_id(work: UnitOfWork, email_or_id: str) -> UUID:
    """The id of the token of this user that is not revoked, or with this id; raises NotFound, Conflict."""
    if row_id := _as_id(email_or_id):
        return row_id
    rows = await fetch_all(partial(tokens.list_by_cursor, work, user_id=None))
    return _named("token", email_or_id, ((token.email, token.id) for token in rows if token.revoked_at is None))


async def partner_id(work: UnitOfWork, name_or_id: str) -> UUID:
    """The id of the voucher partner with this name (in any case) or id; raises NotFound."""
    partner = await partners.find_by_name(work, name_or_id)
    return _required(partner.id if partner else _as_id(name_or_id), f"There is no voucher partner {name_or_id}.")


async def program_id(work: UnitOfWork, name_or_id: str) -> UUID:
    """The id of the voucher program with this name (in any case) or id; raises NotFound."""
    program = await programs.find_id(work, name_or_id) or _as_id(name_or_id)
    return _required(program, f"There is no voucher program {name_or_id}.")


async def purchase_id(work: UnitOfWork, code_or_id: str) -> UUID:
    """The id of the voucher purchase with this code (in any case) or id; raises NotFound."""
    purchase = _as_id(code_or_id) or await purchases.find_id(work, code_or_id)
    return _required(purchase, f"There is no voucher purchase {code_or_id}.")


async def voucher_id(work: UnitOfWork, code_or_id: str) -> UUID:
    """The id of the voucher with this code (in any case) or id; raises NotFound."""
    voucher = await vouchers.find_id(work, code_or_id) or _as_id(code_or_id)
    return _required(voucher, f"There is no voucher {code_or_id}.")


async def redemption_id(work: UnitOfWork, reservation_code_or_id: str) -> UUID:
    """The id of the only redemption of the reservation with this code, or with this id; raises NotFound, Conflict."""
    if row_id := _as_id(reservation_code_or_id):
        return row_id
    filters = RedemptionFilter(reservation_code=reservation_code_or_id)
    page = await redemptions.list_by_cursor(work, filters, now=clock(), after=None, size=100)
    return _named("redemption", reservation_code_or_id, ((each.reservation_code, each.id) for each in page.items))


def _named(noun: str, name: str, names: Iterable[tuple[str, UUID]]) -> UUID:
    key = name.casefold()
    ids = [row_id for each, row_id in names if each.casefold() == key]
    if len(ids) > 1:
        raise Conflict(f"Several {noun}s are named {name}; choose an id: {', '.join(map(str, ids))}.")
    return _required(ids[0] if ids else None, f"There is no {noun} {name}.")


def _as_id(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None


def _required(resource_id: UUID | None, message: str) -> UUID:
    if resource_id is None:
        raise NotFound(message)
    return resource_id
