"""Suppression comments: where they hold, whom they bind, and what is said about those that do nothing."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tests.command import Done, tpllint
from tests.local_hub import LocalHub
from tpllint.analysis.suppressions import MAX_SUPPRESSIONS, suppressions
from tpllint.analysis.template import Template

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

NO_PROMPT = "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"
LOADS = "{% include 'x' %}"
"""Is told loader-statement, once for each, at its own place."""


def run(folder: Path, template: str, *options: str, env: Mapping[str, str] | None = None) -> Done:
    (folder / "t.jinja").write_text(template)
    return tpllint("check", "t.jinja", "--output-format", "json", *options, cwd=folder, env=dict(env or {}))


def told(done: Done) -> list[tuple[str, int, int]]:
    return [(finding["rule"], finding["line"], finding["column"]) for finding in done.json()["findings"]]


def suppressed(done: Done) -> int:
    number: int = done.json()["summary"]["suppressed"]
    return number


def unused(done: Done) -> list[str]:
    return [finding["message"] for finding in done.json()["findings"] if finding["rule"] == "unused-suppression"]


def loaders(done: Done) -> list[tuple[int, int]]:
    return [(line, column) for rule, line, column in told(done) if rule == "loader-statement"]


FORMS = ("{# tpllint: ignore[A] why #}", "{#- tpllint:ignore[ A ] -#}", "{#\n tpllint: ignore[A]\n#}")


@pytest.mark.parametrize("comment", FORMS)
@pytest.mark.parametrize("before", ["", "\n\n  ", "{# Licence: MIT #}\n"])
def test_at_the_top_a_comment_holds_for_the_whole_template(tmp_path: Path, comment: str, before: str) -> None:
    done = run(tmp_path, before + comment.replace("A", "generation-prompt-missing") + NO_PROMPT)
    assert (done.code, told(done), suppressed(done)) == (0, [], 1)


@pytest.mark.parametrize("words", ["TPL101", "TPL1", "TPL201,TPL101", "ALL"])
def test_a_comment_names_rules_as_the_command_line_does(tmp_path: Path, words: str) -> None:
    done = run(tmp_path, f"{{# tpllint: ignore[{words}] #}}{NO_PROMPT}", "--ignore", "unused-suppression")
    assert (done.code, told(done), suppressed(done)) == (0, [], 1)


def test_what_is_suppressed_is_counted_in_the_summary(tmp_path: Path) -> None:
    (tmp_path / "t.jinja").write_text("{# tpllint: ignore[TPL101] #}" + NO_PROMPT)
    assert tpllint("check", "t.jinja", cwd=tmp_path).out == "no findings in 1 template (1 suppressed)\n"


@pytest.mark.parametrize(
    ("template", "left"),
    [
        ("text\n{# C #}\nA\nA", [(4, 1)]),
        ("text\n{# C #}\n\n  A\nA", [(5, 1)]),
        ("text\n{# C #}\n{# another #}\n{# third #}\nA", []),
        ("text\n{#\nC\n#}\nA\nA", [(6, 1)]),
        ("A {# C #} A A\nA", [(1, 1), (2, 1)]),
        ("A {# C #}\nA\nA", [(1, 1), (3, 1)]),
        ("A\nA {# C #}", [(1, 1), (2, 1)]),
        ("text\r\n{# C #}\r\nA\r\nA", [(4, 1)]),
        ("text\n{#- C -#}\n\n  A\nA", [(5, 1)]),
    ],
)
def test_elsewhere_a_comment_holds_for_the_next_line(tmp_path: Path, template: str, left: list[tuple[int, int]]) -> None:
    source = template.replace("A", LOADS).replace("C", "tpllint: ignore[loader-statement]")
    (tmp_path / "t.jinja").write_bytes(source.encode())
    done = tpllint("check", "t.jinja", "--output-format", "json", "--select", "loader-statement", cwd=tmp_path)
    assert [(line, column - 3) for line, column in loaders(done)] == left
    assert suppressed(done) == template.count("A") - len(left)


def test_inside_json_a_comment_holds_for_the_rest_of_the_line_of_the_template(tmp_path: Path) -> None:
    template = f"{LOADS}\n{LOADS}{{# tpllint: ignore[loader-statement] #}} {LOADS}\n{LOADS}"
    (tmp_path / "tokenizer_config.json").write_text(json.dumps({"chat_template": template}))
    done = tpllint("check", ".", "--output-format", "json", "--select", "loader-statement", cwd=tmp_path)
    assert (len(loaders(done)), suppressed(done)) == (3, 1)


def test_each_named_template_has_its_own_comments(tmp_path: Path) -> None:
    comment = "{# tpllint: ignore[TPL101] #}"
    named = [{"name": "default", "template": comment + NO_PROMPT}, {"name": "rag", "template": NO_PROMPT}]
    (tmp_path / "tokenizer_config.json").write_text(json.dumps({"chat_template": named}))
    found = tpllint("check", ".", "--output-format", "json", cwd=tmp_path).json()["findings"]
    assert [(finding["rule"], finding["template"]) for finding in found] == [("generation-prompt-missing", "rag")]


@pytest.mark.parametrize(
    "source",
    [
        "{{ '{# tpllint: ignore[ALL] #}' }}",
        "{% raw %}{# tpllint: ignore[ALL] #}{% endraw %}",
        "tpllint: ignore[ALL]",
        "{# see tpllint: ignore[ALL] #}",
    ],
)
def test_what_only_looks_like_a_comment_suppresses_nothing(tmp_path: Path, source: str) -> None:
    done = run(tmp_path, source + LOADS)
    assert (len(loaders(done)), unused(done)) == (1, [])


def test_a_template_that_does_not_parse_can_still_say_so(tmp_path: Path) -> None:
    done = run(tmp_path, "{# tpllint: ignore[template-syntax-error] a draft #}\n{% for")
    assert (told(done), suppressed(done)) == ([], 1)


@pytest.mark.parametrize("word", ["not-fully-analysed", "TPL8", "ALL"])
def test_a_security_rule_is_never_suppressed(tmp_path: Path, word: str) -> None:
    endless = "{% macro deeper(n) %}{{ deeper(n + 1) }}{% endmacro %}{{ deeper(0) }}"
    done = run(tmp_path, f"{{# tpllint: ignore[{word}] #}}{endless}")
    assert {"not-fully-analysed", "resource-exhaustion"} <= {rule for rule, *_ in told(done)}
    assert done.code == 1


def test_comments_of_a_model_on_the_hub_do_not_count(tmp_path: Path) -> None:
    source = "{# tpllint: ignore[TPL101, nope] #}" + NO_PROMPT
    with LocalHub() as hub:
        hub.add("org/model", {"chat_template.jinja": source.encode()})
        env = {"HF_ENDPOINT": hub.url, "HF_HOME": str(tmp_path / "home")}
        done = tpllint("check", "org/model", "--output-format", "json", cwd=tmp_path, env=env)
    assert [rule for rule, *_ in told(done)] == ["generation-prompt-missing"]
    assert suppressed(done) == 0


def test_standard_input_has_comments_that_count(tmp_path: Path) -> None:
    source = "{# tpllint: ignore[TPL101] #}" + NO_PROMPT
    assert tpllint("check", "-", cwd=tmp_path, stdin=source.encode()).code == 0


def test_a_comment_that_suppresses_nothing_is_reported_at_its_place(tmp_path: Path) -> None:
    done = run(tmp_path, "{# tpllint: ignore[eos-duplicated,TPL101] #}\n" + NO_PROMPT + "\n  {# tpllint: ignore[TPL305] #}")
    assert told(done) == [("unused-suppression", 1, 1), ("unused-suppression", 5, 3)]
    assert unused(done) == ["ignore[eos-duplicated] suppresses nothing", "ignore[TPL305] suppresses nothing"]


def test_unknown_names_and_forms_are_reported(tmp_path: Path) -> None:
    source = "{# tpllint: ignore[eos-duplicatd] #}{# tpllint: off #}{# tpllint: ignore[] #}{# tpllint: ignore[TPL809] #}"
    done = run(tmp_path, source + "{{ messages[0].content }}", "--select", "unused-suppression")
    assert unused(done) == [
        '"eos-duplicatd" is no rule',
        '"tpllint: off" is no suppression',
        '"tpllint: ignore[]" is no suppression',
        'no comment suppresses "TPL809", which is about security',
    ]
    assert done.json()["findings"][0]["help"] == 'write "eos-duplicated"; tpllint rules lists them all'


def test_a_comment_that_stands_elsewhere_is_told_where_to_go(tmp_path: Path) -> None:
    done = run(tmp_path, NO_PROMPT + "{# tpllint: ignore[generation-prompt-missing] #}")
    assert [rule for rule, *_ in told(done)] == ["generation-prompt-missing", "unused-suppression"]
    assert done.json()["findings"][1]["help"].startswith(
        "put {# tpllint: ignore[rule] reason #} on the line before the finding"
    )


@pytest.mark.parametrize(
    ("template", "options"),
    [
        ("{# tpllint: ignore[eos-duplicated] #}" + NO_PROMPT, ("--ignore", "eos-duplicated")),
        ("{# tpllint: ignore[eos-duplicated] #}" + NO_PROMPT, ("--select", "TPL9")),
        ("{# tpllint: ignore[TPL2] #}" + NO_PROMPT, ("--ignore", "TPL201")),
        ("{# tpllint: ignore[eos-duplicated] #}{% for", ()),
        ("{# tpllint: ignore[eos-duplicated] #}{{ raise_exception('never') }}", ()),
        ("{# tpllint: ignore[unused-suppression] #}" + NO_PROMPT, ()),
        ("{# tpllint: ignore[unused-suppression, nope] #}" + NO_PROMPT, ()),
        ("{# tpllint: ignore[python-repr-content] #}" + NO_PROMPT, ()),
        ("x\n{# tpllint: ignore[loader-statement] #}\n" + LOADS * 12, ()),
    ],
)
def test_a_comment_that_may_be_needed_is_not_reported(tmp_path: Path, template: str, options: tuple[str, ...]) -> None:
    assert unused(run(tmp_path, template, *options)) == []


def test_information_that_is_not_shown_is_not_counted_when_it_is_suppressed(tmp_path: Path) -> None:
    template = "{# tpllint: ignore[python-repr-content, TPL101] #}" + NO_PROMPT
    assert suppressed(run(tmp_path, template)) == 1
    assert suppressed(run(tmp_path, template, "--profile", "agent")) > 1


def test_a_flood_of_comments_is_read_up_to_a_limit() -> None:
    template = Template("default", "x" + "{# tpllint: ignore[TPL101] #}" * 20_000, {})
    found = list(suppressions(template))
    assert len(found) == MAX_SUPPRESSIONS
    assert found[-1]["place"][1] == 2 + 29 * (MAX_SUPPRESSIONS - 1)
