"""One command in one organization: its options, its unit of work and its output."""

from collections.abc import Sequence
from dataclasses import dataclass

from tessera.cli import output
from tessera.cli.database_sessions import Action, Result, in_organization
from tessera.cli.options.types import AsJson, Organization
from tessera.cli.output import Fields
from tessera.cli.startup import start


@dataclass(frozen=True, slots=True)
class OrganizationSession:
    """The options that every command in an organization has, `--organization` and `--json`."""

    organization: Organization
    as_json: AsJson = False

    def run(self, action: Action[Result]) -> Result:
        """Run one unit of work in the organization; raises NotFound."""
        return in_organization(start(), self.organization, action)

    def show(self, sentence: str, fields: Fields) -> None:
        """Print the result of the command."""
        output.show(sentence, fields, as_json=self.as_json)

    def show_secret(self, sentence: str, fields: Fields) -> None:
        """Print the result of the command with a secret that is shown only once."""
        output.show_secret(sentence, fields, as_json=self.as_json)

    def show_rows(self, rows: Sequence[Fields], *, if_none: str, cursor: str | None = None) -> None:
        """Print one line for each record."""
        output.show_rows(rows, as_json=self.as_json, if_none=if_none, cursor=cursor)
