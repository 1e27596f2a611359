"""Loading the demonstration data once, and writing its credentials where a person finds them."""

import json
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from pathlib import Path
from uuid import UUID

from tessera.catalog import service as catalog
from tessera.demo import data, redemptions
from tessera.demo import vouchers as demo_vouchers
from tessera.demo.data import DemoOrganization
from tessera.demo.vouchers import PARTNER_NAME
from tessera.identity import provisioning
from tessera.identity.rules import PLATFORM_ID, FunctionPoint
from tessera.kit.db.database import Database
from tessera.kit.errors import DomainError
from tessera.kit.identifiers import new_id
from tessera.kit.secret_files import write_private
from tessera.kit.tokens import TokenSigner
from tessera.promo_codes import service as promo_codes
from tessera.vouchers.partners import service as partners

FILE_NAME = "demo.json"
TOKEN_LIFETIME = timedelta(days=365)


@dataclass(frozen=True, slots=True)
class Credentials:
    """How to call as one demonstration organization, in the names of demo.json."""

    name: str
    clientId: str  # noqa: N815 - the file's own names
    clientSecret: str  # noqa: N815
    voucherToken: str  # noqa: N815
    partnerToken: str  # noqa: N815
    partnerName: str  # noqa: N815
    apiKey: str  # noqa: N815
    storeExamCodes: list[str]  # noqa: N815
    productBundleId: str  # noqa: N815


class CredentialsDamaged(DomainError):
    """The file of the demonstration credentials was changed by somebody; its secrets are nowhere else."""

    def __init__(self, path: Path) -> None:
        super().__init__(f"{path} is damaged; delete it, and new credentials are made.")


async def load(
    database: Database, signer: TokenSigner, *, directory: Path, base_url: str, now: datetime
) -> list[Credentials]:
    """Load what is missing, and write `demo.json` (mode 0600); a second call changes nothing but `baseUrl`.

    Each organization comes with all its data in one transaction. Credentials are made anew where the file is gone,
    since their secrets are nowhere else.
    """
    now = now.replace(microsecond=0)  # dates that a person reads
    known = await _ids_by_name(database)
    if str(PLATFORM_ID) not in map(str, known.values()):
        await _load_platform(database, now=now)
    path = directory / FILE_NAME
    existing = _read(path)
    credentials = []
    for organization in data.ORGANIZATIONS:
        organization_id = known.get(organization.name)
        if organization_id is None:
            organization_id = await _load_organization(database, organization, now=now)
            existing.pop(organization.name, None)
        if organization.name not in existing:
            existing[organization.name] = await _issue(database, signer, organization.name, organization_id, now=now)
        credentials.append(existing[organization.name])
    _write(path, credentials, base_url=base_url)
    return credentials


async def _ids_by_name(database: Database) -> dict[str, UUID]:
    async with database.unit_of_work(PLATFORM_ID) as work:
        return {row.name: row.id for row in await provisioning.list_organizations(work)}


async def _load_platform(database: Database, *, now: datetime) -> None:
    async with database.unit_of_work(PLATFORM_ID) as work:
        await provisioning.create_organization(work, name="Platform", now=now)
        await promo_codes.add_all(work, list(data.global_promo_codes()), now=now)


async def _load_organization(database: Database, organization: DemoOrganization, *, now: datetime) -> UUID:
    async with database.unit_of_work(new_id()) as work:
        await provisioning.create_organization(work, name=organization.name, now=now)
        exams = data.store_exams()
        await catalog.add_store_exams(work, exams, now=now)
        await catalog.add_product_bundle(work, data.product_bundle(exams), now=now)
        await promo_codes.add_all(work, list(data.promo_codes(organization, exams, now=now)), now=now)
        await demo_vouchers.load(work, exams, bulk_purchases=organization.bulk_purchases, now=now)
        await redemptions.load(work, now=now)
        return work.organization_id


async def _issue(
    database: Database, signer: TokenSigner, name: str, organization_id: UUID, *, now: datetime
) -> Credentials:
    vouchers, codes = FunctionPoint.PARTNER_MANAGE_VOUCHERS, FunctionPoint.PARTNER_MANAGE_PROMO_CODES
    marker = now.strftime("%Y%m%d%H%M%S")
    async with database.unit_of_work(organization_id) as work:
        client = await provisioning.create_client(
            work, name=f"Demo {marker}", function_points=[codes, vouchers], now=now
        )
        key = await provisioning.create_key(
            work, name=f"Demo {marker}", function_points=[FunctionPoint.STOREFRONT_REDEEM], now=now
        )
        partner = await partners.find_by_name(work, PARTNER_NAME)
        tokens = []
        for email, names, points, partner_id in (
            ("ops", ("Ottilie", "Ops"), [codes, vouchers], None),
            ("partner", ("Paula", "Partner"), [vouchers], partner.id if partner else None),
        ):
            address = f"{email}.{marker}@example.com"
            await provisioning.create_user(
                work, email=address, names=names, function_points=points, partner_id=partner_id, now=now
            )
            tokens.append(
                await provisioning.issue_token(work, signer=signer, email=address, lifetime=TOKEN_LIFETIME, now=now)
            )
    return Credentials(
        name=name,
        clientId=client.name,
        clientSecret=client.secret,
        voucherToken=tokens[0].secret,
        partnerToken=tokens[1].secret,
        partnerName=PARTNER_NAME,
        apiKey=key.secret,
        storeExamCodes=[code for code, _, _ in data.EXAMS],
        productBundleId=str(data.PRODUCT_BUNDLE_ID),
    )


def _read(path: Path) -> dict[str, Credentials]:
    if not path.exists():
        return {}
    try:
        return {each["name"]: Credentials(**each) for each in json.loads(path.read_text())["organizations"]}
    except (ValueError, KeyError, TypeError) as error:
        raise CredentialsDamaged(path) from error


def _write(path: Path, credentials: list[Credentials], *, base_url: str) -> None:
    content = {"baseUrl": base_url, "organizations": [asdict(each) for each in credentials]}
    write_private(path, json.dumps(content, indent=2))
