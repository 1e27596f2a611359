"""Request and response models of campaigns of promo codes."""

from pydantic import Field

from tessera.api.http.fields import RequestModel, Text
from tessera.api.management.serialization import Representation


class CampaignRequest(RequestModel):
    """Body of POST /management/v1/promo-code-campaigns/deactivate."""

    campaign: Text = Field(description="The campaign (not case-sensitive).")


class DeactivatedCampaignModel(Representation):
    """The effect of a deactivation."""

    campaign: str = Field(description="The campaign.")
    promo_codes: int = Field(description="The number of promo codes that were deactivated.")
    has_more: bool = Field(description="Whether more of its promo codes may be active; then repeat the request.")


CAMPAIGN = {"campaign": "Spring 2030"}
DEACTIVATED = {"campaign": "Spring 2030", "promoCodes": 250, "hasMore": False}
