"""What the management of store exams reads and answers."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from pydantic import Field

from tessera.api.http.fields import Money, RequestModel, Text, choice
from tessera.api.management.serialization import Representation
from tessera.api.serving.cursor_pages import CursorQuery
from tessera.catalog.rules import Status

StatusChoice = Annotated[Status, *choice(Status)]


class StoreExamQuery(CursorQuery):
    """Query of GET /management/v1/store-exams."""

    code: Text | None = Field(None, description="The exam of this code, in any case.", examples=["NCA-GENL"])
    status: StatusChoice | None = Field(None, description="Those of this status.", examples=["Active"])


class StoreExamCreateRequest(RequestModel):
    """Body of POST /management/v1/store-exams."""

    code: Text = Field(description="1 to 100 printable characters, unique in any case, for ever.")
    name: Text = Field(description="What people call it, 1 to 200 characters.")
    price: Money = Field(description="What it costs, in dollars.")


class StoreExamUpdateRequest(RequestModel):
    """Body of PUT /management/v1/store-exams/{storeExamId}."""

    name: Text = Field(description="What people call it, 1 to 200 characters.")
    price: Money = Field(description="What it costs, in dollars.")


class StoreExamModel(Representation):
    """A store exam."""

    id: UUID = Field(description="Its id.")
    code: str = Field(description="Its own for ever.")
    name: str = Field(description="What people call it.")
    price: float = Field(description="In dollars.")
    status: str = Field(description="`Active`, or `Archived`: no longer sold.")
    created_at: datetime = Field(description="When it was put on sale, UTC.")
    version: int = Field(description="Raised by each change; the `ETag` too.")


class StoreExamSlice(Representation):
    """A part of the store exams."""

    data: list[StoreExamModel] = Field(description="Store exams, oldest first.")
    next_link: str | None = Field(description="The next part; null at the end.")


STORE_EXAM = {
    "id": "01906a6e-0000-7000-8000-000000000001",
    "code": "NCA-GENL",
    "name": "Generative AI Fundamentals",
    "price": 135.0,
    "status": "Active",
    "createdAt": "2026-01-01T00:00:00Z",
    "version": 1,
}
CREATE = {"code": "NCA-GENL", "name": "Generative AI Fundamentals", "price": 135.0}
UPDATE = {"name": "Generative AI Fundamentals", "price": 140.0}
