"""Request and response models of retention."""

from pydantic import Field

from tessera.api.http.fields import RequestModel, WholeNumber
from tessera.api.management.serialization import Representation

CANDIDATES = (
    "The days after the end of a reservation, or of a hold without a use, at which names, addresses, ids, reservation"
    " codes and metadata of the candidate are replaced; null keeps them."
)
TOKENS = "The days after their expiry or revocation at which long-lived tokens are deleted; null keeps them."
AUDIT = "The months of 31 days after which audit entries are dropped; null keeps them."
REDEMPTIONS = (
    "The months of 31 days after the last change of a redemption without a use, or after the end of its reservation, at"
    " which redemptions, their ledger entries and their reservations are dropped, and the candidates of used vouchers"
    " become anonymous; null keeps them. Counts and reports stay as they are. A limit for each candidate no longer"
    " counts dropped redemptions, and the code of a dropped reservation is unused again."
)
FAILED_JOBS = "The days after their end at which failed and cancelled jobs are deleted; null keeps them."


class RetentionRequest(RequestModel):
    """Body of PUT /management/v1/retention; a missing property is null."""

    candidates_after_days: WholeNumber | None = Field(None, description=CANDIDATES)
    tokens_after_days: WholeNumber | None = Field(None, description=TOKENS)
    audit_after_months: WholeNumber | None = Field(None, description=AUDIT)
    redemptions_after_months: WholeNumber | None = Field(None, description=REDEMPTIONS)
    failed_jobs_after_days: WholeNumber | None = Field(None, description=FAILED_JOBS)


class RetentionModel(Representation):
    """The periods for which an organization keeps data."""

    candidates_after_days: int | None = Field(description=CANDIDATES)
    tokens_after_days: int | None = Field(description=TOKENS)
    audit_after_months: int | None = Field(description=AUDIT)
    redemptions_after_months: int | None = Field(description=REDEMPTIONS)
    failed_jobs_after_days: int | None = Field(description=FAILED_JOBS)


RETENTION = {
    "candidatesAfterDays": 365,
    "tokensAfterDays": 90,
    "auditAfterMonths": 36,
    "redemptionsAfterMonths": 36,
    "failedJobsAfterDays": 30,
}
