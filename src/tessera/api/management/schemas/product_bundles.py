"""What the management of product bundles reads and answers."""

from datetime import datetime
from uuid import UUID

from pydantic import Field

from tessera.api.http.fields import Money, RequestModel, Text, Texts
from tessera.api.management.schemas.store_exams import StatusChoice
from tessera.api.management.serialization import Representation
from tessera.api.serving.cursor_pages import CursorQuery


class ProductBundleQuery(CursorQuery):
    """Query of GET /management/v1/product-bundles."""

    store_exam_code: Text | None = Field(
        None, description="Those that contain this exam, in any case.", examples=["NCA-GENL"]
    )
    status: StatusChoice | None = Field(None, description="Those of this status.", examples=["Active"])


class ProductBundleRequest(RequestModel):
    """Body of POST /management/v1/product-bundles, and of PUT to one of them."""

    name: Text = Field(description="What people call it, 1 to 200 characters.")
    price: Money = Field(description="What it costs, in dollars.")
    store_exam_codes: Texts = Field(description="The exams in it, 1 to 100 that are on sale, in any case.")


class ProductBundleModel(Representation):
    """A product bundle."""

    id: UUID = Field(description="Its id, which storefronts name it by.")
    name: str = Field(description="What people call it.")
    price: float = Field(description="In dollars.")
    store_exam_codes: list[str] = Field(description="The exams in it, by code.")
    status: str = Field(description="`Active`, or `Archived`: no longer sold.")
    created_at: datetime = Field(description="When it was put on sale, UTC.")
    version: int = Field(description="Raised by each change; the `ETag` too.")


class ProductBundleSlice(Representation):
    """A part of the product bundles."""

    data: list[ProductBundleModel] = Field(description="Product bundles, oldest first.")
    next_link: str | None = Field(description="The next part; null at the end.")


REQUEST = {"name": "Starter Bundle", "price": 480.0, "storeExamCodes": ["NCA-GENL", "NCP-ADS"]}
PRODUCT_BUNDLE = {
    "id": "0aad00c1-9c18-4b7c-ac3c-67afffdfbc4e",
    **REQUEST,
    "status": "Active",
    "createdAt": "2026-01-01T00:00:00Z",
    "version": 1,
}
