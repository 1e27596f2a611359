"""One validation, from the request as the server hands it on to the body of the answer."""

import re
from uuid import UUID

from starlette.types import Scope

from tessera.api.carevalidate.errors import BundleIdMalformed, CodeMissing
from tessera.api.http.errors import Malformed
from tessera.api.http.parsing import parsed_query
from tessera.api.serving.callers import Resources
from tessera.identity.authentication.credentials import ApiKeyText, parse_key
from tessera.kit.errors import DomainError, NotAuthenticated
from tessera.promo_codes.uses.service import PromoCodeNotFound, UsabilityRequest, Validation

_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.ASCII | re.IGNORECASE)
_UNUSABLE = b'{"success":false,"data":[]}'


async def validate(scope: Scope, resources: Resources) -> bytes:
    """The JSON of the answer; raises NotAuthenticated, CodeMissing, BundleIdMalformed, Malformed, PromoCodeNotFound."""
    key = parse_key(_key_text(scope))
    scope.setdefault("state", {})["organization_id"] = key.organization_id
    asked = _question(scope["query_string"], key)
    # A wrong question is asked all the same, for the key: without a good one, nothing else is told.
    question = UsabilityRequest(key, None, None) if isinstance(asked, DomainError) else asked
    found = await resources.validations.ask(question)
    if isinstance(asked, DomainError) and not isinstance(found, NotAuthenticated):
        raise asked
    if isinstance(found, DomainError):
        raise found
    return _body(found)


def _key_text(scope: Scope) -> str:
    for name, value in scope["headers"]:
        if name == b"cv-api-key":
            text: str = value.decode("latin-1")
            return text
    return ""


def _question(query: bytes, key: ApiKeyText) -> UsabilityRequest | DomainError:
    try:
        given = dict(parsed_query(query))
    except Malformed as error:
        return error
    code, bundle_id = given.get("code", "").strip(), given.get("product_bundle_id", "").strip()
    if not code:
        return CodeMissing()
    if bundle_id and not _UUID.fullmatch(bundle_id):
        return BundleIdMalformed()
    # Postgres knows no NUL in text, so no code has one.
    return PromoCodeNotFound() if "\0" in code else UsabilityRequest(key, code, UUID(bundle_id) if bundle_id else None)


def _body(validation: Validation) -> bytes:
    if validation.reasons:
        return _UNUSABLE
    flat, percent = validation.discount.flat, validation.discount.percent
    discount = f'"flatDiscount":{flat}' if flat is not None else f'"percentDiscount":{percent}'
    return f'{{"success":true,"data":[{{{discount}}}]}}'.encode()
