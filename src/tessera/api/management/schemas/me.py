"""Response model of the caller."""

from typing import Annotated
from uuid import UUID

from pydantic import Field

from tessera.api.management.serialization import From, Representation
from tessera.api.vocabulary import ACTOR_KIND, FUNCTION_POINT
from tessera.kit.actors import ActorKind

CALLER_KIND = ACTOR_KIND.only("CallerKind", (ActorKind.USER, ActorKind.API_CLIENT))


class MyOrganizationModel(Representation):
    """The organization of the caller."""

    id: Annotated[UUID, From(lambda profile: profile.organization_id)] = Field(description="The unique identifier.")
    name: Annotated[str, From(lambda profile: profile.organization_name)] = Field(description="The name.")


class MyPartnerModel(Representation):
    """The voucher partner to which the caller is limited."""

    id: UUID = Field(description="The unique identifier.")
    name: str = Field(description="The name.")


class MeModel(Representation):
    """The caller of the request."""

    kind: Annotated[str, CALLER_KIND] = Field(description="The kind of caller.")
    id: UUID = Field(description="The unique identifier of the user or client.")
    name: str = Field(description="First and last name of a user, or the name of a client.")
    email: str | None = Field(description="The e-mail address; null for a client.")
    organization: Annotated[MyOrganizationModel, From(MyOrganizationModel.of)] = Field(description="The organization.")
    function_points: list[Annotated[str, FUNCTION_POINT]] = Field(description="The rights, by name.")
    partner: MyPartnerModel | None = Field(
        description="The voucher partner of a partner's user; null for every other caller."
    )


ME = {
    "kind": "User",
    "id": "01906a6e-0000-7000-8000-000000000001",
    "name": "Ada Byron",
    "email": "ada@example.com",
    "organization": {"id": "01906a6e-0000-7000-8000-000000000002", "name": "Exam Board"},
    "functionPoints": ["ManageOrganization"],
    "partner": None,
}
