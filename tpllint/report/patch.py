"""Changes of files as a unified diff, for `patch -p1` and `git apply`."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Sequence
from typing import TextIO

from tpllint.repairs import FileChange
from tpllint.report.escape import code

NOWHERE = "/dev/null"
LETTERS = {**dict(zip(b"\a\b\t\n\v\f\r", "abtnvfr", strict=True)), ord('"'): '"', ord("\\"): "\\"}
"""The bytes that are escaped with a letter or themselves."""
NO_NEWLINE = "\\ No newline at end of file\n"


def write(changes: Sequence[FileChange], stream: TextIO, *, escaped: bool) -> None:
    """Write the changes. What is `escaped` can be shown on a terminal, and not be applied."""
    for line in (line for change in changes for line in lines(change)):
        stream.write(code(line.removesuffix("\n")) + "\n" if escaped else line)


def lines(change: FileChange) -> Iterator[str]:
    """One file's part of the diff, line by line."""
    before, after = _lines(change.before), _lines(change.after)
    old, new = _named("a", change, change.before), _named("b", change, change.after)
    if not before and not after:
        yield from (f"--- {old}\n", f"+++ {new}\n")
    for line in difflib.unified_diff(before, after, old, new, lineterm="\n"):
        yield from (line,) if line.endswith("\n") else (f"{line}\n", NO_NEWLINE)


def _named(side: str, change: FileChange, data: bytes | None) -> str:
    """The file's path below the side's name, written as git does; what follows a tab is no part of it."""
    if data is None:
        return NOWHERE
    path = c_quoted(f"{side}/{change.shown.lstrip('/')}")
    return f"{path}\t" if " " in path else path


def c_quoted(path: str) -> str:
    """A path as git does: in quotes and escaped where it has a quote, a backslash or a byte beyond printable ASCII."""
    try:
        name = path.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:  # surrogates that stand for no byte of a file's name
        name = path.encode("utf-8", "surrogatepass")
    written = "".join(map(_written, name))
    return path if written == path else f'"{written}"'


def _written(byte: int) -> str:
    if byte in LETTERS:
        return f"\\{LETTERS[byte]}"
    return chr(byte) if 0x20 <= byte < 0x7F else f"\\{byte:03o}"


def _lines(data: bytes | None) -> list[str]:
    """The lines with their line feeds; no other character ends one."""
    text = (data or b"").decode("utf-8", "replace")
    return [f"{line}\n" for line in text.split("\n")[:-1]] + [last for last in text.split("\n")[-1:] if last]
