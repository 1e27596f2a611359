"""Factories: a tenant with callers, and promo codes of every kind."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid4
from weakref import WeakKeyDictionary

import psycopg
from tests.support.tenant_copies import Rows, read_rows

from tessera.api.serving.resources import Resources
from tessera.catalog import service as catalog
from tessera.catalog.service import NewProductBundle, NewStoreExam
from tessera.identity import provisioning
from tessera.identity.authentication.credentials import (
    CLIENT_PREFIX,
    CredentialName,
    digest_of,
    new_key_text,
    new_secret,
)
from tessera.identity.provisioning import NewCredential
from tessera.identity.rules import PLATFORM_ID, FunctionPoint
from tessera.kit.db.database import Database
from tessera.kit.db.unit_of_work import UnitOfWork
from tessera.kit.identifiers import new_id
from tessera.promo_codes import service as promo_codes
from tessera.promo_codes.rules import Status
from tessera.promo_codes.service import NewPromoCode

EMAIL = "ada@example.com"
LIFETIME = timedelta(days=365)
EXAM_CODES = ("NCA-GENL", "NCP-ADS", "CLD-100")


@dataclass(frozen=True)
class Tenant:
    """One organization of a test, with the credentials of its users and machines."""

    id: UUID
    name: str
    client: NewCredential
    powerless_client: NewCredential
    key: NewCredential
    token: NewCredential
    user_email: str
    exam_ids: dict[str, UUID]
    bundle_id: UUID

    @property
    def bearer(self) -> dict[str, str]:
        """Headers of a user with every function point."""
        return {"Authorization": f"Bearer {self.token.secret}"}

    @property
    def api_key(self) -> dict[str, str]:
        """Headers of a storefront."""
        return {"cv-api-key": self.key.secret}


# The rights of a storefront that also sees and cancels what others have redeemed.
STOREFRONT = (FunctionPoint.STOREFRONT_REDEEM, FunctionPoint.STOREFRONT_SUPPORT)


@dataclass(frozen=True)
class Original:
    """The organization that the others of its database are copies of."""

    tenant: Tenant
    rows: Rows
    created_at: datetime


_originals: WeakKeyDictionary[Database, Original] = WeakKeyDictionary()


async def create_tenant(resources: Resources, *, now: datetime) -> Tenant:
    """Create an organization with callers, exams and a bundle, which have the same names in each organization.

    All but the first organization of a database with this `now` are copies of the first one.
    """
    async with resources.database.unit_of_work(new_id()) as work:
        original = _originals.get(resources.database)
        if original and original.created_at == now:
            return await _copy_tenant(work, resources, original)
        tenant = await create_tenant_by_services(work, resources, now=now)
        if not original:
            _originals[resources.database] = Original(tenant, await read_rows(work), now)
        return tenant


async def create_tenant_by_services(work: UnitOfWork, resources: Resources, *, now: datetime) -> Tenant:
    """Create the organization of this unit of work, which is new, and all that `create_tenant` describes."""
    name = f"Organization {uuid4()}"
    await provisioning.create_organization(work, name=name, now=now)
    everything = list(FunctionPoint)
    await provisioning.create_user(work, email=EMAIL, names=("Ada", "Byron"), function_points=everything, now=now)
    exams = [NewStoreExam(new_id(), code, f"Exam {code}", Decimal("100.00")) for code in EXAM_CODES]
    await catalog.add_store_exams(work, exams, now=now)
    bundle = NewProductBundle(new_id(), "Bundle", Decimal("150.00"), (exams[0].id, exams[1].id))
    await catalog.add_product_bundle(work, bundle, now=now)
    return Tenant(
        id=work.organization_id,
        name=name,
        client=await provisioning.create_client(work, name="Client", function_points=everything, now=now),
        powerless_client=await provisioning.create_client(work, name="Powerless", function_points=[], now=now),
        key=await provisioning.create_key(work, name="Key", function_points=STOREFRONT, now=now),
        token=await provisioning.issue_token(work, signer=resources.signer, email=EMAIL, lifetime=LIFETIME, now=now),
        user_email=EMAIL,
        exam_ids={exam.code: exam.id for exam in exams},
        bundle_id=bundle.id,
    )


async def _copy_tenant(work: UnitOfWork, resources: Resources, original: Original) -> Tenant:
    """A copy with ids and secrets of its own."""
    old, ids = original.tenant, original.rows.new_ids(work.organization_id)
    client, powerless, key, token = (
        CredentialName(work.organization_id, UUID(ids[str(credential.id)]))
        for credential in (old.client, old.powerless_client, old.key, old.token)
    )
    claims = {"org": str(work.organization_id), "kind": "token", "sub": str(token.id)}
    bearer = resources.signer.issue(claims, now=original.created_at, lifetime=LIFETIME)
    new = Tenant(
        id=work.organization_id,
        name=f"Organization {ids[old.name.split()[1]]}",
        client=NewCredential(client.id, client.text(CLIENT_PREFIX), new_secret()),
        powerless_client=NewCredential(powerless.id, powerless.text(CLIENT_PREFIX), new_secret()),
        key=NewCredential(key.id, old.key.name, new_key_text(key)),
        token=NewCredential(token.id, EMAIL, bearer),
        user_email=EMAIL,
        exam_ids={code: UUID(ids[str(exam_id)]) for code, exam_id in old.exam_ids.items()},
        bundle_id=UUID(ids[str(old.bundle_id)]),
    )
    pairs = [(old.client, new.client), (old.powerless_client, new.powerless_client), (old.key, new.key)]
    digests = {digest_of(one.secret).hex(): digest_of(other.secret).hex() for one, other in pairs}
    await original.rows.insert(work, ids | digests)
    return new


async def add_promo_codes(resources: Resources, tenant: Tenant, *codes: NewPromoCode, now: datetime) -> None:
    """Add promo codes of any kind to a tenant."""
    async with resources.database.unit_of_work(tenant.id) as work:
        await promo_codes.add_all(work, codes, now=now)


def percent_code(tenant: Tenant, name: str, **changes: Any) -> NewPromoCode:
    """An active promo code of 10 percent on the first exam, for 100 uses, valid until 2030."""
    values: dict[str, Any] = {
        "status": Status.ACTIVE,
        "discount_percent": 10,
        "expires_at": datetime.fromisoformat("2030-01-01T00:00:00Z"),
        "max_redemptions": 100,
        "store_exam_ids": (tenant.exam_ids["NCA-GENL"],),
    }
    return NewPromoCode(id=new_id(), name=name, **values | changes)


def add_platform(superuser: psycopg.Connection, tenant: Tenant) -> Tenant:
    """Add the platform, which owns the global codes and has no callers. It stays for all later tests."""
    superuser.execute(
        "insert into organizations (id, name, is_active, created_at, version) values (%s, 'Platform', true, now(), 1)"
        " on conflict do nothing",
        [PLATFORM_ID],
    )
    return replace(tenant, id=PLATFORM_ID)
