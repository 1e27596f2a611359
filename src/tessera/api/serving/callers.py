"""The caller of a request that was admitted."""

from dataclasses import dataclass
from datetime import datetime

from tessera.idempotency.service import ResponseSpace
from tessera.identity.rules import Principal
from tessera.kit.db.unit_of_work import UnitOfWork


@dataclass(frozen=True, slots=True)
class Caller:
    """The transaction, principal and time of an admitted request, and the space for the response to a keyed one."""

    work: UnitOfWork
    principal: Principal
    now: datetime
    response_space: ResponseSpace
