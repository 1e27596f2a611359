"""Statements on the pinned organization, and on all organizations for the platform."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, FunctionElement, Select, case, column, false, func, select, update
from sqlalchemy.dialects.postgresql import insert as upsert

from tessera.identity.errors import NameTaken
from tessera.identity.tables import Organization, OrganizationDeletion, OrganizationImport
from tessera.kit.db import unique_constraints
from tessera.kit.db.pages import CursorPage, fetch_cursor_page
from tessera.kit.db.records import record_of
from tessera.kit.db.unit_of_work import AnyRow, UnitOfWork
from tessera.kit.normalization import stored_name


@dataclass(frozen=True, slots=True, kw_only=True)
class ManagedOrganization:
    """An organization with its status and its version."""

    id: UUID
    name: str
    is_active: bool
    created_at: datetime
    version: int
    frozen_at: datetime | None = None


_FIELDS = tuple(ManagedOrganization.__dataclass_fields__)


class OrganizationRepository:
    """The organization that the unit of work is pinned to, and all organizations if that is the platform."""

    def __init__(self, work: UnitOfWork) -> None:
        self._connection = work.connection
        self._organization_id = work.organization_id

    async def add(self, organization: ManagedOrganization) -> bool:
        """Add the pinned organization itself; False if the name is taken."""
        statement = (
            upsert(Organization)
            .values(**asdict(organization))
            .on_conflict_do_nothing(constraint="organizations_name_key_key")
            .returning(Organization.id)
        )
        return (await self._connection.execute(statement)).first() is not None

    async def lock(self, organization_id: UUID) -> ManagedOrganization | None:
        """The organization with this id, which must be the pinned one, locked FOR UPDATE."""
        statement = select(Organization).where(Organization.id == organization_id).with_for_update()
        row = (await self._connection.execute(statement)).first()
        return _managed(row) if row else None

    async def get_name(self) -> str:
        """The name of the pinned organization."""
        statement = select(Organization.name).where(Organization.id == self._organization_id)
        return (await self._connection.execute(statement)).scalar_one()

    async def change(self, organization: ManagedOrganization) -> None:
        """Write the state and the version of the locked, pinned organization; raises NameTaken."""
        statement = (
            update(Organization)
            .where(Organization.id == self._organization_id)
            .values(
                name=organization.name,
                is_active=organization.is_active,
                version=organization.version,
                frozen_at=organization.frozen_at,
            )
        )
        with unique_constraints.raising(NameTaken("name", organization.name)):
            await self._connection.execute(statement)

    async def find_transition(self) -> str | None:
        """What happens to the pinned organization, if it must stay frozen meanwhile."""
        for table, state in ((OrganizationImport, "being imported"), (OrganizationDeletion, "about to be deleted")):
            statement = select(table.organization_id).where(table.organization_id == self._organization_id)
            if (await self._connection.execute(statement)).first() is not None:
                return state
        return None

    async def has_running_changes(self) -> bool:
        """Whether a transaction that may change the pinned organization is running."""
        # Changes share this lock until their transactions end (see the function `hold_organization`).
        # This one is given back in the same statement, because others must not wait for a command that stops here.
        number = func.hashtextextended(str(self._organization_id), 0)
        is_free = case((func.pg_try_advisory_lock(number), func.pg_advisory_unlock(number)), else_=false())
        return not (await self._connection.execute(select(is_free))).scalar_one()

    async def find_any(self, organization_id: UUID) -> ManagedOrganization | None:
        """The organization with this id; None unless the platform itself is pinned."""
        return await self._find(organization_id, None)

    async def find_by_name_or_id(self, name_or_id: str) -> ManagedOrganization | None:
        """The organization with this name or id, ignoring case; None unless the platform itself is pinned."""
        try:
            id_ = UUID(name_or_id)
        except ValueError:
            id_ = None
        return await self._find(id_, stored_name(name_or_id))

    async def _find(self, organization_id: UUID | None, name: str | None) -> ManagedOrganization | None:
        # An organization can have the id of another one as its name: the id takes precedence.
        statement = select(*_columns_of(func.find_organizations(organization_id, name)))
        row = (await self._connection.execute(statement)).first()
        return _managed(row) if row else None

    async def list_all(self) -> Sequence[AnyRow]:
        """Every organization; none unless the platform itself is pinned."""
        return (await self._connection.execute(_select_all()[0])).all()

    async def list_by_cursor(self, *, after: str | None, size: int) -> CursorPage[ManagedOrganization]:
        """A page of all organizations, oldest first; empty unless the platform itself is pinned."""
        statement, own_id = _select_all()
        page = await fetch_cursor_page(self._connection, statement, order=[own_id], after=after, size=size)
        return page.map(_managed)


def _select_all() -> tuple[Select[*tuple[Any, ...]], Any]:
    columns = _columns_of(func.list_organizations())
    return select(*columns), columns[_FIELDS.index("id")]


def _columns_of(organizations: FunctionElement[Any]) -> list[ColumnElement[Any]]:
    columns = [column(own.name, own.type) for own in Organization.__table__.columns]
    table = organizations.table_valued(*columns)
    return [table.c[name] for name in _FIELDS]


def _managed(row: AnyRow) -> ManagedOrganization:
    return record_of(ManagedOrganization, row)
