"""SARIF, held against the format's own JSON schema."""

from __future__ import annotations

import io
import json
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

import pytest

from tests.command import tpllint
from tests.local_hub import LocalHub
from tests.report.hostile import hostile_report, written
from tests.report.readers import sarif_schema
from tpllint.report import sarif

if TYPE_CHECKING:
    from pathlib import Path

    from tests.report.reports import Run


@pytest.fixture(scope="session")
def schema() -> Any:
    return sarif_schema()


def log(printed: str, schema: Any) -> Any:
    """The one run of a log that fits the schema."""
    loaded = json.loads(printed)
    assert [error.message for error in schema.iter_errors(loaded)] == []
    (run,) = loaded["runs"]
    return run


def uris(run: Any) -> list[str]:
    return [result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"] for result in run["results"]]


def test_the_schema_tells_a_log_from_none(schema: Any) -> None:
    bad_uri = {"physicalLocation": {"artifactLocation": {"uri": "a b"}, "region": {"startLine": 0}}}
    run = {"tool": {"driver": {"name": "x", "colour": "red"}}, "results": [{"message": {}, "locations": [bad_uri]}]}
    assert len(list(schema.iter_errors({"version": "2.1.0", "runs": [run]}))) == 3


def test_a_finding_is_a_result_at_its_place(tmp_path: Path, schema: Any) -> None:
    (tmp_path / "a b,ü#%.jinja").write_text("{# 😀 #}\n{{ '😀', messages | nope }}\n")
    done = tpllint("check", "a b,ü#%.jinja", "--output-format", "sarif", cwd=tmp_path)
    assert done.code == 1
    run = log(done.out, schema)
    (result,) = run["results"]
    rule = run["tool"]["driver"]["rules"][result["ruleIndex"]]
    assert (rule["id"], rule["name"], rule["properties"]["category"]) == ("TPL703", "unknown-filter-or-test", "portability")
    assert (result["ruleId"], result["level"]) == ("TPL703", "error")
    assert result["message"]["text"].startswith('there is no filter "nope" in transformers\nhelp: ')
    place = result["locations"][0]["physicalLocation"]
    assert unquote(place["artifactLocation"]["uri"]) == "a b,ü#%.jinja"
    assert place["region"] == {"startLine": 2, "startColumn": 20, "endLine": 2, "endColumn": 24}
    assert run["columnKind"] == "unicodeCodePoints"
    assert run["invocations"][0]["executionSuccessful"] is True


def test_fingerprint_and_evidence_are_those_of_the_json_report(tmp_path: Path, schema: Any) -> None:
    (tmp_path / "t.jinja").write_text("{% for m in messages %}<|{{ m.role }}|>{{ m.content }}<|end|>\n{% endfor %}")
    (finding,) = tpllint("check", "t.jinja", "--output-format", "json", cwd=tmp_path).json()["findings"]
    (result,) = log(tpllint("check", "t.jinja", "--output-format", "sarif", cwd=tmp_path).out, schema)["results"]
    assert result["partialFingerprints"] == dict.fromkeys(("primaryLocationLineHash", "tpllint/v1"), finding["fingerprint"])
    assert result["properties"] == {
        "target": "t.jinja",
        "template": "default",
        "conversation": finding["evidence"]["conversation"],
        "excerpt": finding["evidence"]["excerpt"],
        "usual": finding["evidence"]["usual"],
        "input": finding["evidence"]["input"],
    }


def test_the_rules_are_those_that_ran(tmp_path: Path, schema: Any) -> None:
    (tmp_path / "t.jinja").write_text("x")
    run = log(tpllint("check", "t.jinja", "--select", "TPL7", "--output-format", "sarif", cwd=tmp_path).out, schema)
    rules = run["tool"]["driver"]["rules"]
    assert {rule["id"][:4] for rule in rules} == {"TPL7"}
    assert all("## " not in rule["fullDescription"]["text"] and "## " in rule["help"]["markdown"] for rule in rules)


def test_related_places_are_related_locations(run: Run, schema: Any) -> None:
    stream = io.StringIO()
    sarif.write(run("«a»\n  ⟦b⟧⟦c⟧"), stream)
    (result,) = log(stream.getvalue(), schema)["results"]
    assert [place["message"]["text"] for place in result["relatedLocations"]] == ["see here", "see here"]
    assert [place["physicalLocation"]["region"]["startColumn"] for place in result["relatedLocations"]] == [4, 7]


def test_text_of_a_template_is_no_placeholder_no_link_and_no_control(run: Run, schema: Any) -> None:
    stream = io.StringIO()
    sarif.write(run("«{{ 0 }} [a](b)\x1b\u202e\n»"), stream)
    (result,) = log(stream.getvalue(), schema)["results"]
    assert result["message"]["text"].startswith("here is '{{{{ 0 }}}} [a\\](b)")
    assert not {"\x1b", "\u202e"} & set(result["message"]["text"])


def test_errors_defects_and_missing_verdicts_are_notifications(run: Run, tmp_path: Path, schema: Any) -> None:
    (tmp_path / "undecided.jinja").write_text("{{ raise_exception('not today') }}")
    options = ("--ignore", "role-rejected", "--output-format", "sarif")
    ran = log(tpllint("check", "undecided.jinja", "missing", *options, cwd=tmp_path).out, schema)
    (invocation,) = ran["invocations"]
    assert invocation["executionSuccessful"] is False
    assert [(told["level"], told["properties"]["target"]) for told in invocation["toolExecutionNotifications"]] == [
        ("note", "undecided.jinja"),
        ("error", "missing"),
    ]
    stream = io.StringIO()
    sarif.write(run("raise {no}"), stream)
    (invocation,) = log(stream.getvalue(), schema)["invocations"]
    told, incomplete = invocation["toolExecutionNotifications"]
    assert (incomplete["level"], incomplete["properties"]["target"]) == ("note", "t.jinja")
    assert (invocation["executionSuccessful"], told["level"], told["properties"]["rule"]) == (False, "error", "raises")
    assert "RuntimeError: raise {no}" in told["properties"]["traceback"]


def test_a_refused_run_is_a_log_too(tmp_path: Path, schema: Any) -> None:
    done = tpllint("check", "t.jinja", "--select", "nope", "--output-format", "sarif", cwd=tmp_path)
    assert done.code == 2
    assert log(done.out, schema)["results"] == []


def test_paths_are_uris_wherever_the_file_is(tmp_path: Path, schema: Any) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "a:b.jinja").write_text("{% include 'x' %}")
    targets = ("../a:b.jinja", tmp_path / "in", "-")
    done = tpllint("check", *targets, "--output-format", "sarif", cwd=tmp_path / "in", stdin=b"{% include 'x' %}")
    assert sorted(uris(log(done.out, schema))) == ["%3Cstdin%3E", "../a%3Ab.jinja", f"file://{tmp_path}/in"]


def test_a_file_whose_name_is_no_text_is_a_uri_too(tmp_path: Path, schema: Any) -> None:
    name = b"a\xff.jinja".decode("utf-8", "surrogateescape")
    (tmp_path / name).write_text("{% include 'x' %}")
    done = tpllint("check", name, "--output-format", "sarif", cwd=tmp_path)
    assert uris(log(done.out, schema)) == ["a%FF.jinja"]


def test_a_file_on_the_hub_has_the_uri_that_its_client_takes(tmp_path: Path, schema: Any) -> None:
    with LocalHub() as hub:
        commit = hub.add("org/model", {"chat_template.jinja": b"{% include 'x' %}"})
        env = {"HF_ENDPOINT": hub.url, "HF_HOME": str(tmp_path / "home")}
        done = tpllint("check", "org/model", "--output-format", "sarif", cwd=tmp_path, env=env)
    assert uris(log(done.out, schema)) == [f"hf://org/model@{commit}/chat_template.jinja"]


def test_security_rules_have_a_score_and_the_others_a_level(schema: Any) -> None:
    ran = log(written("sarif", hostile_report("x")), schema)
    properties = [rule["properties"] for rule in ran["tool"]["driver"]["rules"]]
    assert properties == [
        {"category": "security", "tags": ["security"], "security-severity": "8.0"},
        {"category": "hygiene", "tags": ["hygiene"], "problem.severity": "warning"},
    ]


def test_help_has_an_example_and_its_repair_before_the_references(tmp_path: Path, schema: Any) -> None:
    (tmp_path / "t.jinja").write_text("x")
    options = ("--select", "unknown-filter-or-test", "--output-format", "sarif")
    (rule,) = log(tpllint("check", "t.jinja", *options, cwd=tmp_path).out, schema)["tool"]["driver"]["rules"]
    titles = [line for line in rule["help"]["markdown"].split("\n") if line.startswith("## ")]
    assert titles == ["## What it does", "## Why is this bad", "## Example", "## Use instead", "## References"]


def test_more_results_than_code_scanning_takes_are_left_out_and_counted(schema: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sarif, "MOST_RESULTS", 4)
    ran = log(written("sarif", *(hostile_report(text) for text in ("x", "y", "z"))), schema)
    assert len(ran["results"]) == 4
    told = [each["message"]["text"] for each in ran["invocations"][0]["toolExecutionNotifications"]]
    assert told[-1] == "5 further findings left out: 4 fit into a log"
