"""Organizations whose partners and programs have equal names, and the removal of either isolation mechanism."""

import re
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import event
from tests.support.factories import Tenant
from tests.support.voucher_factories import (
    add_partner,
    add_program,
    add_purchase,
    add_user,
    add_vouchers,
    usage,
    voucher,
)

from tessera.api.serving.resources import Resources
from tessera.kit.db.database import Database
from tessera.provision import Addresses

# The conditions on the tenant and on the partner in repository statements.
TENANT_CLAUSE = re.compile(r"[\w.]*organization_id = %\(organization_id(?:_\d+)?\)s(::UUID)?")
_ASSIGNED = (
    r"voucher_programs\.id IN \(SELECT voucher_program_partners\.program_id \nFROM voucher_program_partners \n"
    rf"WHERE {TENANT_CLAUSE.pattern} AND voucher_program_partners\.partner_id = %\(partner_id_\d+\)s::UUID\)"
)
PARTNER_CLAUSES = (
    re.compile(rf"\(voucher_programs\.is_available_to_all_partners OR {_ASSIGNED}\)"),
    re.compile(r"(voucher_purchases|vouchers)\.partner_id = %\((?:partner_id_\d+|own_partner_id)\)s::UUID"),
    re.compile(r"(?<=WHERE )voucher_program_partners\.partner_id = %\(partner_id_\d+\)s::UUID"),
    re.compile(r"voucher_partners\.id = %\(id_\d+\)s::UUID"),
)


def without_partner_clauses(text: str) -> str:
    for clause in PARTNER_CLAUSES:
        text = clause.sub("true", text)
    return text


def without_clauses(text: str) -> str:
    return TENANT_CLAUSE.sub("true", without_partner_clauses(text))


@dataclass(frozen=True)
class Shop:
    """One organization: ids by the name of partner or program, and headers by the user's partner ("" for none)."""

    tenant: Tenant
    partners: dict[str, UUID]
    programs: dict[str, UUID]
    purchases: dict[str, UUID]
    vouchers: dict[str, UUID]
    headers: dict[str, dict[str, str]]


@dataclass(frozen=True)
class View:
    """The names of the partners and programs that one caller may see."""

    shop: Shop
    headers: dict[str, str]
    partners: tuple[str, ...]
    programs: tuple[str, ...]


async def furnish(resources: Resources, tenant: Tenant) -> Shop:
    """Add two partners with a user, a purchase and a voucher each, and programs for all subsets of them."""
    partners = {name: await add_partner(resources, tenant, name) for name in ("Acme", "Globex")}
    assignments = {
        "Open": (),
        "Acme's": ("Acme",),
        "Globex's": ("Globex",),
        "Shared": ("Acme", "Globex"),
        "Nobody's": (),
    }
    programs = {
        name: await add_program(
            resources,
            tenant,
            name,
            is_available_to_all_partners=name == "Open",
            partner_ids=tuple(partners[partner] for partner in assigned_names),
            email_domains=("example.com",),
        )
        for name, assigned_names in assignments.items()
    }
    shop = Shop(tenant, partners, programs, {}, {}, {"": tenant.bearer})
    for name, partner_id in partners.items():
        code = name.upper()
        shop.purchases[name] = await add_purchase(
            resources, tenant, partner_id, programs["Open"], f"VP-{code}", purchased_by_email="buyer@example.com"
        )
        state = usage(tenant.exam_ids["NCA-GENL"], "RSV-1")
        state |= {"recipient_email": "ada@example.com", "assigned_at": resources.clock()}
        new_voucher = voucher(shop.purchases[name], partner_id, f"V-{code}", **state)
        await add_vouchers(resources, tenant, new_voucher)
        shop.vouchers[name] = new_voucher.id
        shop.headers[name] = await add_user(resources, tenant, f"user@{name}.example.com", partner_id=partner_id)
    return shop


@asynccontextmanager
async def unlocked_database(addresses: Addresses) -> AsyncIterator[Database]:
    """The database with the rights of a superuser, for whom row-level security does not apply."""
    database = Database(addresses.owner)

    @event.listens_for(database._engine.sync_engine, "connect")
    def reset_role(connection: Any, _: object) -> None:
        connection.execute("set role none")

    yield database
    await database.close()


def views(shops: tuple[Shop, Shop]) -> Iterator[View]:
    """Each caller of both organizations."""
    for shop in shops:
        yield View(shop, shop.headers[""], ("Acme", "Globex"), tuple(shop.programs))
        yield View(shop, shop.headers["Acme"], ("Acme",), ("Open", "Acme's", "Shared"))
        yield View(shop, shop.headers["Globex"], ("Globex",), ("Open", "Globex's", "Shared"))


def ids(ids_by_name: dict[str, UUID], names: tuple[str, ...]) -> list[str]:
    return [str(ids_by_name[name]) for name in names]
