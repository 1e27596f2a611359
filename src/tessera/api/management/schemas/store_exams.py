"""Request and response models of store exams."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from pydantic import Field

from tessera.api.http.fields import DisplayName, Money, RequestModel, Text, choice
from tessera.api.management.serialization import Representation
from tessera.api.serving.cursor_pages import CursorQuery
from tessera.api.vocabulary import PRODUCT_STATUS
from tessera.catalog.rules import Status

StatusChoice = Annotated[Status, *choice(Status, PRODUCT_STATUS)]


class StoreExamQuery(CursorQuery):
    """Query of GET /management/v1/store-exams."""

    code: Text | None = Field(
        None, description="Only the exam with this code (not case-sensitive).", examples=["NCA-GENL"]
    )
    status: StatusChoice | None = Field(None, description="Only exams with this status.", examples=["Active"])


class StoreExamCreateRequest(RequestModel):
    """Body of POST /management/v1/store-exams."""

    code: Text = Field(
        description="The code: 1 to 100 printable characters, unique (not case-sensitive) and permanent.",
        json_schema_extra={"minLength": 1, "maxLength": 100},
    )
    name: DisplayName = Field(description="The display name, 1 to 200 characters.")
    price: Money = Field(description="The price, in dollars.")


class StoreExamUpdateRequest(RequestModel):
    """Body of PUT /management/v1/store-exams/{storeExamId}."""

    name: DisplayName = Field(description="The display name, 1 to 200 characters.")
    price: Money = Field(description="The price, in dollars.")


class StoreExamModel(Representation):
    """A store exam."""

    id: UUID = Field(description="The unique identifier.")
    code: str = Field(description="The code (permanent).")
    name: str = Field(description="The display name.")
    price: float = Field(description="The price, in dollars.")
    status: Annotated[str, PRODUCT_STATUS] = Field(description="The current status.")
    created_at: datetime = Field(description="The time of creation, in UTC.")
    version: int = Field(description="The version, incremented by each change; also the `ETag`.")


StoreExamUpdateRequest.ignore_read_only(StoreExamModel)


class StoreExamPage(Representation):
    """A page of store exams."""

    data: list[StoreExamModel] = Field(description="Store exams, oldest first.")
    next_link: str | None = Field(description="The URL of the next page; null on the last page.")
    next_cursor: str | None = Field(description="The `cursor` of the next page; null on the last page.")


STORE_EXAM = {
    "id": "01906a6e-0000-7000-8000-000000000001",
    "code": "NCA-GENL",
    "name": "Generative AI Fundamentals",
    "price": 135.0,
    "status": "Active",
    "createdAt": "2026-01-01T00:00:00Z",
    "version": 1,
}
CREATE = {"code": "OPS-300", "name": "Operations Practice", "price": 180.0}
UPDATE = {"name": "Generative AI Fundamentals", "price": 140.0}
