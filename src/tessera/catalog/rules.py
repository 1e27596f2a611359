"""Words about what is sold, and to whom."""

from dataclasses import dataclass
from uuid import UUID


@dataclass(frozen=True, slots=True)
class Use:
    """What a code would be used for: an exam or a bundle, by a candidate or by nobody in particular."""

    store_exam_id: UUID | None
    product_bundle_id: UUID | None
    has_candidate: bool
    candidate_email: str | None
