"""Engines and versions: the table's rows against the finder, what is required, and what check and describe tell of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.command import tpllint
from tpllint import Severity
from tpllint.analysis.compile import Failure
from tpllint.analysis.template import Template
from tpllint.api import check
from tpllint.errors import RepairableError
from tpllint.portability import ENGINES, NEWEST, Requirement, required
from tpllint.portability.table import EFFECTS, INSTEAD, ROWS, limits

if TYPE_CHECKING:
    from pathlib import Path

BREAKS = "{% for m in messages %}{{ m.content }}{% break %}{% endfor %}"
MARKED = "{% for m in messages %}{{ m.role }}{% generation %}{{ m.content }}{% endgeneration %}{% endfor %}"
PLAIN = "{% for m in messages %}{{ '<|' + m.role + '|>' + m.content + '<|end|>' }}{% endfor %}"
each_row = pytest.mark.parametrize(("name", "source"), [row[:2] for row in ROWS])


def constructs(source: str) -> list[str]:
    return [use.construct for use in Template("default", source, {}).uses]


def model(folder: Path, source: str) -> str:
    (folder / "chat_template.jinja").write_bytes(source.encode())
    return str(folder)


def told(folder: Path, source: str, *arguments: str) -> list[tuple[str, str, str]]:
    """Rule, severity and message of what check says about engines."""
    done = tpllint("check", model(folder, source), "--output-format", "json", *arguments, cwd=folder)
    found: list[dict[str, Any]] = done.json()["findings"]
    return [(one["rule"], one["severity"], one["message"]) for one in found if one["code"].startswith("TPL7")]


GUARDED = {"the test iterable on none", "the length of what may be missing"}
"""What is looked for only where it does harm: behind a guard that does not keep it out."""


@each_row
def test_the_template_of_a_row_is_found_to_use_its_construct(name: str, source: str) -> None:
    assert (name in constructs(source)) is (name not in GUARDED)


@each_row
def test_the_template_of_a_row_compiles_in_transformers(name: str, source: str) -> None:
    assert not isinstance(Template("default", source, {}).failure, Failure), name


def test_every_row_has_its_own_construct_known_engines_and_effects() -> None:
    assert len(limits()) == len(ROWS)
    for each in (limit for every in limits().values() for limit in every):
        assert each.engine in ENGINES
        assert each.effect in EFFECTS


def test_what_to_write_instead_is_told_of_constructs_that_are_in_the_table() -> None:
    assert INSTEAD.keys() <= limits().keys()


@pytest.mark.parametrize(
    "source",
    [
        PLAIN,
        "{{ strftime_now('%d') if strftime_now is defined else 'today' }}",
        "{% macro cycler(x) %}{{ x }}{% endmacro %}{{ cycler(1) }}",
        "{% if m.tool_calls is defined and m.tool_calls is not none and m.tool_calls | length > 0 %}{% endif %}",
        "{% if m.tool_calls and m.tool_calls is not none and m.tool_calls | length > 0 %}{% endif %}",
        "{% if m.content is not none and m.content | length > 0 %}{% endif %}",
        "{{ 7 % 2 }}{{ 'a' + 'b' }}{{ [1, 2][0] }}{{ {'a': 1}['a'] }}{{ x[1:] }}",
        "{# {% break %} 'a' 'b' #}{{ 'a {% raw %} 1.0 \\\\u' }}",
    ],
)
def test_nothing_is_found_in_what_every_engine_takes(source: str) -> None:
    assert constructs(source) == []


def test_a_construct_is_placed_where_it_first_stands() -> None:
    source = "{{ bos_token }}{{ 'a' 'b' }}{{ 'c' 'd' }}"
    (use,) = Template("default", source, {}).uses
    assert source[use.place.start : use.place.end] == "'b'"


@pytest.mark.parametrize(
    ("word", "since", "before", "covered"),
    [
        ("minijinja", None, None, True),
        ("minijinja", None, "2.8.0", False),
        ("minijinja>=2.0", None, "2.8.0", True),
        ("minijinja>=2.8", None, "2.8.0", False),
        ("minijinja == 2.7.9", None, "2.8.0", True),
        ("transformers>=4.44", None, "4.45.0", True),
        ("transformers>=4.44", "5.22.2", None, True),
        ("transformers==5.20.0", "5.22.2", None, False),
        ("transformers", "5.22.2", None, True),
    ],
)
def test_a_requirement_covers_the_versions_it_names(word: str, since: str | None, before: str | None, covered: bool) -> None:
    (requirement,) = required([word])
    assert requirement.covers(since, before) is covered


def test_a_requirement_without_a_version_means_the_newest_one() -> None:
    assert required(["minja", "@huggingface/jinja==0.5.3"]) == (
        Requirement("minja"),
        Requirement("@huggingface/jinja", "==", "0.5.3"),
    )
    assert set(NEWEST) == set(ENGINES)


@pytest.mark.parametrize(
    ("word", "said"),
    [
        ("minijnja", 'unknown engine "minijnja"'),
        ("minijinja>3", "not of the form NAME, NAME>=VERSION or NAME==VERSION: minijinja>3"),
        ("minijinja>=", "not of the form NAME, NAME>=VERSION or NAME==VERSION: minijinja>="),
        ("", "empty name of an engine"),
    ],
)
def test_a_word_that_names_no_engine_is_refused(word: str, said: str) -> None:
    with pytest.raises(RepairableError) as raised:
        required([word])
    assert raised.value.message == said


def test_nothing_is_said_of_engines_that_nobody_asked_for(tmp_path: Path) -> None:
    assert told(tmp_path, MARKED) == []


def test_minja_is_told_only_to_who_names_it(tmp_path: Path) -> None:
    lists = "{{ [1, 2,] | length }}" + PLAIN
    assert told(tmp_path, lists, "--select", "engine-cannot-parse") == []
    said = ("engine-cannot-parse", "error", "minja cannot parse a comma before a closing bracket")
    assert told(tmp_path, lists, "--select", "engine-cannot-parse", "--engine", "minja") == [said]


@pytest.mark.parametrize(
    ("word", "said"),
    [
        ("", "--engine names no engine"),
        ("nonsense", 'unknown engine "nonsense"'),
        ("minijinja>=x", "not of the form NAME, NAME>=VERSION or NAME==VERSION: minijinja>=x"),
    ],
)
def test_a_bad_engine_on_the_command_line_is_one_message(tmp_path: Path, word: str, said: str) -> None:
    done = tpllint("check", "--engine", word, model(tmp_path, PLAIN), cwd=tmp_path)
    assert done.code == 2
    assert (done.out + done.err).count("error:") == 1
    assert f"error: {said}" in done.out + done.err


def test_an_engine_that_is_named_and_cannot_parse_is_an_error(tmp_path: Path) -> None:
    assert told(tmp_path, MARKED, "--engine", "minijinja") == [
        ("engine-cannot-parse", "error", "minijinja cannot parse {% generation %}")
    ]


def test_an_engine_that_raises_or_renders_otherwise_is_a_warning(tmp_path: Path) -> None:
    assert told(tmp_path, "{{ [1] | tojson(sort_keys=true) }}" + PLAIN, "--engine", "llama.cpp", "--engine", "minja") == [
        ("engine-cannot-parse", "warning", "llama.cpp raises at tojson(sort_keys=...)"),
        ("engine-cannot-parse", "warning", "minja raises at tojson(sort_keys=...)"),
    ]


def test_old_versions_count_only_where_they_are_named(tmp_path: Path) -> None:
    assert told(tmp_path, BREAKS, "--engine", "minijinja") == []
    assert told(tmp_path, BREAKS, "--engine", "minijinja>=2.0,transformers>=4.44") == [
        ("engine-cannot-parse", "error", "minijinja before 2.8.0 cannot parse {% break %}"),
        ("needs-newer-transformers", "error", "transformers before 4.45.0 cannot parse {% break %}"),
    ]


def test_the_configuration_names_engines_and_the_command_line_adds_to_them(tmp_path: Path) -> None:
    (tmp_path / "tpllint.toml").write_text('requires = ["transformers>=4.44"]')
    assert [rule for rule, _, _ in told(tmp_path, BREAKS)] == ["needs-newer-transformers"]
    assert len(told(tmp_path, BREAKS, "--engine", "minijinja==2.7.0")) == 2


def test_a_bad_engine_in_the_configuration_is_told_with_the_file(tmp_path: Path) -> None:
    (tmp_path / "tpllint.toml").write_text('requires = ["minijnja"]')
    done = tpllint("check", model(tmp_path, PLAIN), cwd=tmp_path)
    assert done.code == 2
    assert 'tpllint.toml: requires: unknown engine "minijnja"' in done.err + done.out
    assert 'did you mean "minijinja"?' in done.err + done.out


def test_a_finding_names_its_engine_as_evidence(tmp_path: Path) -> None:
    done = tpllint("check", model(tmp_path, BREAKS), "--select", "TPL701", "--output-format", "json", cwd=tmp_path)
    assert {one["evidence"]["engine"] for one in done.json()["findings"]} == {"minijinja<2.8.0", "@huggingface/jinja<0.4.1"}


def test_underscores_in_a_namespace_fail_by_default_and_not_for_who_stays_on_an_older_version(tmp_path: Path) -> None:
    source = "{% set ns = namespace(_a=1) %}" + PLAIN
    assert [(rule, level) for rule, level, _ in told(tmp_path, source)] == [("breaks-on-newer-transformers", "error")]
    assert told(tmp_path, source, "--engine", "transformers==5.20.0") == []


def test_none_that_is_iterable_is_a_warning_where_minijinja_is_named(tmp_path: Path) -> None:
    source = "{% if tools is iterable and tools | length > 0 %}{{ tools | tojson }}{% endif %}" + PLAIN
    assert told(tmp_path, source) == []
    assert [level for rule, level, _ in told(tmp_path, source, "--engine", "minijinja")] == ["warning"]


def test_carriage_returns_are_seen_in_a_file_and_in_a_configuration(tmp_path: Path) -> None:
    lines = "{% for m in messages %}\r\n{{ m.content }}\r\n{% endfor %}"
    said = ("engine-cannot-parse", "warning", "minja renders carriage returns otherwise than transformers")
    assert told(tmp_path, lines, "--engine", "minja") == [said]
    assert told(tmp_path, lines.replace("\r", ""), "--engine", "minja") == []


def test_describe_tells_what_engines_the_template_needs(tmp_path: Path) -> None:
    done = tpllint("describe", model(tmp_path, MARKED + BREAKS), cwd=tmp_path)
    assert "  transformers        needs 4.45.0 ({% break %})" in done.out
    assert "  minijinja           cannot parse {% generation %}; needs 2.8.0 ({% break %})" in done.out
    assert "  minja               nothing in it is known to fail" in done.out


def test_describe_tells_only_of_the_engines_that_are_named(tmp_path: Path) -> None:
    target = model(tmp_path, MARKED)
    done = tpllint("describe", target, "--engine", "minijinja", "--output-format", "json", cwd=tmp_path)
    (described,) = done.json()["descriptions"]
    (engine,) = described["engines"]
    assert (engine["engine"], engine["takes"], engine["unparsed"]) == ("minijinja", False, ["{% generation %}"])
    assert tpllint("describe", target, "--engine", "minijnja", cwd=tmp_path).code == 2


def test_python_callers_name_engines_too(tmp_path: Path) -> None:
    report = check(model(tmp_path, MARKED), requires=["minijinja"])
    assert ("engine-cannot-parse", Severity.ERROR) in [(found.rule, found.severity) for found in report.findings]
