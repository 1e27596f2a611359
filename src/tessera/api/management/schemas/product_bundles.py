"""Request and response models of product bundles."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from pydantic import Field

from tessera.api.http.fields import DisplayName, Money, RequestModel, Text, Texts
from tessera.api.management.schemas.store_exams import StatusChoice
from tessera.api.management.serialization import Representation
from tessera.api.serving.cursor_pages import CursorQuery
from tessera.api.vocabulary import PRODUCT_STATUS


class ProductBundleQuery(CursorQuery):
    """Query of GET /management/v1/product-bundles."""

    store_exam_code: Text | None = Field(
        None, description="Only bundles that contain this exam (not case-sensitive).", examples=["NCA-GENL"]
    )
    status: StatusChoice | None = Field(None, description="Only bundles with this status.", examples=["Active"])


class ProductBundleRequest(RequestModel):
    """Body of POST /management/v1/product-bundles and of PUT /management/v1/product-bundles/{productBundleId}."""

    name: DisplayName = Field(description="The display name, 1 to 200 characters.")
    price: Money = Field(description="The price, in dollars.")
    store_exam_codes: Texts = Field(
        description="The codes of its exams, 1 to 100 active ones (not case-sensitive).",
        json_schema_extra={"minItems": 1, "maxItems": 100},
    )


class ProductBundleModel(Representation):
    """A product bundle."""

    id: UUID = Field(description="The unique identifier, by which storefronts refer to the bundle.")
    name: str = Field(description="The display name.")
    price: float = Field(description="The price, in dollars.")
    store_exam_codes: list[str] = Field(description="The codes of its exams.")
    status: Annotated[str, PRODUCT_STATUS] = Field(description="The current status.")
    created_at: datetime = Field(description="The time of creation, in UTC.")
    version: int = Field(description="The version, incremented by each change; also the `ETag`.")


ProductBundleRequest.ignore_read_only(ProductBundleModel)


class ProductBundlePage(Representation):
    """A page of product bundles."""

    data: list[ProductBundleModel] = Field(description="Product bundles, oldest first.")
    next_link: str | None = Field(description="The URL of the next page; null on the last page.")
    next_cursor: str | None = Field(description="The `cursor` of the next page; null on the last page.")


REQUEST = {"name": "Autumn Bundle", "price": 480.0, "storeExamCodes": ["NCA-GENL", "NCP-ADS"]}
PRODUCT_BUNDLE = {
    "id": "0aad00c1-9c18-4b7c-ac3c-67afffdfbc4e",
    **REQUEST,
    "status": "Active",
    "createdAt": "2026-01-01T00:00:00Z",
    "version": 1,
}
