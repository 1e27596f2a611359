"""Request and response models of promo code imports."""

from typing import Annotated

from pydantic import Field

from tessera.api.http.fields import Flag, RequestModel, choice
from tessera.api.management.serialization import Representation
from tessera.api.vocabulary import VENDOR
from tessera.promo_codes.imports.presets.vendors import Vendor


class ImportQuery(RequestModel):
    """Query of POST /management/v1/promo-code-imports."""

    dry_run: Flag | None = Field(
        None, description="Whether to check the file without importing it; default: false.", examples=["true"]
    )
    update: Flag | None = Field(
        None,
        description="Whether a line changes the existing promo code with its name; default: false.",
        examples=["false"],
    )
    vendor: Annotated[Vendor, *choice(Vendor, VENDOR)] | None = Field(
        None,
        alias="from",
        description="The vendor whose export the file is; default: the columns of an export from Tessera.",
        examples=["stripe"],
    )


class PromoCodeImportModel(Representation):
    """The result of an import without bad lines."""

    promo_codes: int = Field(description="The number of promo codes in the file.")
    changed: int | None = Field(
        None, description="The number of existing promo codes that differ from the file; absent without `update`."
    )
    is_dry_run: bool = Field(description="Whether this was a dry run, which imports nothing.")


FILE = """\
name,status,discountPercent,storeExamCodes,expiresAt,maxRedemptions,notes
SUMMER10,Active,10,NCA-GENL|NCP-ADS,2030-01-01T00:00:00Z,100,"For spring, and for summer"
WELCOME5,Inactive,5,,,,
"""
