"""What importing promo codes reads and answers."""

from pydantic import Field

from tessera.api.http.fields import Flag, RequestModel
from tessera.api.management.serialization import Representation


class ImportQuery(RequestModel):
    """Query of POST /management/v1/promo-code-imports."""

    dry_run: Flag | None = Field(
        None, description="Whether to look only, and to import nothing; false unless given.", examples=["true"]
    )


class ImportModel(Representation):
    """What came of a file without bad lines."""

    promo_codes: int = Field(description="How many promo codes it has.")
    is_dry_run: bool = Field(description="Whether none of them was imported.")


FILE = """\
name,status,discountPercent,storeExamCodes,expiresAt,maxRedemptions,notes
SPRING10,Active,10,NCA-GENL|NCP-ADS,2030-01-01T00:00:00Z,100,"For spring, and for summer"
WELCOME5,Inactive,5,,,,
"""
