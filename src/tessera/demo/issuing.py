"""Issuing the credentials of the demonstration organizations and of the platform."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from uuid import UUID

from tessera.demo import organizations
from tessera.demo.credentials import Credentials
from tessera.demo.vouchers import PARTNER_NAME
from tessera.identity import provisioning
from tessera.identity.rules import PLATFORM_ID, FunctionPoint
from tessera.kit.db.database import Database
from tessera.kit.db.unit_of_work import UnitOfWork
from tessera.kit.errors import NotAuthenticated
from tessera.kit.tokens import TokenSigner
from tessera.vouchers.partners import service as partners

TOKEN_LIFETIME = timedelta(days=365)
_CODES, _VOUCHERS = FunctionPoint.PARTNER_MANAGE_PROMO_CODES, FunctionPoint.PARTNER_MANAGE_VOUCHERS
# The key also sees the redemptions of the demonstration data, which no credential has made.
_STOREFRONT = (FunctionPoint.STOREFRONT_REDEEM, FunctionPoint.STOREFRONT_SUPPORT)


@dataclass(frozen=True, slots=True)
class Issuer:
    """Issues credentials at one point in time, which is in their names, so that reissued ones have other names."""

    database: Database
    signer: TokenSigner
    now: datetime

    def accepts(self, token: str) -> bool:
        """Whether the token was signed with one of the keys and has not expired."""
        try:
            self.signer.read(token, now=self.now)
        except NotAuthenticated:
            return False
        return True

    async def issue_platform_token(self) -> str:
        """A token for a new administrator of the platform."""
        async with self.database.unit_of_work(PLATFORM_ID) as work:
            return await self._issue_token(work, "platform", ("Petra", "Platform"), list(FunctionPoint))

    async def renew(self, existing: Credentials | None, name: str, organization_id: UUID) -> Credentials:
        """The credentials, with new tokens if one of the tokens is not accepted; all are new if there are none."""
        tokens = (existing.administrator_token, existing.voucher_token, existing.partner_token) if existing else ()
        if existing is not None and all(map(self.accepts, tokens)):
            return existing
        async with self.database.unit_of_work(organization_id) as work:
            current = existing or await self._issue(work, name)
            partner = await partners.find_by_name(work, PARTNER_NAME)
            partner_id = partner.id if partner else None
            return replace(
                current,
                administrator_token=await self._issue_token(work, "admin", ("Alma", "Admin"), list(FunctionPoint)),
                voucher_token=await self._issue_token(work, "ops", ("Ottilie", "Ops"), [_CODES, _VOUCHERS]),
                partner_token=await self._issue_token(work, "partner", ("Paula", "Partner"), [_VOUCHERS], partner_id),
            )

    async def _issue(self, work: UnitOfWork, name: str) -> Credentials:
        label = f"Demo {self._suffix}"
        client = await provisioning.create_client(work, name=label, function_points=[_CODES, _VOUCHERS], now=self.now)
        key = await provisioning.create_key(work, name=label, function_points=_STOREFRONT, now=self.now)
        return Credentials(
            name=name,
            client_id=client.name,
            client_secret=client.secret,
            administrator_token="",
            voucher_token="",
            partner_token="",
            partner_name=PARTNER_NAME,
            api_key=key.secret,
            store_exam_codes=[code for code, _, _ in organizations.EXAMS],
            product_bundle_id=str(organizations.PRODUCT_BUNDLE_ID),
        )

    async def _issue_token(
        self,
        work: UnitOfWork,
        login: str,
        names: tuple[str, str],
        function_points: list[FunctionPoint],
        partner_id: UUID | None = None,
    ) -> str:
        email = f"{login}.{self._suffix}@example.com"
        await provisioning.create_user(
            work, email=email, names=names, function_points=function_points, partner_id=partner_id, now=self.now
        )
        token = await provisioning.issue_token(
            work, signer=self.signer, email=email, lifetime=TOKEN_LIFETIME, now=self.now
        )
        return token.secret

    @property
    def _suffix(self) -> str:
        return self.now.strftime("%Y%m%d%H%M%S")
