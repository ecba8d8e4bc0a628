"""Names of templates as the names of files that transformers makes of them: `additional_chat_templates/NAME.jinja`."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Sequence
from itertools import islice

from tpllint.job import Fact
from tpllint.quoting import quoted
from tpllint.sources.files import ModelFile
from tpllint.span import json_value_at
from tpllint.storage.reading import Stored

MAX_FACTS = 10
"""How many names of one file are told."""
MAX_BYTES = 255 - len(".jinja")
"""No common file system takes a longer name."""


def unsafe_names(file: ModelFile, entries: Sequence[Stored]) -> Iterator[Fact]:
    """A fact for each name that leads out of the folder, or that no file should have."""
    found = ((stored, why) for stored in entries if (why := _fault(stored.name)) is not None)
    for stored, why in islice(found, MAX_FACTS):
        yield Fact("unsafe-name", file.shown, f"gives a template the name {quoted(stored.name)}, {why}", _place(file, stored))


def _fault(name: str) -> str | None:
    if any(character in "/\\\0" for character in name):
        return "which is a path"
    if any(unicodedata.category(character) in ("Cc", "Cf", "Cs", "Zl", "Zp") for character in name[:MAX_BYTES]):
        return "which holds invisible characters"
    if len(name.encode("utf-8", "surrogatepass")) > MAX_BYTES:
        return f"of {len(name):,} characters, which is too long for a file"
    return None


def _place(file: ModelFile, stored: Stored) -> tuple[int, int] | None:
    """Where the name of an entry of a list stands, and what stands under a name in an object."""
    keys = (*stored.keys[:2], "name") if stored.keys[2:] else stored.keys
    at = json_value_at(file.lined.text, keys)
    if at is None:
        return None
    position = file.lined.position(at)
    return position.line, position.column
