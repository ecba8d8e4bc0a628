"""The page that `tpllint diff` writes, read without a browser; tests/browser opens it in one."""

from __future__ import annotations

import base64
import hashlib
import io
import itertools
import json
import shutil
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

import tpllint
from tests.live import GOOD, NO_PROMPT, TOKENS
from tests.report.pages import ALLOWED, Page
from tpllint.difference.dialects import unaligned
from tpllint.difference.examples import Example
from tpllint.difference.outcomes import Compared, Outcome
from tpllint.difference.passages import passages
from tpllint.finding import Crash
from tpllint.report.difference import html, html_prompts
from tpllint.report.difference.side_by_side import Block, Segment, blocks, cut, segments

if TYPE_CHECKING:
    from pathlib import Path

HOSTILE = "</style><script>alert(1)</script><img src=x onerror=alert(2)>&amp;\"'\u202ereversed\u0007]]>\u200b"


def page(diff: tpllint.Diff) -> Page:
    stream = io.StringIO()
    html.write(diff, stream)
    return Page(stream.getvalue())


@pytest.fixture
def compare(tmp_path: Path) -> Any:
    """A diff of two templates, each in a folder with its tokens."""

    def run(left: str, right: str, **asked: Any) -> tpllint.Diff:
        for name, source in (("left", left), ("right", right)):
            shutil.rmtree(tmp_path / name, ignore_errors=True)
            (tmp_path / name).mkdir()
            (tmp_path / name / "chat_template.jinja").write_text(source, encoding="utf-8")
            (tmp_path / name / "tokenizer_config.json").write_text(json.dumps(TOKENS), encoding="utf-8")
        return tpllint.diff(tmp_path / "left", tmp_path / "right", **asked)

    return run


def test_a_page_is_one_document_with_headings_in_order(compare: Any) -> None:
    found = page(compare(GOOD, NO_PROMPT))
    assert found.source.startswith('<!DOCTYPE html>\n<html lang="en">')
    assert {name for name, _ in found.elements} <= ALLOWED
    levels = [int(name[1]) for name, _ in found.elements if name in ("h1", "h2", "h3")]
    assert levels[0] == 1
    assert all(after <= before + 1 for before, after in itertools.pairwise(levels))
    ids = [attributes["id"] for _, attributes in found.elements if "id" in attributes]
    assert len(set(ids)) == len(ids)
    assert {str(attributes["href"]).removeprefix("#") for attributes in found.all("a")} <= set(ids)


def test_the_policy_allows_the_one_style_and_nothing_else(compare: Any) -> None:
    found = page(compare(GOOD, NO_PROMPT))
    (policy,) = (each["content"] for each in found.all("meta") if each.get("http-equiv") == "Content-Security-Policy")
    named = base64.b64encode(hashlib.sha256(found.text("style").encode()).digest()).decode()
    assert policy == f"default-src 'none'; style-src 'sha256-{named}'; base-uri 'none'; form-action 'none'"
    assert len(found.all("style")) == 1
    assert not any(name in ("style", "src") or name.startswith("on") for _, each in found.elements for name in each)


def test_every_table_has_a_caption_and_every_heading_of_one_a_scope(compare: Any) -> None:
    found = page(compare(GOOD, NO_PROMPT))
    assert len(found.all("table")) == len(found.all("caption")) > 0
    assert all("scope" in attributes for attributes in found.all("th"))


def test_the_verdict_comes_first_and_what_changed_before_what_did_not(compare: Any) -> None:
    text = page(compare(GOOD, NO_PROMPT)).text()
    order = ["behavioural", "Template default", "What changed", "What did not change", "Findings", "generation-prompt-missing"]
    places = [text.rindex(words) for words in order]
    assert places == sorted(places)


def test_equal_diffs_make_equal_bytes_in_ascii(compare: Any) -> None:
    diff = compare(GOOD, GOOD.replace("<|", "<\u2581"))
    assert page(diff).source == page(diff).source
    assert page(diff).source.isascii()


def test_a_diff_in_which_nothing_changed_is_a_short_page(compare: Any) -> None:
    for right, verdict in ((GOOD, "identical"), ("{# the same #}" + GOOD, "cosmetic")):
        found = page(compare(GOOD, right))
        assert found.text("strong") == verdict
        assert (found.all("article"), found.all("table")) == ([], [])
        assert "What changed" not in found.text()


def test_whatever_a_stranger_writes_stays_visible_text(compare: Any) -> None:
    conversation = {"messages": [{"role": "user", "content": HOSTILE}]}
    found = page(compare(GOOD, HOSTILE + GOOD, conversations=[conversation]))
    assert {name for name, _ in found.elements} <= ALLOWED
    assert not any(name.startswith("on") for _, attributes in found.elements for name in attributes)
    assert found.source.count("</style>") == 1
    assert not set("\u202e\u0007\u200b") & set(found.text())
    assert "\\u{202e}" in found.text("i")
    assert "\\u{7}" in found.text("i")


def test_a_number_that_was_written_is_told_from_a_character_that_is_hidden(compare: Any) -> None:
    said = [{"role": "user", "content": "written \\u{202e}, hidden \u202d"}]
    found = page(compare(GOOD, GOOD.replace("<|", "<||"), conversations=[{"messages": said}]))
    assert "\\u{202d}" in found.text("i")
    assert "\\u{202e}" not in found.text("i")
    assert "\\u{202e}" in found.text()


def test_a_rule_that_raised_is_told(compare: Any) -> None:
    diff = compare(GOOD, NO_PROMPT)
    crash = Crash("marked", diff.left, "Traceback:\n  </style><b>")
    found = page(replace(diff, before=replace(diff.before, crashes=(crash,))))
    assert "rule marked failed" in found.text()
    assert "</style><b>" in found.text()


def test_of_a_long_prompt_only_a_part_is_shown_and_the_page_says_so(compare: Any) -> None:
    long = [{"messages": [{"role": "user", "content": "word " * 20_000}]}]
    early, late = compare(GOOD, "!" + GOOD, conversations=long), compare(GOOD, NO_PROMPT, conversations=long)
    assert "shown are 20000 characters of a prompt at most; left out below this: 8" in page(early).text()
    assert "characters before this, alike on both sides, are left out" in page(late).text()
    assert all(len(page(diff).source) < 2_000_000 for diff in (early, late))


def test_beyond_so_many_conversations_only_names_are_told(compare: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(html_prompts, "MOST_PROMPTS", 3)
    diff = compare(GOOD, NO_PROMPT)
    found = page(diff)
    assert sum(each.get("class") == "prompt" for each in found.all("details")) == 3
    rest = len(diff.changed) - len(diff.shown) - 3
    assert f"Of the other {rest} these are the names" in found.text()


def test_own_conversations_are_shown_before_the_canonical_ones(compare: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(html_prompts, "MOST_PROMPTS", 1)
    own = [{"messages": [{"role": "user", "content": "something of my own"}]}]
    assert "something of my own" in page(compare(GOOD, NO_PROMPT, conversations=own)).text()


def test_the_command_makes_the_page_again_whatever_the_names_are(compare: Any) -> None:
    diff = compare(GOOD, GOOD)
    named = replace(diff, before=replace(diff.before, name="-a b"), after=replace(diff.after, name="$(c)"))
    assert "tpllint diff --output-format html --output diff.html -- '-a b' '$(c)'" in page(named).text()


def _example(left: str, right: str) -> Example:
    compared = Compared("default", "own", False, Outcome(left, None), Outcome(right, None))
    return Example(compared, unaligned(left), unaligned(right), passages(left, right))


def _written(found: tuple[Any, ...]) -> str:
    return "".join(part.text for line in found for part in line)


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ("", "new"),
        ("a\nb\nc", "a\nc"),
        ("a\nb\nc\n", "a\nB\nc\n\n"),
        ("same\nline", "same\nline!"),
        ("one two", "one  two"),
        ("\n\n\n", "\n"),
        ("x\ny", "y\nx\n"),
        ("  a \n", "a\n"),
    ],
)
def test_the_lines_of_both_sides_hold_all_of_both_prompts(left: str, right: str) -> None:
    found = list(blocks(segments(_example(left, right))))
    assert "".join(_written(block.left) for block in found) == left
    assert "".join(_written(block.right) for block in found) == right
    assert all(_written(block.left) == _written(block.right) for block in found if block.same)
    assert any(not block.same for block in found)


def test_a_line_is_the_same_only_where_no_difference_touches_it() -> None:
    first, second, third = blocks([Segment("a\nb", "a\nb", False), Segment("", "!", True), Segment("\nc", "\nc", False)])
    assert (first.same, _written(first.left)) == (True, "a\n")
    assert (second.same, _written(second.left), _written(second.right)) == (False, "b\n", "b!\n")
    assert third == Block(True, third.left, third.left)
    assert _written(third.left) == "c"


def test_of_long_prompts_the_first_difference_is_shown() -> None:
    same, tail = "x" * 5000, "y" * 300
    shown = cut([Segment(same, same, False), Segment("old", "new!", True), Segment(tail, tail, False)], 1200)
    assert (shown.before, [one.differs for one in shown.segments]) == (4000, [False, True, False])
    assert sum(len(one.right) for one in shown.segments) == 1200
    assert (shown.after_left, shown.after_right) == (104, 104)
    assert shown.segments[2].left == shown.segments[2].right
