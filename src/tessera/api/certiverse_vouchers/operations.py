"""The two hot operations of the Certiverse Voucher Partner API: listing vouchers, and purchases priced at $0."""

from functools import partial
from typing import Any

from fastapi import Request

from tessera.api.certiverse_vouchers.errors import NoFilter
from tessera.api.certiverse_vouchers.presenters import VOUCHER, purchase_response
from tessera.api.certiverse_vouchers.schemas import VoucherPurchaseCreateCommand, VoucherQuery
from tessera.api.http.fields import RequestModel
from tessera.api.http.parsing import read_body, read_query
from tessera.api.serving.operations import HotRead, HotWrite, Route
from tessera.api.serving.pages import numbered_page_response
from tessera.identity.authentication.policies import MANAGE_VOUCHERS
from tessera.identity.rules import Principal
from tessera.vouchers.issued import service as vouchers
from tessera.vouchers.issued.service import VoucherFilter
from tessera.vouchers.purchases import service as purchases
from tessera.vouchers.purchases.rules import PurchaseDraft


def read_filters(
    request: Request, model: type[RequestModel], *, needs_filter: bool = False
) -> tuple[dict[str, Any], int]:
    """The filters of a list and its page number; raises Invalid, NoFilter."""
    filters = read_query(request, model).valid_values()
    number = filters.pop("page", 1)
    if needs_filter and not filters:
        raise NoFilter(*(info.alias or name for name, info in model.model_fields.items() if name != "page"))
    return filters, number


def _read_list(request: Request) -> tuple[VoucherFilter, int]:
    filters, number = read_filters(request, VoucherQuery, needs_filter=True)
    return VoucherFilter(**filters), number


async def _read_purchase(request: Request, _: Principal) -> PurchaseDraft:
    return PurchaseDraft(**(await read_body(request, VoucherPurchaseCreateCommand)).draft())


LIST_VOUCHERS = HotRead(
    route=Route("GET", "/api/vouchers"),
    policy=MANAGE_VOUCHERS,
    read=_read_list,
    execute=partial(vouchers.list_pages, projection=VOUCHER),
    present=numbered_page_response,
)
PURCHASE = HotWrite(
    route=Route("POST", "/api/vouchers/purchases"),
    policy=MANAGE_VOUCHERS,
    read=_read_purchase,
    execute=purchases.create_free,
    present=purchase_response,
)
