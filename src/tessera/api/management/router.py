"""The management API: /management/v1."""

from collections.abc import Sequence
from typing import Protocol

from fastapi import APIRouter

from tessera.api.http.fields import RequestModel
from tessera.api.management import (
    audit_entries,
    clients,
    exports,
    keys,
    me,
    metadata,
    organizations,
    persons,
    product_bundles,
    promo_code_batches,
    promo_code_campaigns,
    promo_code_imports,
    promo_codes,
    reports,
    retention,
    store_exams,
    tokens,
    users,
    voucher_assignments,
    voucher_imports,
    voucher_partner_users,
    voucher_partners,
    voucher_programs,
    voucher_purchases,
    vouchers,
)


class ResourceModule(Protocol):
    """The module of a resource: its routes, and the models of its request bodies and queries."""

    @property
    def router(self) -> APIRouter: ...  # noqa: D102
    @property
    def BODIES(self) -> Sequence[type[RequestModel]]: ...  # noqa: D102, N802
    @property
    def QUERIES(self) -> Sequence[type[RequestModel]]: ...  # noqa: D102, N802


RESOURCES: tuple[ResourceModule, ...] = (
    store_exams,
    product_bundles,
    promo_codes,
    promo_code_batches,
    promo_code_campaigns,
    promo_code_imports,
    exports,
    voucher_partners,
    voucher_partner_users,
    voucher_programs,
    voucher_purchases,
    voucher_imports,
    voucher_assignments,
    vouchers,
    metadata,
    me,
    users,
    clients,
    keys,
    tokens,
    organizations,
    persons,
    retention,
    reports,
    audit_entries,
)

# Each route has its complete path, because the log and the digests of idempotency keys use it.
router = APIRouter(routes=[route for resource in RESOURCES for route in resource.router.routes])
