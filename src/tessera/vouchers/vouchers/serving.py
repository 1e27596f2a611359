"""Requests for vouchers that came at the same time from one caller, served together in one transaction."""

from collections.abc import Sequence
from datetime import datetime

from tessera.identity import service as identity
from tessera.identity.rules import FunctionPoint
from tessera.identity.service import Credential
from tessera.kit.batching import answer_open
from tessera.kit.database import UnitOfWork
from tessera.kit.errors import Fact
from tessera.kit.pagination import JsonPage
from tessera.kit.shapes import Shape
from tessera.vouchers.vouchers import service
from tessera.vouchers.vouchers.service import VoucherFilter

PageRequest = tuple[VoucherFilter, int] | Fact
PageAnswer = JsonPage | Fact


async def list_pages(
    work: UnitOfWork, credential: Credential, asked: Sequence[PageRequest], *, now: datetime, shape: Shape
) -> list[PageAnswer]:
    """The page that each asks for by filter and number, or the fact to be told; a partner's user sees its own.

    Raises NotAuthenticated and LacksFunctionPoint, before anything else is told.
    """
    point = FunctionPoint.PARTNER_MANAGE_VOUCHERS
    work, _ = await identity.enter(work, credential=credential, function_point=point, now=now)
    return await answer_open(asked, lambda open_: service.list_pages(work, open_, shape=shape))
