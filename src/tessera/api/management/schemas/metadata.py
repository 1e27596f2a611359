"""Request and response models of metadata."""

from typing import Annotated
from uuid import UUID

from pydantic import Field

from tessera.api.http.fields import RequestModel, Text, choice
from tessera.api.http.metadata import EXAMPLE, Metadata
from tessera.api.http.metadata import METADATA as DESCRIPTION
from tessera.api.management.serialization import From, Representation
from tessera.api.serving.cursor_pages import CursorQuery
from tessera.api.vocabulary import METADATA_KIND
from tessera.record_metadata.rules import Kind

# Records without metadata have an empty object.
MetadataOf = Annotated[dict[str, str], From(lambda record: record.metadata or {})]


class MetadataRequest(RequestModel):
    """Body of PUT .../metadata."""

    metadata: Metadata = Field(description=f"{DESCRIPTION} `{{}}` removes all texts.")


class MetadataQuery(CursorQuery):
    """Query of GET /management/v1/metadata."""

    kind: Annotated[Kind, *choice(Kind, METADATA_KIND)] = Field(description="The kind of record.", examples=["Voucher"])
    key: Text = Field(description="The key (case-sensitive).", examples=["orderId"])
    value: Text = Field(
        description="The value (case-sensitive); an empty one cannot be searched for.", examples=["ORD-1001"]
    )


class MetadataModel(Representation):
    """The metadata of one record."""

    id: UUID = Field(description="The id of the record.")
    kind: Annotated[str, METADATA_KIND] = Field(description="The kind of record.")
    metadata: dict[str, str] = Field(description="The texts by key.")


class MetadataPage(Representation):
    """A page of records."""

    data: list[MetadataModel] = Field(description="Records, oldest first.")
    next_link: str | None = Field(description="The URL of the next page; null on the last page.")
    next_cursor: str | None = Field(description="The `cursor` of the next page; null on the last page.")


CHANGE = {"metadata": EXAMPLE | {"costCenter": "4712"}}
METADATA = {"id": "01906a6e-0000-7000-8000-000000000001", "kind": "Voucher", **CHANGE}
