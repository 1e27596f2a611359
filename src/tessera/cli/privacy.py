"""Commands on the personal data that the database holds."""

from tessera.cli import output
from tessera.cli.options.expansion import CommandGroup
from tessera.cli.options.types import AsJson
from tessera.cli.output import fields_of
from tessera.kit.db.personal_data import PersonalColumn, personal_data_map
from tessera.metadata import metadata

commands = CommandGroup()


@commands.command("map")
def show_map(*, as_json: AsJson = False) -> None:
    """List the columns that hold personal data.

    The table says what, about whom, for what purpose, and for how long. The command needs no database. Columns
    that are not listed hold no personal data.
    """
    rows = [fields_of(row, *PersonalColumn.__dataclass_fields__) for row in personal_data_map(metadata)]
    output.show_rows(rows, as_json=as_json, if_none="")
