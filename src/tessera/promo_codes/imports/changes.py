"""The changes that a file makes to existing promo codes."""

from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

from tessera.kit.db.unit_of_work import UnitOfWork
from tessera.kit.editing import Target
from tessera.kit.errors import Invalid, VersionStale, Violation
from tessera.promo_codes import drafts, rules
from tessera.promo_codes.imports.parsing import Line
from tessera.promo_codes.management import service
from tessera.promo_codes.management.service import ManagedPromoCode
from tessera.promo_codes.rules import PromoCodeDraft, Status

_MOVES = {Status.ACTIVE: service.activate, Status.INACTIVE: service.deactivate, Status.ARCHIVED: service.archive}


@dataclass(frozen=True, slots=True)
class Change:
    """A line of a file, the promo code that it names, and the state of the code after the import."""

    line: Line
    code: ManagedPromoCode
    draft: PromoCodeDraft

    @classmethod
    def of(cls, line: Line, code: ManagedPromoCode, *, owner_id: UUID) -> "Change":
        """The change of a code by a line; fields and keys of metadata without a column stay."""
        fields = {name: getattr(line.draft, name) for name in (*line.fields, "parse_violations")}
        if "store_exam_codes" in fields:
            fields["store_exam_codes"] = line.draft.store_exam_codes or ()
        if line.keys:
            others = {key: text for key, text in (code.metadata or {}).items() if key not in line.keys}
            fields["metadata"] = others | dict(line.draft.metadata or {})
        draft = replace(service.as_draft(code), **fields)
        return cls(line, code, rules.with_share(draft, owner_id=owner_id))

    @property
    def is_needed(self) -> bool:
        """Whether the line differs from the code."""
        return self.draft != service.as_draft(self.code)

    @property
    def addresses(self) -> int:
        """The number of addresses of the code before or after the change, whichever is larger."""
        return max(len(self.code.email_addresses or ()), len(self.draft.email_addresses or ()))

    @property
    def needs_recount(self) -> bool:
        """Whether the uses of the code must be recounted for a new limit."""
        return service.needs_recount(self.code, self.draft)

    async def violations(self, work: UnitOfWork, *, dry_run: bool, now: datetime) -> list[Violation]:
        """Change the code; returns the violations, if any. A dry run has no effect and keeps no lock."""
        if self.code.status == Status.ARCHIVED:
            return [Violation("Archived", "name", "names an archived promo code, which cannot change")]
        try:
            if not dry_run:
                await self._write(work, now=now)
            else:
                async with work.undoing():
                    await self._write(work, now=now)
        except VersionStale:
            return [Violation("VersionStale", "name", "names a promo code that has just been changed")]
        except Invalid as error:
            return list(error.violations)
        return []

    async def _write(self, work: UnitOfWork, *, now: datetime) -> None:
        target, before = Target(self.code.id, self.code.version), service.as_draft(self.code)
        status = drafts.status_of(self.draft)
        if replace(self.draft, is_active=before.is_active, is_archived=False) != before:
            after = await service.update(work, target, draft=self.draft, now=now)
            target = Target(after.id, after.version)
        if status != self.code.status:
            await _MOVES[status](work, target, now=now)
