"""Loading the demonstration data and issuing its credentials."""

from datetime import datetime, timedelta
from pathlib import Path
from uuid import UUID

from tessera.catalog import service as catalog
from tessera.demo import credentials, organizations, redemptions
from tessera.demo import promo_codes as demo_promo_codes
from tessera.demo import vouchers as demo_vouchers
from tessera.demo.credentials import Credentials
from tessera.demo.organizations import DemoOrganization
from tessera.demo.vouchers import PARTNER_NAME
from tessera.identity import provisioning
from tessera.identity.rules import PLATFORM_ID, FunctionPoint
from tessera.kit.db.database import Database
from tessera.kit.identifiers import new_id
from tessera.kit.tokens import TokenSigner
from tessera.promo_codes import service as promo_codes
from tessera.vouchers.partners import service as partners

TOKEN_LIFETIME = timedelta(days=365)


async def load(
    database: Database, signer: TokenSigner, *, directory: Path, base_url: str, now: datetime
) -> list[Credentials]:
    """Load missing organizations, and write the credentials of all organizations to demo.json in the directory.

    Each organization is loaded in one transaction. Credentials are reissued if the file is missing, because their
    secrets are stored nowhere else; otherwise, a second call changes only `baseUrl`.
    """
    now = now.replace(microsecond=0)  # for readable times
    ids = await _ids_by_name(database)
    if PLATFORM_ID not in ids.values():
        await _load_platform(database, now=now)
    path = directory / credentials.FILE_NAME
    existing = credentials.read(path)
    for organization in organizations.ORGANIZATIONS:
        if organization.name not in ids:
            ids[organization.name] = await _load_organization(database, organization, now=now)
            existing.pop(organization.name, None)
        if organization.name not in existing:
            organization_id = ids[organization.name]
            existing[organization.name] = await _issue(database, signer, organization.name, organization_id, now=now)
    all_credentials = [existing[organization.name] for organization in organizations.ORGANIZATIONS]
    credentials.write(path, all_credentials, base_url=base_url)
    return all_credentials


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


async def _issue(
    database: Database, signer: TokenSigner, name: str, organization_id: UUID, *, now: datetime
) -> Credentials:
    vouchers, codes = FunctionPoint.PARTNER_MANAGE_VOUCHERS, FunctionPoint.PARTNER_MANAGE_PROMO_CODES
    suffix = now.strftime("%Y%m%d%H%M%S")  # distinguishes reissued credentials from earlier ones
    label, redeem = f"Demo {suffix}", FunctionPoint.STOREFRONT_REDEEM
    async with database.unit_of_work(organization_id) as work:
        client = await provisioning.create_client(work, name=label, function_points=[codes, vouchers], now=now)
        key = await provisioning.create_key(work, name=label, function_points=[redeem], now=now)
        partner = await partners.find_by_name(work, PARTNER_NAME)
        tokens = []
        for login, names, points, partner_id in (
            ("ops", ("Ottilie", "Ops"), [codes, vouchers], None),
            ("partner", ("Paula", "Partner"), [vouchers], partner.id if partner else None),
        ):
            email = f"{login}.{suffix}@example.com"
            await provisioning.create_user(
                work, email=email, names=names, function_points=points, partner_id=partner_id, now=now
            )
            tokens.append(
                await provisioning.issue_token(work, signer=signer, email=email, lifetime=TOKEN_LIFETIME, now=now)
            )
    return Credentials(
        name=name,
        client_id=client.name,
        client_secret=client.secret,
        voucher_token=tokens[0].secret,
        partner_token=tokens[1].secret,
        partner_name=PARTNER_NAME,
        api_key=key.secret,
        store_exam_codes=[code for code, _, _ in organizations.EXAMS],
        product_bundle_id=str(organizations.PRODUCT_BUNDLE_ID),
    )
