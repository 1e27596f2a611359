r"""Control characters in text from outside, written as the escapes of JSON, such as `\u001b`.

A terminal obeys them: a name could clear the screen, or hide a line of a table.
"""

import re
import unicodedata

# Control characters (Cc), and those that are invisible or change the direction of text (Cf, Cs, Zl, Zp).
_INVISIBLE = frozenset(("Cc", "Cf", "Cs", "Zl", "Zp"))
# Characters that end a line, or that a terminal obeys. Zero-width joiners, in contrast, are part of words.
_CONTROLS = frozenset(("Cc", "Zl", "Zp"))
# Tab, CR and LF are part of cells with several lines.
_CONTROL = r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]"
_ESCAPE = r"u00(?:0[0-8bcef]|1[0-9a-f]|7f|[89][0-9a-f])"
# A match begins at the first backslash of a run, and never returns: matching takes linear time.
_TO_ESCAPE = re.compile(rf"(?<!\\)(?:(\\*+)({_CONTROL})|(\\++)(?={_ESCAPE}))")
_ESCAPED = re.compile(rf"(?<!\\)(\\++)({_ESCAPE})")


def visible(text: str) -> str:
    """The text for a terminal: every control or invisible character as an escape."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(_escape(each) if unicodedata.category(each) in _INVISIBLE else each for each in text)


def has_controls(text: str) -> bool:
    """Whether the text, which should be one line, has control characters or separators of lines."""
    return not text.isprintable() and any(unicodedata.category(each) in _CONTROLS for each in text)


def escape(text: str) -> str:
    """The text with an escape for each control character except tab, CR and LF; see `unescape`.

    Backslashes before an escape, or before text that looks like one, are doubled.
    """
    return _TO_ESCAPE.sub(_write, text)


def unescape(text: str) -> str:
    """The text from which `escape` made this one."""
    return _ESCAPED.sub(_read, text) if "\\u00" in text else text


def _write(match: re.Match[str]) -> str:
    backslashes, control, before_escape = match.groups()
    return 2 * before_escape if before_escape else 2 * backslashes + _escape(control)


def _read(match: re.Match[str]) -> str:
    backslashes, escaped = match.groups()
    kept = "\\" * (len(backslashes) // 2)
    return kept + (chr(int(escaped[1:], 16)) if len(backslashes) % 2 else escaped)


def _escape(character: str) -> str:
    return f"\\u{ord(character):04x}"
