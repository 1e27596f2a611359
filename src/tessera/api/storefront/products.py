"""The product that a request names: a store exam or a product bundle."""

from tessera.api.http.parsing import ParsedRequest
from tessera.codes.rules import ProductChoice
from tessera.kit.errors import Violation
from tessera.redemptions.validate import MalformedRequest


def read_product(parsed_request: ParsedRequest) -> ProductChoice | MalformedRequest:
    """The product that a request names, or every violation of the request."""
    fields = {"store_exam_code", "product_bundle_id"}
    products = {field: parsed_request.values[field] for field in fields & parsed_request.values.keys()}
    if len(products.keys() | fields & {violation.field for violation in parsed_request.violations}) != 1:
        message = "or productBundleId must be given, and not both of them"
        return MalformedRequest([*parsed_request.violations, Violation("OneProduct", "store_exam_code", message)], None)
    choice = ProductChoice(**products)
    return (
        MalformedRequest(parsed_request.violations, choice if products else None)
        if parsed_request.violations
        else choice
    )
