"""The commands in the pages of the guide exist, with their options."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tessera.cli.app import create_app

PAGES = sorted((Path(__file__).parents[2] / "docs").glob("*.md"))


def mentions() -> Iterator[tuple[str, list[str]]]:
    """Each mention of a command: its page, and its words up to the end of the command."""
    for page in PAGES:
        text = page.read_text().replace("\\\n", " ")
        for command in re.findall(r"(?<![\w/.-])(?<!-d )(?<!database )tessera ((?:[a-z-]+ )*[a-z-]+[^`\n|)]*)", text):
            yield page.name, command.partition(" #")[0].split()


def unknown_word(words: list[str]) -> str | None:
    """The first word that is neither a command nor an option of it; alternatives, such as `a|b`, are not examined."""
    command: Any = create_app()
    for word in words:
        command = command.load() if hasattr(command, "load") else command
        subcommands = getattr(command, "commands", {})
        if subcommands and re.fullmatch("[a-z-]+", word) and not word.startswith("-"):
            if word not in subcommands:
                return word
            command = subcommands[word]
        elif word.startswith("--") and not any(word in [*option.opts, "--help"] for option in command.params):
            return word
    return None


def test_the_pages_mention_only_commands_and_options_that_exist() -> None:
    mentioned = list(mentions())
    assert len(mentioned) > 50
    assert [(page, words) for page, words in mentioned if unknown_word(words)] == []
