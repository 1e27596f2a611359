"""Loading the demonstration data."""

from datetime import datetime
from pathlib import Path
from uuid import UUID

from tessera.catalog import service as catalog
from tessera.demo import credentials, organizations, redemptions
from tessera.demo import promo_codes as demo_promo_codes
from tessera.demo import vouchers as demo_vouchers
from tessera.demo.credentials import DemoCredentials
from tessera.demo.issuing import Issuer
from tessera.demo.organizations import DemoOrganization
from tessera.identity import provisioning
from tessera.identity.rules import PLATFORM_ID
from tessera.kit.db.database import Database
from tessera.kit.identifiers import new_id
from tessera.kit.tokens import TokenSigner
from tessera.promo_codes import service as promo_codes


async def load(
    database: Database, signer: TokenSigner, *, directory: Path, base_url: str, now: datetime
) -> DemoCredentials:
    """Load missing organizations, and write the credentials of all organizations to demo.json in the directory.

    Each organization is loaded in one transaction. Credentials are reissued if the file is missing, because their
    secrets are stored nowhere else, and tokens if they have expired or were signed with a key that `signer` lacks;
    otherwise, a second call changes only `baseUrl`. Raises CredentialsDamaged.
    """
    now = now.replace(microsecond=0)  # for readable times
    path = directory / credentials.FILE_NAME
    existing = credentials.read(path)
    ids = await _ids_by_name(database)
    if PLATFORM_ID not in ids.values():
        await _load_platform(database, now=now)
        existing = None
    issuer = Issuer(database, signer, now)
    platform_token = existing.platform_administrator_token if existing else ""
    if not issuer.accepts(platform_token):
        platform_token = await issuer.issue_platform_token()
    by_name = {item.name: item for item in existing.organizations} if existing else {}
    for organization in organizations.ORGANIZATIONS:
        name = organization.name
        if name not in ids:
            ids[name] = await _load_organization(database, organization, now=now)
            by_name.pop(name, None)
        by_name[name] = await issuer.renew(by_name.get(name), name, ids[name])
    demo = DemoCredentials(
        base_url=base_url,
        platform_administrator_token=platform_token,
        organizations=[by_name[organization.name] for organization in organizations.ORGANIZATIONS],
    )
    credentials.write(path, demo)
    return demo


async def _ids_by_name(database: Database) -> dict[str, UUID]:
    async with database.unit_of_work(PLATFORM_ID) as work:
        return {row.name: row.id for row in await provisioning.list_organizations(work)}


async def _load_platform(database: Database, *, now: datetime) -> None:
    async with database.unit_of_work(PLATFORM_ID) as work:
        await provisioning.create_organization(work, name="Platform", now=now)
        await promo_codes.add_all(work, list(demo_promo_codes.global_promo_codes()), now=now)


async def _load_organization(database: Database, organization: DemoOrganization, *, now: datetime) -> UUID:
    async with database.unit_of_work(new_id()) as work:
        await provisioning.create_organization(work, name=organization.name, now=now)
        exams = organizations.store_exams()
        await catalog.add_store_exams(work, exams, now=now)
        await catalog.add_product_bundle(work, organizations.product_bundle(exams), now=now)
        await promo_codes.add_all(work, list(demo_promo_codes.promo_codes(organization, exams, now=now)), now=now)
        await demo_vouchers.load(work, exams, bulk_purchases=organization.bulk_purchases, now=now)
        await redemptions.load(work, now=now)
        return work.organization_id
