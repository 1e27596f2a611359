"""Request and response models of the audit log."""

from datetime import datetime
from operator import attrgetter
from typing import Annotated, Any
from uuid import UUID

from pydantic import Field

from tessera.api.http.fields import Instant, Text, Uuid
from tessera.api.management.serialization import From, Representation
from tessera.api.serving.cursor_pages import CursorQuery
from tessera.api.vocabulary import ACTOR_KIND, AUDITED_KIND
from tessera.audit.service import Entry
from tessera.kit.wire import wire_name
from tessera.vouchers import codes


class AuditEntryQuery(CursorQuery):
    """Query of GET /management/v1/audit-entries."""

    since: Instant | None = Field(
        None, description="Only changes at this time or later.", examples=["2026-01-01T00:00:00Z"]
    )
    until: Instant | None = Field(None, description="Only changes before this time.", examples=["2026-02-01T00:00:00Z"])
    actor_name: Text | None = Field(
        None,
        description="Only changes by this user (an email address), client, key, login or job.",
        examples=["ada@example.com"],
    )
    action: Text | None = Field(None, description="Only changes with this action.", examples=["Updated"])
    entity_kind: Text | None = Field(
        None, alias="kind", description="Only changes of resources of this kind.", examples=["StoreExam"]
    )
    entity_id: Uuid | None = Field(
        None,
        description="Only changes of the resource with this id.",
        examples=["01906a6e-0000-7000-8000-000000000001"],
    )


def _to_wire(value: Any) -> Any:  # noqa: ANN401 - any JSON value
    match value:
        case dict():
            return {wire_name(name): _to_wire(item) for name, item in value.items()}
        case list():
            return [_to_wire(item) for item in value]
        case _:
            return value


def _state(entry: Entry, values: dict[str, Any] | None) -> Any:  # noqa: ANN401 - JSON
    # Entries of earlier releases have whole codes of vouchers, which their seals cover.
    if entry.entity_kind == "Voucher" and values and "code" in values:
        values = values | {"code": codes.mask(values["code"])}
    return _to_wire(values)


class AuditActorModel(Representation):
    """The actor of a change."""

    kind: Annotated[str, From(attrgetter("actor_kind")), ACTOR_KIND] = Field(description="The kind of actor.")
    id: Annotated[UUID | None, From(attrgetter("actor_id"))] = Field(
        description="The id of the actor; null for the command line and for jobs."
    )
    name: Annotated[str, From(attrgetter("actor_name"))] = Field(
        description="The user's email address, or the name of the client, the key, the login or the job."
    )
    token_id: UUID | None = Field(None, description="The id of the long-lived token; absent for other credentials.")
    token_issuer: str | None = Field(None, description="The name of the issuer of that token, if it was recorded.")


class AuditEntryModel(Representation):
    """A change."""

    id: UUID = Field(description="The unique identifier of the entry.")
    at: datetime = Field(description="The time of the change, in UTC.")
    actor: Annotated[AuditActorModel, From(AuditActorModel.of)] = Field(description="The actor.")
    action: str = Field(description="The action, such as `Created`, `Updated` or `Archived`.")
    kind: Annotated[str, From(attrgetter("entity_kind")), AUDITED_KIND] = Field(description="The kind of resource.")
    entity_id: UUID = Field(description="The id of the resource.")
    before: Annotated[dict[str, Any] | None, From(lambda entry: _state(entry, entry.before))] = Field(
        description="The state before the change, without secrets; null for a new resource."
    )
    after: Annotated[dict[str, Any] | None, From(lambda entry: _state(entry, entry.after))] = Field(
        description="The state after the change, without secrets; null for a removed resource."
    )
    position: int | None = Field(
        description="The position in the chain of seals; null until the entry is sealed, which takes seconds."
    )


class AuditEntryPage(Representation):
    """A page of the audit log."""

    data: list[AuditEntryModel] = Field(description="Changes, newest first.")
    next_link: str | None = Field(description="The URL of the next page; null on the last page.")
    next_cursor: str | None = Field(description="The `cursor` of the next page; null on the last page.")


AUDIT_ENTRY = {
    "id": "01906a6e-0000-7000-8000-000000000009",
    "at": "2026-01-01T00:00:00Z",
    "actor": {"kind": "User", "id": "01906a6e-0000-7000-8000-000000000002", "name": "ada@example.com"}
    | {
        "tokenId": "01906a6e-0000-7000-8000-000000000003",
        "tokenIssuer": "grace@example.com",
    },
    "action": "Updated",
    "kind": "StoreExam",
    "entityId": "01906a6e-0000-7000-8000-000000000001",
    "before": {"name": "Generative AI", "price": "135.00", "version": 1},
    "after": {"name": "Generative AI Fundamentals", "price": "140.00", "version": 2},
    "position": 42,
}
