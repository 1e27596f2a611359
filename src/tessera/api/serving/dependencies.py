"""Callers as FastAPI dependencies, for operations that the framework executes."""

from collections.abc import AsyncIterator
from typing import Annotated, Any

from fastapi import Depends, Request, Response

from tessera.api.serving.callers import Caller
from tessera.api.serving.operations import HotOperation
from tessera.api.serving.resources import resources_of
from tessera.identity.authentication import policies
from tessera.identity.authentication.policies import Policy


async def run(request: Request, operation: HotOperation) -> Response:
    """The response to a request of a hot operation; raises DomainError."""
    return await resources_of(request).pipeline.run(request, operation)


def admitted(policy: Policy) -> Any:  # noqa: ANN401 - the return type of Depends
    """A dependency: the caller, if the policy admits it.

    The transaction commits before the response is sent (`scope="function"`). Otherwise a client could read before
    its write is visible, and a commit could fail after a success response.
    """

    async def caller(request: Request) -> AsyncIterator[Caller]:
        async with resources_of(request).pipeline.transaction(request, policy) as admitted_caller:
            yield admitted_caller

    return Depends(caller, scope="function")


def admitted_to_heavy_work(policy: Policy) -> Any:  # noqa: ANN401 - the return type of Depends
    """A dependency like `admitted`, for responses that are streamed: the slot is held until the response is sent."""

    async def slot(request: Request) -> AsyncIterator[None]:
        async with resources_of(request).pipeline.heavy_work(request, policy):
            yield

    async def caller(request: Request, _: Annotated[None, Depends(slot, scope="request")]) -> AsyncIterator[Caller]:
        async with resources_of(request).pipeline.transaction(request, policy) as admitted_caller:
            yield admitted_caller

    return Depends(caller, scope="function")


Manager = Annotated[Caller, admitted(policies.MANAGE_ORGANIZATION)]
CodeManager = Annotated[Caller, admitted(policies.ACT_ON_CODES)]
CodeNamer = Annotated[Caller, admitted(policies.NAME_CODES)]
VoucherAssigner = Annotated[Caller, admitted(policies.ASSIGN_VOUCHERS)]
Reporter = Annotated[Caller, admitted_to_heavy_work(policies.MANAGE_ORGANIZATION)]
PersonManager = Annotated[Caller, admitted_to_heavy_work(policies.MANAGE_PERSONS)]
PlatformAdministrator = Annotated[Caller, admitted(policies.MANAGE_PLATFORM)]
CodeAsker = Annotated[Caller, admitted(policies.ASK_FOR_CODES)]
SupportCaller = Annotated[Caller, admitted(policies.SUPPORT_STOREFRONT)]
VoucherManager = Annotated[Caller, admitted(policies.MANAGE_VOUCHERS)]
BearerCaller = Annotated[Caller, admitted(policies.IDENTIFY)]
