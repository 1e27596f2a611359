"""Look-ups of the ids of voucher partners, programs, purchases and vouchers by name, code or id."""

from uuid import UUID

from tessera.cli.lookups.references import as_id, required
from tessera.kit.db.unit_of_work import UnitOfWork
from tessera.vouchers.issued import service as vouchers
from tessera.vouchers.partners import service as partners
from tessera.vouchers.programs import service as programs
from tessera.vouchers.purchases import service as purchases


async def partner_id(work: UnitOfWork, name_or_id: str) -> UUID:
    """The id of the voucher partner with this name (in any case) or id; raises NotFound."""
    partner = await partners.find_by_name(work, name_or_id)
    return required(partner.id if partner else as_id(name_or_id), f"There is no voucher partner {name_or_id}.")


async def program_id(work: UnitOfWork, name_or_id: str) -> UUID:
    """The id of the voucher program with this name (in any case) or id; raises NotFound."""
    program = await programs.find_id(work, name_or_id) or as_id(name_or_id)
    return required(program, f"There is no voucher program {name_or_id}.")


async def purchase_id(work: UnitOfWork, code_or_id: str) -> UUID:
    """The id of the voucher purchase with this code (in any case) or id; raises NotFound."""
    purchase = as_id(code_or_id) or await purchases.find_id(work, code_or_id)
    return required(purchase, f"There is no voucher purchase {code_or_id}.")


async def voucher_id(work: UnitOfWork, code_or_id: str) -> UUID:
    """The id of the voucher with this code (in any case) or id; raises NotFound."""
    voucher = await vouchers.find_id(work, code_or_id) or as_id(code_or_id)
    return required(voucher, f"There is no voucher {code_or_id}.")
