"""The application: routers, error renderers and middleware."""

from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager

from fastapi import FastAPI
from pydantic import BaseModel
from starlette.middleware.errors import ServerErrorMiddleware
from starlette.types import ASGIApp

import tessera
from tessera.api import health
from tessera.api.authentication import errors as authentication_errors
from tessera.api.authentication.router import oauth, pattern_a
from tessera.api.authentication.schemas import AccessTokenRequest
from tessera.api.carevalidate import errors as carevalidate_errors
from tessera.api.carevalidate import operations as carevalidate_operations
from tessera.api.carevalidate.router import router as carevalidate
from tessera.api.certiverse_promo import errors as promo_errors
from tessera.api.certiverse_promo import operations as promo_operations
from tessera.api.certiverse_promo.router import router as certiverse_promo
from tessera.api.certiverse_promo.schemas import PromoCodeCreateCommand
from tessera.api.certiverse_vouchers import errors as voucher_errors
from tessera.api.certiverse_vouchers import operations as voucher_operations
from tessera.api.certiverse_vouchers.router import router as certiverse_vouchers
from tessera.api.certiverse_vouchers.schemas import VoucherPurchaseCreateCommand
from tessera.api.docs import documents, guide, pages
from tessera.api.error_rendering import certiverse, problem_details
from tessera.api.error_rendering.renderers import ErrorRenderers
from tessera.api.management import errors as management_errors
from tessera.api.management.router import router as management
from tessera.api.serving.limits import RequestLimits
from tessera.api.serving.middleware import AddressTurns, FastPath, ForwardedHeaders, HeadRequests
from tessera.api.serving.request_log import RequestLog
from tessera.api.serving.resources import Resources
from tessera.api.storefront import errors as storefront_errors
from tessera.api.storefront import operations as storefront_operations
from tessera.api.storefront.problems import NotRedeemableProblemModel
from tessera.api.storefront.redemptions import router as redemptions
from tessera.api.storefront.schemas import (
    CodeValidationRequest,
    RedemptionCreateRequest,
    RedemptionExtendRequest,
    ReservationUpdateRequest,
)
from tessera.api.storefront.validations import router as storefront
from tessera.kit import tracing

Lifespan = Callable[[FastAPI], AbstractAsyncContextManager[None]]

ERROR_RENDERERS = ErrorRenderers(
    {
        "": certiverse.common,
        "/authenticate": authentication_errors.render_authenticate,
        "/api/authenticate": authentication_errors.render_authenticate,
        "/oauth": authentication_errors.render_token,
        "/api/vouchers": voucher_errors.render,
        "/promo-codes": promo_errors.render,
        "/api/promo-codes": promo_errors.render,
        "/storefront": storefront_errors.render,
        "/management": management_errors.render,
        "/api/v1": carevalidate_errors.render,
    }
)

# The operations with the most requests, which FastPath executes without the framework.
HOT_OPERATIONS = (
    carevalidate_operations.VALIDATE,
    promo_operations.LIST,
    promo_operations.CREATE,
    voucher_operations.LIST_VOUCHERS,
    voucher_operations.PURCHASE,
    storefront_operations.REDEEM,
)

# In the order of the OpenAPI document.
ROUTERS = (
    carevalidate,
    pattern_a,
    oauth,
    certiverse_promo,
    certiverse_vouchers,
    storefront,
    redemptions,
    management,
    health.router,
)

# Models that the framework does not add to the OpenAPI document: request models, and the problem models.
MODELS: tuple[type[BaseModel], ...] = (
    AccessTokenRequest,
    PromoCodeCreateCommand,
    VoucherPurchaseCreateCommand,
    CodeValidationRequest,
    RedemptionCreateRequest,
    RedemptionExtendRequest,
    ReservationUpdateRequest,
    NotRedeemableProblemModel,
    *management_errors.BODIES,
    problem_details.ProblemModel,
)


def create_app(
    resources: Resources,
    *,
    trusted_proxies: Sequence[str] = (),
    with_docs: bool = True,
    lifespan: Lifespan | None = None,
) -> FastAPI:
    """The whole HTTP application, with docs page and guide if `with_docs`; no I/O before its lifespan begins."""
    app = _Application(
        title="Tessera",
        version=tessera.__version__,
        openapi_url=None,  # pages.py serves it
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        lifespan=lifespan,
        # The export of FastAPI would have the paths of requests and the texts of exceptions, which tessera.kit.tracing
        # leaves out. Nothing looks for an exporter at each request.
        telemetry={"auto_configure": False, "logs": False, "metrics": False, "tracing": tracing.is_configured()},
    )
    app.state.resources = resources
    # The framework would compare a request with the routes of an included router two or three times.
    app.router.routes += [route for router in ROUTERS for route in router.routes]
    # The original API also has the base path /api for these two.
    app.include_router(pattern_a, prefix="/api", include_in_schema=False)
    app.include_router(certiverse_promo, prefix="/api", include_in_schema=False)
    _install_documentation(app, with_pages=with_docs)
    ERROR_RENDERERS.install(app)
    # The middleware added last is the outermost.
    app.add_middleware(FastPath, operations=HOT_OPERATIONS, error_renderers=ERROR_RENDERERS)
    app.add_middleware(AddressTurns)
    app.add_middleware(RequestLimits)
    app.add_middleware(HeadRequests)
    if trusted_proxies:
        app.add_middleware(ForwardedHeaders, trusted=trusted_proxies)
    app.add_middleware(RequestLog, error_renderers=ERROR_RENDERERS)
    return app


class _Application(FastAPI):
    """The framework, with the middleware of this application around its own, which hot operations do without."""

    def build_middleware_stack(self) -> ASGIApp:
        """The middleware, the outermost first; RequestLog does the work of the framework's outermost one."""
        ours, self.user_middleware = self.user_middleware, []
        try:
            outermost = super().build_middleware_stack()
        finally:
            self.user_middleware = ours
        assert isinstance(outermost, ServerErrorMiddleware)  # noqa: S101 - what a new version may change
        app = outermost.app
        for middleware, args, options in reversed(ours):
            app = middleware(app, *args, **options)
        return app


def _install_documentation(app: FastAPI, *, with_pages: bool) -> None:
    documents.install(app, models=MODELS)
    pages.install_home(app, with_docs=with_pages)
    if with_pages:
        pages.install_docs(app)
        guide.install_guide(app)
