"""Every rule over a template in this process, without a worker's bounds, and what has to hold of whatever comes out."""

from __future__ import annotations

import functools
import importlib
import io
import json
import unicodedata
from typing import TYPE_CHECKING, Any

from tpllint.analysis.examine import examine
from tpllint.analysis.offsets import normalised
from tpllint.checking import Check, check
from tpllint.cli.check import FORMATS
from tpllint.job import Job, Variant, job_from_json
from tpllint.pool import Answers, Order, Pool
from tpllint.portability import ENGINES
from tpllint.registry import load
from tpllint.selection import Selection
from tpllint.span import Position, offset_at, position_at
from tpllint.targets import Request

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    from tpllint.finding import Report
    from tpllint.rule import Rule

TOKENS = {"bos_token": "<s>", "eos_token": "</s>"}
OWN_COMMANDS = ("::error ", "::warning ", "::notice ")
HIDDEN = ("Cc", "Cf", "Cs", "Zl", "Zp")
"""Categories of characters that a reader does not see and a terminal obeys."""


@functools.cache
def every_rule() -> Mapping[str, Rule]:
    """The built-in rules by name."""
    return load(())


def answers(source: str, rules: Mapping[str, Rule] | None = None, **fields: Any) -> list[dict[str, Any]]:
    """All that a worker would answer about a template: from every rule, or from these."""
    rules = every_rule() if rules is None else rules
    told: list[dict[str, Any]] = []
    variant = Variant("default", source, "default", "chat_template.jinja")
    given = {"tokens": TOKENS, "tokens_known": True, "requires": tuple(ENGINES), **fields}
    examine(Job((variant,), rules=tuple(rules), **given), tuple(rules.values()), told.append)
    return told


def crashes(told: Sequence[Mapping[str, Any]]) -> list[str]:
    """The tracebacks of rules that raised."""
    return [message["traceback"] for message in told if message["kind"] == "crash"]


def misplaced(told: Sequence[Mapping[str, Any]], source: str) -> list[Mapping[str, Any]]:
    """The answers with a place that ends before it starts or lies outside of the template."""
    text = normalised(source)
    return [message for message in told if not all(_is_inside(place, text) for place in _places(message))]


def _places(message: Mapping[str, Any]) -> Iterator[Sequence[int]]:
    """The places in the template; those in a file of its own name are another's to check."""
    for one in (message, *message.get("related", ())):
        yield from (one[key] for key in ("place", "holds") if one.get(key) and not one.get("file"))


def _is_inside(place: Sequence[int], text: str) -> bool:
    start, end = Position(*place[:2]), Position(*place[2:])
    return start <= end and all(position_at(text, offset_at(text, at)) == at for at in (start, end))


class InProcess(Pool):
    """A pool whose only worker is this process; `told` are all answers that it gave."""

    def __init__(self) -> None:
        self.told: list[dict[str, Any]] = []
        self.rules = tuple(rule.info() for rule in every_rule().values())

    def run(self, orders: Sequence[Order], on_done: Callable[[int], None] = lambda _: None) -> list[Answers]:
        """As `Pool.run`."""
        return [self._answered(order) for order in orders]

    def _answered(self, order: Order) -> Answers:
        job = job_from_json(json.loads(json.dumps(order.job.as_json())))
        messages: list[dict[str, Any]] = []
        examine(job, [every_rule()[name] for name in job.rules], messages.append)
        done = messages.pop()
        self.told += messages
        return Answers(messages, done["exhausted"], done["undecided"], done["questions"])


def report_on(path: Path, pool: Pool, request: Request | None = None, rules: tuple[str, ...] = ("ALL",)) -> Report:
    """What rules say of a target, infos too."""
    selection = Selection(select=rules, tells_infos=True)
    return check([str(path)], pool, Check(request or Request(offline=True), selection))


def harmful(report: Report) -> list[str]:
    """What in the report, in any format, commands a terminal or a runner of workflows, or is no JSON where it should be."""
    return [f"{name}: {line!r}" for name in FORMATS for line in _harmful_lines(name, _written(name, report))]


def _written(name: str, report: Report) -> str:
    stream = io.StringIO()
    writer = importlib.import_module(f"tpllint.report.{name}").Writer(stream)
    writer.add(report)
    writer.end()
    return stream.getvalue()


def _harmful_lines(name: str, printed: str) -> Iterator[str]:
    lines = printed.split("\n")
    last = len(lines) - 2
    for number, line in enumerate(lines):
        own = name == "github" and line.startswith(OWN_COMMANDS)
        is_command = line.startswith(("::", "##[")) or (name == "github" and number < last)
        if (is_command and not own) or hidden(line):
            yield line
    documents = lines[:-1] if name == "jsonl" else [printed] if name in ("json", "sarif", "gitlab") else []
    yield from (document for document in documents if not _is_json(document))


def hidden(printed: str) -> list[str]:
    """The characters in a text, line ends aside, that a reader does not see."""
    return [character for character in printed if unicodedata.category(character) in HIDDEN and character != "\n"]


def _is_json(document: str) -> bool:
    try:
        json.loads(document, parse_constant=_no_number)
    except ValueError:
        return False
    return True


def _no_number(name: str) -> None:
    raise ValueError(f"{name} is a number for Python only")
