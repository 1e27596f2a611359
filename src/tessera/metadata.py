"""The metadata of all tables, which Alembic compares with the database."""

import tessera.audit.tables
import tessera.catalog.tables
import tessera.idempotency.tables
import tessera.identity.tables
import tessera.persons.erasures.tables
import tessera.promo_codes.tables
import tessera.record_metadata.tables
import tessera.redemptions.tables
import tessera.reports.tables
import tessera.vouchers.partners.tables
import tessera.vouchers.tables
import tessera.vouchers.totals.tables  # noqa: F401 - these imports register the tables in the metadata
from tessera.kit.db.table_base import Base

metadata = Base.metadata
