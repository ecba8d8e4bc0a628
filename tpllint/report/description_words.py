"""What stands in a description, in words: the same in every report."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from tpllint.report.escape import escape, shortened

COLUMNS = 78
"""How wide a value may be."""
UNDECIDED = "undecided"
ACCEPTED = {"shown": "accepted", "moved": "moved", "merged": "merged"}
Fact = Mapping[str, Any]


def quoted(text: str | None, columns: int = COLUMNS) -> str:
    """A text in quotes on one line, cut in the middle where it is wider; undecided where there is none."""
    if text is None:
        return UNDECIDED
    shown = escape(json.dumps(text, ensure_ascii=False))
    if '"' in text and "'" not in text:
        shown = "'" + shown[1:-1].replace('\\"', '"') + "'"
    return shortened(shown, columns)


def of_outcome(outcome: Fact, columns: int = COLUMNS) -> str:
    """What became of something, with the words that it was refused with."""
    status, message = outcome["status"], outcome["message"]
    if status is None:
        return UNDECIDED
    shown = ACCEPTED.get(status, str(status))
    if message is None:
        return shown
    if status in ("moved", "merged"):
        return f"{shown} {message}"
    return f"{shown}: {quoted(message, columns - len(shown) - 2)}"


def of_token(token: Fact | None, nothing: str) -> str:
    """A token that begins or ends something, and how the source writes it; `nothing` where there is none."""
    if token is None:
        return UNDECIDED
    if not token["text"]:
        return nothing
    how = {"variable": ", by its name", "literal": ", written out"}.get(token["written"], "")
    return quoted(token["text"], 48) + (f" {token['name']}{how}" if token["name"] else "")


def of_toggle(toggle: Fact) -> str:
    """What a variable about reasoning does, and what leaving it out means."""
    if toggle["unset"] is None:
        return UNDECIDED
    if not toggle["acts_on"]:
        return "changes nothing that was asked"
    default = {"true": "on by default", "false": "off by default"}.get(toggle["unset"], "unset is neither on nor off")
    if toggle["on"] is None:
        return f"{default}; changes the {' and the '.join(toggle['acts_on'])}"
    return f"{default}; on {quoted(toggle['on'], 22)}, off {quoted(toggle['off'], 34)}"


def of_engine(engine: Fact) -> str:
    """`cannot parse {% generation %}; needs 0.5.6 (the filter safe)`: what no version takes comes first."""
    told = []
    for key, words in (("unparsed", "cannot parse"), ("raises", "raises at"), ("differs", "renders otherwise")):
        if engine[key]:
            told.append(f"{words} {', '.join(engine[key])}")
    if engine["from_version"]:
        told.append(f"needs {engine['from_version']} ({', '.join(engine['newer'])})")
    if engine["refused"]:
        told.append(f"refuses {', '.join(engine['refused'])} since {engine['refused_since']}")
    return "; ".join(told) or "nothing in it is known to fail"


def of_variable(variable: Fact) -> str:
    """A variable with its default, or with the values that it is compared with."""
    name = escape(variable["name"])
    if variable["default"] is not None:
        return f"{name} ({escape(variable['default'], 30)} unless set)"
    values = [value for value in variable["values"] if value not in ("true", "false", "none")]
    return f"{name} ({escape(' or '.join(values), 30)})" if values else name
