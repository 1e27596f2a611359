"""The product that a request names: a store exam or a product bundle."""

from tessera.api.http.parsing import ParsedRequest
from tessera.codes.rules import ProductChoice
from tessera.kit.errors import Violation
from tessera.redemptions.validate import MalformedRequest


def read_product(reading: ParsedRequest) -> ProductChoice | MalformedRequest:
    """The product that a request names, or every violation in a request."""
    fields = {"store_exam_code", "product_bundle_id"}
    named = {field: reading.values[field] for field in fields & reading.values.keys()}
    if len(named.keys() | fields & {each.field for each in reading.violations}) != 1:
        message = "or productBundleId must be given, and not both of them"
        return MalformedRequest([*reading.violations, Violation("OneProduct", "store_exam_code", message)], None)
    choice = ProductChoice(**named)
    return MalformedRequest(reading.violations, choice if named else None) if reading.violations else choice
