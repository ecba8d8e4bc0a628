"""What `describe` found, for persons: one table per template, a screen high."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Iterator, Sequence
from typing import TextIO

import click

from tpllint.describing import Described
from tpllint.report import coverage, description_storage
from tpllint.report.description_words import (
    ACCEPTED,
    UNDECIDED,
    Fact,
    of_engine,
    of_outcome,
    of_toggle,
    of_token,
    of_variable,
    quoted,
)
from tpllint.report.escape import escape, padded, shortened, width

WIDTH = 100
LABEL = 20
COLUMNS = (11, 36, 24)
"""Of the table of roles: the role, what its turns open with, what closes them; the rest tells of the content."""
OTHER_ROLES = {"other": "any other"}


def write(results: Sequence[Described], stream: TextIO, *, color: bool = False) -> None:
    """Write one table after the other; with coverage in a description, the source follows."""
    records = [(record, not place) for result in results for place, record in enumerate(result.templates)]
    for number, (record, is_first) in enumerate(records):
        lines = list(_table(record, color, with_storage=is_first))
        if any(UNDECIDED in line for line in lines[1:]) and not record["undecided"]:
            lines.append("undecided: the renders that would tell it fail or do not show it")
        stream.write(("\n" if number else "") + "\n".join(lines) + "\n")
        if "coverage" in record:
            stream.write("\n" + "\n".join(coverage.lines(record["coverage"], color=color)) + "\n")


def _table(record: Fact, color: bool, *, with_storage: bool) -> Iterator[str]:
    yield _bold(f"{escape(record['target'])} ({escape(record['template'])})", color)
    if with_storage and record["note"] is not None:
        yield _row("note", escape(record["note"]))
    if with_storage and record["storage"] is not None:
        rows = [_row(label, value) for label, value in description_storage.rows(record["storage"])]
        yield from rows if len(rows) == 1 else _section("storage", rows, color)
    if record["undecided"]:
        yield _row(UNDECIDED, escape(record["undecided"]))
    else:
        yield from _section("turns", _roles(record), color)
        yield from _section("prompt", _prompt(record), color)
        yield from _section("messages", _messages(record), color)
        yield from _section("tools", _tools(record["tools"]), color)
        yield from _section("reasoning", _reasoning(record["reasoning"]), color)
    yield from _section("template", _template(record), color)


def _section(title: str, rows: Iterable[str], color: bool) -> Iterator[str]:
    yield _bold(title, color)
    yield from rows


def _row(label: str, value: str) -> str:
    """A label and its value, which goes on below itself where it is long, on two lines at most."""
    lines = textwrap.wrap(value, WIDTH - LABEL - 2, max_lines=2, placeholder=" ...", break_on_hyphens=False) or [""]
    return f"  {padded(label, LABEL)}" + f"\n  {'':<{LABEL}}".join(lines)


def _bold(text: str, color: bool) -> str:
    return click.style(text, bold=True) if color else text


def _roles(record: Fact) -> Iterator[str]:
    yield (
        "  "
        + "".join(f"{head:<{columns}}" for head, columns in zip(("role", "opens with", "closes with"), COLUMNS, strict=True))
        + ("content")
    )
    for role in record["roles"]:
        yield "  " + _role(role)
        if role["last_opener"] is not None:
            yield _row("  the last answer", f"opens with {quoted(role['last_opener'], 60)}")
        if role["last_closer"] is not None:
            yield _row("  the last answer", f"closes with {quoted(role['last_closer'], 60)}")


def _role(role: Fact) -> str:
    name = f"{OTHER_ROLES.get(role['role'], role['role']):<{COLUMNS[0]}}"
    if role["outcome"]["status"] not in ACCEPTED:
        return name + of_outcome(role["outcome"], WIDTH - COLUMNS[0] - 2)
    opener, closer = (
        padded(quoted(role[key], columns - 1), columns) for key, columns in (("opener", COLUMNS[1]), ("closer", COLUMNS[2]))
    )
    return (name + opener + closer + _content(role)).rstrip()


def _content(role: Fact) -> str:
    if role["outcome"]["status"] == "merged":
        return str(role["outcome"]["message"])
    if role["whitespace"] is None and role["text"] is None:
        return "" if role["role"] == "other" else UNDECIDED
    told = [str(word) for word in (role["whitespace"], role["text"]) if word not in (None, "kept", "as it is")]
    return ", ".join(told) or "as it is"


def _prompt(record: Fact) -> Iterator[str]:
    yield _row("beginning", of_token(record["beginning"], "nothing"))
    yield _row("generation prompt", "nothing" if record["generation_prompt"] == "" else quoted(record["generation_prompt"]))
    yield _row("end of an answer", of_token(record["terminator"], "no marker"))
    if record["separator"]:
        yield _row("between turns", quoted(record["separator"]))
    if record["default_system"]:
        yield _row("default system text", quoted(record["default_system"]))
    if record["injected"]:
        yield _row("in every prompt", quoted(record["injected"]))


def _messages(record: Fact) -> Iterator[str]:
    groups: dict[str, list[str]] = {}
    for order, outcome in record["orders"].items():
        groups.setdefault(of_outcome(outcome, 50), []).append(order)
    if len(groups) == 1:
        groups = {how: ["every order"] for how in groups}
    for how, orders in groups.items():
        if len(how) < LABEL:
            yield _row(how, ", ".join(orders))
        else:
            yield _row(how.partition(":")[0].partition(" ")[0], f"{', '.join(orders)} ({how.partition(' ')[2]})")
    written = [role for role in record["roles"] if role["outcome"]["status"] in ACCEPTED and role["role"] != "other"]
    yield _row("a list of parts", _grouped((role["role"], _reads(role["parts"])) for role in written) or UNDECIDED)
    yield _row("null content", _grouped((role["role"], role["null"]) for role in written if role["null"]) or UNDECIDED)
    image = record["image"]
    yield _row("images", of_outcome(record["images"]) if image is None else f"written as {quoted(image, 66)}")
    yield _row("continued answer", of_outcome(record["continue_final_message"]).replace("accepted", "works"))


def _reads(outcome: Fact) -> str:
    return {"shown": "read", None: UNDECIDED}.get(outcome["status"], str(outcome["status"]))


def _grouped(pairs: Iterable[tuple[str, str]]) -> str:
    """`read (system, user), fails (assistant)`; the one answer alone where all agree."""
    groups: dict[str, list[str]] = {}
    for name, answer in pairs:
        groups.setdefault(answer, []).append(name)
    if len(groups) == 1:
        return next(iter(groups))
    return ", ".join(f"{answer} ({', '.join(names)})" for answer, names in groups.items())


def _tools(tools: Fact) -> Iterator[str]:
    where = "".join(f", {tools[key]}" for key in ("definitions_as", "where") if tools[key])
    definitions = of_outcome(tools["definitions"])
    yield _row("definitions", where.removeprefix(", ") or definitions)
    if tools["call"] is None:
        yield _row("calls", of_outcome(tools["calls"]))
    else:
        yield _row("calls", quoted(tools["call"]))
    if tools["calls"]["status"] in ACCEPTED:
        given = of_outcome(tools["object_arguments"], 40)
        yield _row("arguments", f"an object: {given}; text: {tools['string_arguments'] or UNDECIDED}")
        yield _row("text beside a call", of_outcome(tools["text_beside_a_call"]).replace("accepted", "kept"))
        yield _row("parallel calls", of_outcome(tools["parallel_calls"]))
    yield _row("results", of_outcome(tools["results"]))
    if tools["ids_in_calls"] is not None:
        yield _row("ids", _ids(tools))


def _ids(tools: Fact) -> str:
    places = [what for key, what in (("ids_in_calls", "calls"), ("ids_in_results", "results")) if tools[key]]
    return f"shown with {' and '.join(places)}" if places else "not shown"


def _reasoning(reasoning: Fact) -> Iterator[str]:
    fields = ", ".join(reasoning["fields"])
    kept = {key: of_outcome(reasoning[key], 40).replace("accepted", "kept") for key in ("last", "earlier", "in_tool_loop")}
    if set(kept.values()) == {"dropped"}:
        yield _row("in a field", "dropped")
    else:
        told = f"last answer: {kept['last']}; earlier: {kept['earlier']}; before a call: {kept['in_tool_loop']}"
        yield _row(f"in {fields}" if fields and len(fields) < LABEL - 3 else "in a field", told)
    if reasoning["opener"]:
        yield _row("written between", f"{quoted(reasoning['opener'], 36)} and {quoted(reasoning['closer'], 36)}")
    tags = {key: of_outcome(reasoning[key], 30).replace("accepted", "kept") for key in ("tags_last", "tags_earlier")}
    yield _row("as <think> in text", f"last answer: {tags['tags_last']}; earlier: {tags['tags_earlier']}")
    for toggle in reasoning["toggles"] or ():
        yield _row(_label(toggle["name"]), of_toggle(toggle))


def _label(name: str) -> str:
    shown = escape(name)
    return shown if width(shown) < LABEL else shortened(shown, LABEL - 1)


def _template(record: Fact) -> Iterator[str]:
    toggles = {toggle["name"] for toggle in record["reasoning"]["toggles"] or ()}
    if record["variables"] is not None:
        shown = [of_variable(variable) for variable in record["variables"] if variable["name"] not in toggles]
        yield _row("further variables" if toggles else "variables", ", ".join(shown) or "none")
    if record["special_tokens"] is not None:
        yield _row("tokens read by name", ", ".join(map(escape, record["special_tokens"])) or "none")
    if record["generation_markers"] is not None:
        yield _row("generation markers", "present" if record["generation_markers"] else "absent")
    yield from (_row(engine["engine"], of_engine(engine)) for engine in record["engines"] or ())
