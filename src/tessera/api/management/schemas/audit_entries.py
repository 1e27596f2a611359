"""What the audit log's operations read and answer."""

from datetime import datetime
from operator import attrgetter
from typing import Annotated, Any
from uuid import UUID

from pydantic import Field

from tessera.api.http.fields import Instant, Text, Uuid
from tessera.api.management.serialization import From, Representation
from tessera.api.serving.cursor_pages import CursorQuery
from tessera.kit.wire import wire_name


class AuditEntryQuery(CursorQuery):
    """Query of GET /management/v1/audit-entries."""

    since: Instant | None = Field(None, description="Changes from then on.", examples=["2026-01-01T00:00:00Z"])
    until: Instant | None = Field(None, description="Changes before then.", examples=["2026-02-01T00:00:00Z"])
    actor_name: Text | None = Field(
        None,
        description="Changes by this one: a user's address, the name of a client, a key, a login or a job.",
        examples=["ada@example.com"],
    )
    action: Text | None = Field(None, description="Changes of this sort.", examples=["Updated"])
    entity_kind: Text | None = Field(
        None, alias="kind", description="Changes of things of this kind.", examples=["StoreExam"]
    )
    entity_id: Uuid | None = Field(
        None, description="Changes of this thing.", examples=["01906a6e-0000-7000-8000-000000000001"]
    )


def _to_wire(value: Any) -> Any:  # noqa: ANN401 - any JSON value
    match value:
        case dict():
            return {wire_name(name): _to_wire(item) for name, item in value.items()}
        case list():
            return [_to_wire(item) for item in value]
        case _:
            return value


class AuditActorModel(Representation):
    """Who made a change."""

    kind: Annotated[str, From(attrgetter("actor_kind"))] = Field(
        description="`User`, `ApiClient`, `ApiKey`, `CommandLine` or `Job`."
    )
    id: Annotated[UUID | None, From(attrgetter("actor_id"))] = Field(
        description="The caller's id; null for the command line and for jobs."
    )
    name: Annotated[str, From(attrgetter("actor_name"))] = Field(
        description="A user's address, the name of a client, a key, a login or a job."
    )


class AuditEntryModel(Representation):
    """One change."""

    id: UUID = Field(description="The entry's own id.")
    at: datetime = Field(description="When, UTC.")
    actor: Annotated[AuditActorModel, From(AuditActorModel.of)] = Field(description="Who.")
    action: str = Field(description="What was done: `Created`, `Updated`, `Archived` ...")
    kind: Annotated[str, From(attrgetter("entity_kind"))] = Field(description="What kind of thing it was done to.")
    entity_id: UUID = Field(description="Which one.")
    before: Annotated[dict[str, Any] | None, From(lambda entry: _to_wire(entry.before))] = Field(
        description="How it was, without secrets; null for what is new."
    )
    after: Annotated[dict[str, Any] | None, From(lambda entry: _to_wire(entry.after))] = Field(
        description="How it was then, without secrets; null for what is gone."
    )
    position: int | None = Field(description="Its place in the chain of seals; null for the seconds until it has one.")


class AuditEntrySlice(Representation):
    """A part of the audit log."""

    data: list[AuditEntryModel] = Field(description="Changes, newest first.")
    next_link: str | None = Field(description="The next part; null at the end.")


AUDIT_ENTRY = {
    "id": "01906a6e-0000-7000-8000-000000000009",
    "at": "2026-01-01T00:00:00Z",
    "actor": {"kind": "User", "id": "01906a6e-0000-7000-8000-000000000002", "name": "ada@example.com"},
    "action": "Updated",
    "kind": "StoreExam",
    "entityId": "01906a6e-0000-7000-8000-000000000001",
    "before": {"name": "Generative AI", "price": "135.00", "version": 1},
    "after": {"name": "Generative AI Fundamentals", "price": "140.00", "version": 2},
    "position": 42,
}
