"""Whatever a template holds, every rule survives it, answers the same again and points into it, and no report commands."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import assume, given, settings

from tests.in_process import TOKENS, answers, crashes, harmful, misplaced, report_on
from tests.strategies import ANY_TEMPLATE, QUICK, TEMPLATES
from tpllint.analysis.template import Template
from tpllint.conversations import canonical
from tpllint.pool import Pool

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

pytestmark = pytest.mark.filterwarnings("ignore")  # Python warns of some of the code that odd templates become

COMMENT = "{# a comment #}"


@pytest.fixture(scope="module")
def pool() -> Iterator[Pool]:
    with Pool(size=1) as pool:
        yield pool


@settings(QUICK, max_examples=80)
@given(ANY_TEMPLATE)
def test_no_rule_raises_and_every_place_lies_in_the_template(source: str) -> None:
    told = answers(source)
    assert crashes(told) == []
    assert misplaced(told, source) == []


@settings(QUICK, max_examples=20)
@given(ANY_TEMPLATE)
def test_the_same_template_gets_the_same_answers_again(source: str) -> None:
    assert answers(source) == answers(source)


@settings(QUICK, max_examples=30)
@given(ANY_TEMPLATE)
def test_a_comment_in_front_of_a_template_changes_nothing_that_is_found(source: str) -> None:
    assume(source and not source[0].isspace() and source[0] != "\ufeff")
    assert problems(answers(COMMENT + source)) == problems(answers(source))


def problems(told: Sequence[dict[str, Any]]) -> list[tuple[str, str]]:
    return sorted((message["rule"], message["message"]) for message in told if message["kind"] == "problem")


@settings(QUICK, max_examples=80)
@given(TEMPLATES)
def test_who_wrote_a_prompt_is_told_of_all_of_it_or_not_at_all(source: str) -> None:
    made = Template("default", source, TOKENS)
    assume(made.failure is None)
    for name in ("user-assistant", "tool-loop"):
        render = made.render_conversation(canonical()[name], generation_prompt=True)
        written = made.tracing.written(render)
        if written is not None:
            assert render.text is not None
            assert [0, *(piece.end for piece in written)] == [*(piece.start for piece in written), len(render.text)]
            places = [piece.place for piece in written if piece.place is not None]
            assert all(0 <= place.start <= place.end <= len(made.text) for place in places)


@settings(QUICK, max_examples=30)
@given(ANY_TEMPLATE)
def test_no_report_holds_a_character_that_hides_or_commands(pool: Pool, tmp_path: Path, source: str) -> None:
    (tmp_path / "t.jinja").write_bytes(source.encode())
    report = report_on(tmp_path / "t.jinja", pool)
    assert report.crashes == ()
    assert harmful(report) == []
