"""The engines that render chat templates, and which versions of them a template has to run on: the words of `--engine`."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from tpllint.errors import RepairableError
from tpllint.names import unknown

TRANSFORMERS = "transformers"
MINIJINJA = "minijinja"
JS = "@huggingface/jinja"
MINJA = "minja"
LLAMA = "llama.cpp"

NEWEST = {TRANSFORMERS: "5.23.0", MINIJINJA: "3.0.5", JS: "0.5.11", MINJA: "2025.8", LLAMA: "2026"}
"""The engines by name, each with the newest version that was measured. minja and llama.cpp's own engine, which replaced it in
January 2026, are numbered by the date of the llama.cpp that they are in."""
ENGINES = tuple(NEWEST)
WORD = re.compile(r"(?P<engine>.+?)(?:\s*(?P<operator>==|>=)\s*(?P<version>\d{1,6}(?:\.\d{1,6}){0,5}))?")
HINT = "write a name, or one with a version, as in transformers>=4.45 or minijinja==2.8.0"


class Requirement(NamedTuple):
    """The versions of an engine that a template has to run on: the newest, or this one, or this one and every later one."""

    engine: str
    operator: str = ""
    version: str = ""

    def covers(self, since: str | None, before: str | None) -> bool:
        """Whether any of them is one from `since` on, and before `before`."""
        first = self.version or NEWEST[self.engine]
        if before is not None and number(first) >= number(before):
            return False
        return since is None or self.operator == ">=" or number(first) >= number(since)


def number(version: str) -> tuple[int, ...]:
    """A version as something that can be compared; trailing zeros say nothing."""
    parts = [int(part) for part in version.split(".")]
    while parts and parts[-1] == 0:
        parts.pop()
    return tuple(parts)


def required(words: Iterable[str], where: str = "") -> tuple[Requirement, ...]:
    """What `--engine` and `requires` mean. Raises RepairableError; `where` says who wrote a word."""
    return tuple(_required(word, where) for word in words)


def _required(word: str, where: str) -> Requirement:
    found = WORD.fullmatch(word.strip())
    if found is None:
        raise RepairableError("unknown-engine", f"{where}empty name of an engine", HINT)
    engine, operator, version = (found[part] or "" for part in ("engine", "operator", "version"))
    if engine in ENGINES:
        return Requirement(engine, operator, version)
    if re.match(r"[=<>!~]", engine.lstrip("@/-._abcdefghijklmnopqrstuvwxyz ")):
        raise RepairableError("bad-engine", f"{where}not of the form NAME, NAME>=VERSION or NAME==VERSION: {word}", HINT)
    raise unknown("unknown-engine", "engine", engine, ENGINES, where)


def covering(requirements: Sequence[Requirement], engine: str, since: str | None, before: str | None) -> bool:
    """Whether any requirement covers versions of an engine."""
    return any(each.engine == engine and each.covers(since, before) for each in requirements)
