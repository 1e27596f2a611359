"""Look-ups of the ids of store exams and product bundles by code, name or id."""

from functools import partial
from uuid import UUID

from tessera.catalog.product_bundles import service as bundles
from tessera.catalog.product_bundles.service import ProductBundleFilter
from tessera.catalog.store_exams import service as exams
from tessera.catalog.store_exams.service import StoreExamFilter
from tessera.cli.lookups.references import as_id, named, required
from tessera.cli.organization_session import fetch_all
from tessera.kit.db.unit_of_work import UnitOfWork


async def exam_id(work: UnitOfWork, code_or_id: str) -> UUID:
    """The id of the store exam with this code (in any case) or id; raises NotFound."""
    page = await exams.list_by_cursor(work, filters=StoreExamFilter(code=code_or_id), after=None, size=1)
    exam = page.items[0].id if page.items else as_id(code_or_id)
    return required(exam, f"There is no store exam {code_or_id}.")


async def bundle_id(work: UnitOfWork, name_or_id: str) -> UUID:
    """The id of the product bundle with this name (in any case) or id; raises NotFound, Conflict."""
    if row_id := as_id(name_or_id):
        return row_id
    rows = await fetch_all(partial(bundles.list_by_cursor, work, filters=ProductBundleFilter()))
    return named("product bundle", name_or_id, ((bundle.name, bundle.id) for bundle in rows))
