"""What strangers may write where a report quotes them, and reports in which they do so wherever they can."""

from __future__ import annotations

import io
from importlib import import_module
from typing import Any

from tpllint.finding import Crash, Evidence, Finding, RelatedPlace, Report, Skipped, TargetError, TargetResult
from tpllint.rule import RuleInfo
from tpllint.severity import Severity
from tpllint.snippet import Excerpt, Snippet
from tpllint.span import Position, Span

WORD = "stranger"
"""Stands in every text below, so that a reader can tell where they went."""
TEXTS = {
    "markup": f"</code></style></title><script>{WORD}(1)</script><img src=x onerror={WORD}(2)>&lt;b&gt;&amp;\"'<!-- {WORD}",
    "fences": f"{WORD}\n```\n# {WORD}\n~~~\n````` {WORD}\n<details>\n`{WORD}",
    "mentions": f"@{WORD} #1 GH-1 {WORD}/repo#2 cc @org/{WORD} {WORD}@example.org !{WORD} ~{WORD}",
    "links": f"[{WORD}](https://example.org/{WORD}) ![{WORD}](x.png) https://example.org/{WORD} www.example.org <https://{WORD}>",
    "a list and a table": f"\n\n- [ ] {WORD}\n\n| {WORD} | \\| {WORD} |\n| --- | --- |\n1. {WORD}\n> {WORD}\n***\n{WORD}\n===",
    "math and entities": f"$`{WORD}`$ $${WORD}$$ &copy; &#64;{WORD} \\@{WORD} **{WORD}** __{WORD}__ ~~{WORD}~~ ``{WORD}` \\",
    "the end of data": f"]]>{WORD}<![CDATA[{WORD}]]>--><?xml {WORD}?>&{WORD};",
    "commands of runners": f"{WORD}\n::error::{WORD}\n::stop-commands::x\n##[error]{WORD}\n##vso[task.set]{WORD}%0A::x::",
    "controls": f"{WORD}\x00\x01\x07\x08\x0b\x0c\x1b\x7f\x85\r\n\t\ufffe\uffff\u2028\u2029{WORD}",
    "a change of direction": f"{WORD}\u202e{WORD}\u2066\u2069\u200b\u200d\ufeff\u3164\ufe0f{WORD}",
    "colours": f"\x1b[31m{WORD}\x1b]8;;https://example.org\x1b\\{WORD}\x1b[2J\x9b31m",
    "half pairs": f"\ud800{WORD}\udfff\udcff{WORD}\ud83d",
    "braces": f"{{0}} {{{{ {WORD} }}}} {{% {WORD} %}} [{WORD}](1)",
    "blanks": f"   {WORD}   ",
    "a long text": f"{WORD} `@<" * 1000,
    "a long word": WORD + "x" * 20_000,
}
TEXTS["everything"] = "\n".join(text for name, text in TEXTS.items() if not name.startswith("a long"))

RULES = tuple(
    RuleInfo(code, name, category, severity, "Something is odd.", "## What it does\nLooks.", "tests", False)
    for code, name, category, severity in (
        ("XXX001", "odd-thing", "security", Severity.ERROR),
        ("XXX002", "odder-thing", "hygiene", Severity.WARNING),
    )
)
SPAN = Span(Position(3, 5), Position(4, 2))


def hostile_report(text: str) -> Report:
    """Findings, a note, an error, a defect and an undecided target, with this text wherever a stranger's may stand."""
    targets = [f"{name} {text}" for name in ("found", "undecided", "missing", "crashed", "clean")]
    found, undecided, missing, crashed, clean = targets
    return Report(
        targets=(
            TargetResult(found, ("default", text), note=f"read: {text}"),
            TargetResult(undecided, ("default",)),
            TargetResult(missing, error=TargetError("no-such-path", f"no such file: {text}", f"look for {text}")),
            TargetResult(crashed, ("default",), fully_analysed=False),
            TargetResult(clean, ("default",)),
        ),
        findings=(
            _finding(found, text, 0, SPAN),
            _finding(found, text, 1, None)._replace(severity=Severity.INFO, snippet=None, template=None),
            _finding(found, f"second {text}", 2, SPAN)._replace(severity=Severity.WARNING, code="XXX002", rule="odder-thing"),
        ),
        skipped=(Skipped("odd-thing", undecided, f"does not render: {text}"),),
        crashes=(Crash("odd-thing", crashed, f"Traceback:\n  {text}\nRuntimeError: {text}"),),
        rules=RULES,
    )


def _finding(target: str, text: str, repetition: int, span: Span | None) -> Finding:
    return Finding(
        code="XXX001",
        rule="odd-thing",
        category="security",
        severity=Severity.ERROR,
        message=f"here is {text}",
        help=f"write {text} instead",
        target=target,
        template=text,
        path=f"folder/{text}",
        span=span,
        evidence=Evidence(text, text, usual=text, input={"messages": [{"role": text, "content": text}]}),
        related=(RelatedPlace(text, SPAN, f"see {text}", _snippet(text)),),
        repetition=repetition,
        snippet=_snippet(text),
    )


def _snippet(text: str) -> Snippet:
    line = text.replace("\n", " ")[:100]
    return Snippet((Excerpt(3, line, line, line, cut_before=True), Excerpt(4, "", "", line)), last_line=9)


def written(output_format: str, *reports: Report) -> str:
    """What a format makes of a run."""
    stream = io.StringIO()
    writer: Any = import_module(f"tpllint.report.{output_format}").Writer(stream)
    for report in reports:
        writer.add(report)
    writer.end()
    return stream.getvalue()
