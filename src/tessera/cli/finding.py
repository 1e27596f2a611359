"""What commands name, by its name, its code or its id."""

from datetime import UTC, datetime
from uuid import UUID

from tessera.kit.db.unit_of_work import UnitOfWork
from tessera.kit.errors import Invalid, NotFound, Violation
from tessera.vouchers.issued import service as vouchers
from tessera.vouchers.partners import service as partners
from tessera.vouchers.programs import service as programs
from tessera.vouchers.purchases import service as purchases


async def partner_id(work: UnitOfWork, name_or_id: str) -> UUID:
    """The voucher partner with this name, in any case, or id; raises NotFound."""
    partner = await partners.find_by_name(work, name_or_id)
    found = _as_id(name_or_id) if partner is None else partner.id
    return _required(found, f"There is no voucher partner {name_or_id}.")


async def program_id(work: UnitOfWork, name_or_id: str) -> UUID:
    """The voucher program with this name, in any case, or id; raises NotFound."""
    found = await programs.find_id(work, name_or_id) or _as_id(name_or_id)
    return _required(found, f"There is no voucher program {name_or_id}.")


async def purchase_id(work: UnitOfWork, code_or_id: str) -> UUID:
    """The voucher purchase with this code, in any case, or id; raises NotFound."""
    found = _as_id(code_or_id) or await purchases.find_id(work, code_or_id)
    return _required(found, f"There is no voucher purchase {code_or_id}.")


async def voucher_id(work: UnitOfWork, code_or_id: str) -> UUID:
    """The voucher with this code, in any case, or id; raises NotFound."""
    found = await vouchers.find_id(work, code_or_id) or _as_id(code_or_id)
    return _required(found, f"There is no voucher {code_or_id}.")


def moment(option: str, text: str | None) -> datetime | None:
    """A time as an option gives it, UTC unless it has an offset; raises Invalid."""
    if text is None:
        return None
    try:
        read = datetime.fromisoformat(text)
        return read.replace(tzinfo=UTC) if read.tzinfo is None else read.astimezone(UTC)
    except (ValueError, OverflowError):
        message = f"must be an ISO 8601 date and time: {text}"
        raise Invalid([Violation("NotDateTime", option, message)]) from None


def _as_id(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None


def _required(found: UUID | None, sentence: str) -> UUID:
    if found is None:
        raise NotFound(sentence)
    return found
