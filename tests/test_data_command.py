"""`tpllint data`: rows of every kind through a template, in one process after the other."""

from __future__ import annotations

import gzip
import json
import os
import pty
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from tests.command import Done, tpllint
from tests.small_tokenizer import CHATML, write_model

if TYPE_CHECKING:
    from pathlib import Path

HI = {"role": "user", "content": "how is the kelp"}
HELLO = {"role": "assistant", "content": "the kelp is well"}
ROW = {"messages": [HI, HELLO]}
TOOLS = [{"type": "function", "function": {"name": "look_up", "parameters": {}}}]
CALL = {"role": "assistant", "tool_calls": [{"function": {"name": "look_up", "arguments": {"what": "wet kelp"}}}]}
STRICT = "{%- if messages[0].role == 'system' %}{{ raise_exception('no system here') }}{% endif -%}" + CHATML
MASKED = (
    "{% for m in messages %}<|{{ m.role }}|>"
    "{% if m.role == 'assistant' and not m.skip %}{% generation %}{{ m.content }}<|end|>{% endgeneration %}"
    "{% else %}{{ m.content }}<|end|>{% endif %}{% endfor %}"
)
FORGETS_REASONING = (
    "{% for m in messages %}<|{{ m.role }}|>"
    "{% if m.reasoning_content and loop.last %}<think>{{ m.reasoning_content }}</think>{% endif %}{{ m.content }}"
    "{% endfor %}"
)
ENDLESS = "{%- for a in range(99999) -%}{%- for b in range(99999) -%}{%- endfor -%}{%- endfor -%}"
SLOW_ON_REQUEST = "{% for m in messages %}{{ m.content }}{% if m.slow %}" + ENDLESS + "{% endif %}{% endfor %}"
SEARCH = "('a' * 4000000).rfind('ab' + 'a' * m.length)"
"""Takes minutes inside of one operation, which no signal interrupts."""
DEADLY_ON_REQUEST = "{% for m in messages %}{{ m.content }}{% if m.length %}{{ " + SEARCH + " }}{% endif %}{% endfor %}"


def surveyed(folder: Path, template: str, *rows: object, options: tuple[str, ...] = ()) -> Done:
    """What `tpllint data` says of these rows, each a line of JSON or, as bytes, just a line."""
    (folder / "t.jinja").write_text(template, encoding="utf-8")
    lines = [row if isinstance(row, bytes) else json.dumps(row).encode() for row in rows]
    (folder / "rows.jsonl").write_bytes(b"".join(line + b"\n" for line in lines))
    return tpllint("data", "t.jinja", "rows.jsonl", *options, cwd=folder)


def problems(folder: Path, template: str, *rows: object, options: tuple[str, ...] = ()) -> list[tuple[int, str, str, Any]]:
    """The number of the row, the kind, the severity and the index of the message of every problem."""
    done = surveyed(folder, template, *rows, options=("--output-format", "json", *options))
    body = done.json()
    return [
        (row["row"], *(one[key] for key in ("kind", "severity", "index"))) for row in body["rows"] for one in row["problems"]
    ]


def test_where_all_is_well_one_line_says_so(tmp_path: Path) -> None:
    done = surveyed(tmp_path, CHATML, ROW, [HI, HELLO], [["hi", "hello"]])
    assert (done.code, done.out, done.err) == (0, "3 rows: nothing is wrong\n", "")
    assert surveyed(tmp_path, CHATML, ROW, options=("-q",)).out == ""


def test_a_row_that_the_template_refuses_is_told_in_its_words(tmp_path: Path) -> None:
    done = surveyed(tmp_path, STRICT, ROW, {"messages": [{"role": "system", "content": "x"}, HI]})
    assert done.code == 1
    assert "error[raises]: 1 row\n  --> rows.jsonl:2: no system here\n" in done.out
    assert done.out.endswith("\n2 rows: 1 with errors\n")


@pytest.mark.parametrize(
    ("template", "message", "found"),
    [
        ("{{ messages[0].content }}", HELLO, [("drops-content", "error", 1)]),
        (CHATML.replace("m.content", "m.content[:9]"), HELLO, [("drops-content", "error", 0), ("drops-content", "error", 1)]),
        (CHATML.replace("m.content", "m.content | upper"), HELLO, []),
        (CHATML.replace("m.content", "m.content | tojson"), {"role": "assistant", "content": 'a "b"\nc'}, []),
        (CHATML, {"role": "assistant", "content": [{"type": "text", "text": "a"}]}, []),
        (CHATML, {**HELLO, "reasoning_content": "sea and salt"}, [("drops-reasoning", "warning", 1)]),
        (FORGETS_REASONING, {**HELLO, "reasoning_content": "sea and salt"}, []),
        (CHATML, {**CALL, "content": ""}, [("drops-content", "error", 1)]),
        (CHATML + "{{ messages[1].tool_calls | tojson }}", {**CALL, "content": ""}, []),
        (CHATML + "{{ messages[1].tool_calls[0].function.name }}", {**CALL, "content": ""}, [("drops-content", "error", 1)]),
    ],
)
def test_what_a_message_loses_is_told(tmp_path: Path, template: str, message: object, found: list[Any]) -> None:
    assert problems(tmp_path, template, [HI, message]) == [(1, *one) for one in found]


def test_a_text_of_which_a_part_is_missing_is_a_warning(tmp_path: Path) -> None:
    long = {"role": "user", "content": "one line\nanother line\na third line"}
    template = CHATML.replace("m.content", "m.content.replace('another', '')")
    assert problems(tmp_path, template, [long]) == [(1, "drops-content", "warning", 0)]


def test_tools_that_a_template_ignores_are_told(tmp_path: Path) -> None:
    assert problems(tmp_path, CHATML, {**ROW, "tools": TOOLS}) == [(1, "drops-content", "error", None)]
    assert problems(tmp_path, CHATML + "{{ tools | tojson }}", {**ROW, "tools": TOOLS}) == []


def test_reasoning_of_earlier_turns_is_counted_and_listed_on_request(tmp_path: Path) -> None:
    row = [HI, {**HELLO, "reasoning_content": "sea and salt"}, HI]
    done = surveyed(tmp_path, FORGETS_REASONING, row)
    assert done.code == 0
    assert "info[drops-reasoning]: 1 row\n" in done.out
    assert problems(tmp_path, FORGETS_REASONING, row) == []
    assert problems(tmp_path, FORGETS_REASONING, row, options=("--fail-on", "info")) == [(1, "drops-reasoning", "info", 1)]


def test_a_row_with_problems_of_one_kind_is_told_once_with_all_of_them_under_the_worst(tmp_path: Path) -> None:
    thinks = {**HELLO, "reasoning_content": "sea and salt"}
    done = surveyed(tmp_path, CHATML, [HI, thinks, HI, thinks], [HI, thinks], options=("--fail-on", "info", "--max-shown", "1"))
    assert "warning[drops-reasoning]: 2 rows\n" in done.out
    assert "rows.jsonl:1: the reasoning of messages[1] (assistant)" in done.out
    assert "rows.jsonl:1: the reasoning of messages[3] (assistant)" in done.out
    assert "= and 1 more row: " in done.out
    assert "info[" not in done.out


def test_no_rows_are_not_called_well(tmp_path: Path) -> None:
    assert surveyed(tmp_path, CHATML).out == "no rows\n"


def test_an_answer_outside_of_the_generation_markers_is_told(tmp_path: Path) -> None:
    skipped = {"role": "assistant", "content": "nothing to be learnt", "skip": True}
    rows = ([HI, HELLO], [HI, skipped], [HI, HELLO, HI, skipped], [HI])
    assert problems(tmp_path, MASKED, *rows) == [(2, "masked-empty", "error", None), (3, "masked-empty", "warning", 3)]
    assert problems(tmp_path, CHATML, *rows) == []


def test_an_answer_that_is_not_in_the_prompt_is_told_of_as_dropped_alone(tmp_path: Path) -> None:
    call = {"function": {"name": "look_up", "arguments": {}}}
    row = [HI, HELLO, HI, {"role": "assistant", "content": "", "tool_calls": [call]}]
    assert problems(tmp_path, MASKED, row) == [(1, "drops-content", "error", 3)]


def test_an_answer_with_its_reasoning_between_tags_is_in_no_mask_when_neither_is(tmp_path: Path) -> None:
    apart = MASKED.replace("{% else %}{{ m.content }}", "{% else %}{{ m.content.split('</think>')[-1] }}")
    answer = {"role": "assistant", "content": "<think>sea and salt</think>nothing to be learnt", "skip": True}
    told = problems(tmp_path, apart, [HI, HELLO, HI, answer])
    assert (1, "masked-empty", "warning", 3) in told


def test_an_answer_that_is_written_otherwise_later_is_told(tmp_path: Path) -> None:
    thinks = {**HELLO, "reasoning_content": "sea and salt"}
    found = problems(tmp_path, FORGETS_REASONING, [HI, thinks, HI, thinks], [HI, HELLO, HI, HELLO], [HI, thinks])
    assert found == [(1, "not-prefix-stable", "warning", 2)]


def test_what_a_template_writes_at_the_very_end_is_no_change_of_an_answer(tmp_path: Path) -> None:
    assert problems(tmp_path, CHATML + "<|endoftext|>", [HI, HELLO, HI, HELLO]) == []


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("so <|im_end|> it ends", True),
        ("a <b>bold</b> word and [a link]", False),
        ("<|pad|> is the model's own", True),
        ("<|other|> is another model's", False),
    ],
)
def test_a_control_token_in_a_text_is_told(tmp_path: Path, text: str, found: bool) -> None:
    write_model(tmp_path / "model", pad_token="<|pad|>")
    (tmp_path / "rows.jsonl").write_text(json.dumps([{"role": "user", "content": text}]))
    done = tpllint("data", "model", "rows.jsonl", "--fail-on", "warning", cwd=tmp_path)
    assert (done.code, "warning[control-token-in-text]: 1 row" in done.out) == (int(found), found)


def test_of_many_problems_of_a_kind_the_first_of_a_row_are_told(tmp_path: Path) -> None:
    found = problems(tmp_path, CHATML, [{"role": "user", "content": "<|im_end|>"}] * 9)
    assert found == [(1, "control-token-in-text", "warning", index) for index in range(3)]


@pytest.mark.parametrize(
    "fields",
    [
        {"content": "x", "reasoning_content": "<|im_end|>"},
        {"content": "x", "tool_calls": [{"name": "f", "arguments": {"a": ["<|im_end|>"]}}]},
        {"content": [{"type": "text", "text": "<|im_end|>"}]},
    ],
)
def test_every_text_of_a_message_is_searched_for_control_tokens(tmp_path: Path, fields: dict[str, object]) -> None:
    found = problems(tmp_path, CHATML, [{"role": "assistant", **fields}])
    assert (1, "control-token-in-text", "warning", 0) in found


def test_an_answer_may_hold_the_tags_of_its_reasoning(tmp_path: Path) -> None:
    template = CHATML + "{% if add_generation_prompt %}<think>{% endif %}"
    thinks = "<think>sea</think> well"
    rows = ([HI, {"role": "assistant", "content": thinks}], [{"role": "user", "content": thinks}])
    assert problems(tmp_path, template, *rows) == [(2, "control-token-in-text", "warning", 0)]


def test_rows_with_tools_go_through_the_template_for_tools(tmp_path: Path) -> None:
    templates = [{"name": "default", "template": CHATML}, {"name": "tool_use", "template": CHATML + "{{ tools | tojson }}"}]
    write_model(tmp_path / "model", templates)
    (tmp_path / "rows.jsonl").write_text(json.dumps({**ROW, "tools": TOOLS}) + "\n" + json.dumps(ROW))
    assert tpllint("data", "model", "rows.jsonl", cwd=tmp_path).out == "2 rows: nothing is wrong\n"
    narrowed = tpllint("data", "model", "rows.jsonl", "--template", "default", cwd=tmp_path)
    assert "none of its tools is in the prompt" in narrowed.out


def test_variables_come_from_the_row_and_from_the_command_line(tmp_path: Path) -> None:
    template = CHATML + "{% if not calm %}{{ raise_exception('not calm') }}{% endif %}"
    row = {**ROW, "chat_template_kwargs": {"calm": True}}
    assert problems(tmp_path, template, ROW, row) == [(1, "raises", "error", None)]
    assert problems(tmp_path, template, ROW, row, options=("--var", "calm=true")) == []


def test_bad_lines_are_told_by_number_and_skipped(tmp_path: Path) -> None:
    bad = (
        b"not json",
        b"\xff\xfe",
        b'{"messages": [{"role": "user", "content": "\x07"}]}',
        b"[" * 5000,
        b"{}",
        b"x" * 8_000_001,
    )
    done = surveyed(tmp_path, CHATML, ROW, *bad, b"", b"  \r", ROW, options=("--max-shown", "4"))
    assert done.code == 1
    for number in (2, 3, 4, 5):
        assert f"--> rows.jsonl:{number}: " in done.out
    assert "rows.jsonl:6" not in done.out
    assert done.out.endswith("8 rows: 6 with errors\n")
    found = problems(tmp_path, CHATML, ROW, *bad, b"", ROW)
    assert [(row, kind) for row, kind, *_ in found] == [(number, "bad-row") for number in range(2, 8)]


def test_what_a_row_says_cannot_write_to_the_terminal(tmp_path: Path) -> None:
    hostile = [{"role": "\x1b]0;title\x07", "content": "x"}]
    done = surveyed(tmp_path, "{{ raise_exception(messages[0].role) }}", hostile)
    assert done.code == 1
    assert "\x1b" not in done.out
    assert "\\u{1b}]0;title\\u{7}" in done.out


def test_the_json_has_the_rows_and_the_sum(tmp_path: Path) -> None:
    body = surveyed(tmp_path, STRICT, ROW, b"x", options=("--output-format", "json")).json()
    assert list(body) == ["schema", "version", "target", "data", "error", "rows", "summary"]
    assert (body["schema"], body["target"], body["data"]) == ("tpllint-data-v1", "t.jinja", "rows.jsonl")
    problem = {"kind": "bad-row", "severity": "error", "message": "not JSON: expecting value at column 1", "index": None}
    assert body["rows"] == [{"row": 2, "problems": [{**problem, "part": None}]}]
    kinds = {"bad-row": {"errors": 1, "warnings": 0, "infos": 0}}
    assert body["summary"] == {"rows": 2, "errors": 1, "warnings": 0, "infos": 0, "kinds": kinds}


def test_the_lines_of_jsonl_are_the_rows_and_then_the_sum(tmp_path: Path) -> None:
    whole = surveyed(tmp_path, STRICT, ROW, b"x", b"y", options=("--output-format", "json")).json()
    done = surveyed(tmp_path, STRICT, ROW, b"x", b"y", options=("--output-format", "jsonl"))
    *rows, last = map(json.loads, done.out.splitlines())
    assert rows == whole.pop("rows")
    assert last == whole


def test_a_problem_of_a_preference_names_its_side(tmp_path: Path) -> None:
    row = {"prompt": [HI], "chosen": [HELLO], "rejected": [{"role": "assistant", "content": "<|im_end|>"}]}
    done = surveyed(tmp_path, CHATML, row)
    assert "--> rows.jsonl:1: rejected: messages[1] (assistant) holds the control token <|im_end|> as text" in done.out


@pytest.mark.parametrize(
    ("options", "code"),
    [((), 0), (("--fail-on", "warning"), 1), (("--fail-on", "warning", "--exit-zero"), 0)],
)
def test_the_exit_code_follows_the_failing_level(tmp_path: Path, options: tuple[str, ...], code: int) -> None:
    assert surveyed(tmp_path, CHATML, [{**HI, "content": "<|im_end|>"}], options=options).code == code


@pytest.mark.parametrize(
    ("target", "rows", "kind"),
    [
        ("nope", "rows.jsonl", "no-such-path"),
        ("t.jinja", "nope.jsonl", "no-such-path"),
        ("t.jinja", ".", "not-a-file"),
        ("t.jinja", "broken.json", "bad-json"),
        ("t.jinja", "broken.jsonl.gz", "unusable-path"),
        ("empty", "rows.jsonl", "no-chat-template"),
        ("bad.jinja", "rows.jsonl", "unusable-template"),
        ("-", "-", "contradiction"),
    ],
)
def test_what_cannot_be_had_is_one_error_also_in_json(tmp_path: Path, target: str, rows: str, kind: str) -> None:
    surveyed(tmp_path, CHATML, ROW)
    (tmp_path / "empty").mkdir()
    (tmp_path / "bad.jinja").write_text("{% if %}")
    (tmp_path / "broken.json").write_text("[{")
    (tmp_path / "broken.jsonl.gz").write_bytes(gzip.compress(b"x\n" * 10_000)[:-9])
    done = tpllint("data", target, rows, "--output-format", "json", cwd=tmp_path)
    body = done.json()
    assert (done.code, body["error"]["kind"]) == (2, kind)
    assert done.err == f"error: {body['error']['message']}\n  help: {body['error']['hint']}\n"
    text = tpllint("data", target, rows, cwd=tmp_path)
    assert (text.code, text.err) == (2, done.err)


@pytest.mark.parametrize(
    ("name", "data", "place"),
    [
        ("rows.jsonl", b"\xef\xbb\xbf" + json.dumps(ROW).encode() + b"\r\n{}\r\n", "rows.jsonl:2"),
        ("rows.jsonl.gz", gzip.compress(json.dumps(ROW).encode() + b"\n{}", mtime=0), "rows.jsonl.gz:2"),
        ("rows.json", json.dumps([ROW, {}], indent=1).encode(), "rows.json, row 2"),
        ("rows.json", json.dumps(ROW).encode() + b"\n{}\n", "rows.json:2"),
        ("rows.txt", json.dumps([ROW, {}], indent=1).encode(), "rows.txt, row 2"),
        ("-", json.dumps(ROW).encode() + b"\n{}\n", "<stdin>:2"),
    ],
)
def test_rows_are_read_from_files_of_every_form(tmp_path: Path, name: str, data: bytes, place: str) -> None:
    (tmp_path / "t.jinja").write_text(CHATML)
    if name != "-":
        (tmp_path / name).write_bytes(data)
    done = tpllint("data", "t.jinja", name, cwd=tmp_path, stdin=data)
    assert f"--> {place}: no conversation" in done.out
    assert done.out.endswith("2 rows: 1 with errors\n")


@pytest.mark.parametrize("row", [[HI, HELLO], [["hi", "hello"], ["and you?", None]], [[None, "hello"]]], ids=json.dumps)
def test_a_document_that_is_one_conversation_is_one_row(tmp_path: Path, row: object) -> None:
    (tmp_path / "t.jinja").write_text(CHATML)
    (tmp_path / "chat.json").write_text(json.dumps(row, indent=2))
    assert tpllint("data", "t.jinja", "chat.json", cwd=tmp_path).out == "1 row: nothing is wrong\n"


@pytest.mark.parametrize(
    ("sizes", "bad"),
    [
        ([500_000] * 70, []),
        ([500_001, *[500_000] * 70], []),
        ([500_000] * 60 + [9_000_000] + [500_000] * 2, [61]),
    ],
    ids=["a line is torn where reading ahead ends", "a line ends there", "a line that is too long lies there"],
)
def test_a_large_file_of_lines_that_is_named_as_a_document_is_read_line_by_line(
    tmp_path: Path, sizes: list[int], bad: list[int]
) -> None:
    (tmp_path / "t.jinja").write_text("{{ messages[0].role }}")
    with (tmp_path / "rows.json").open("w") as stream:
        for size in sizes:
            stream.write(json.dumps([{"role": "user", "content": ""}]).ljust(size - 1) + "\n")
        stream.write("{}\n")
    done = tpllint("data", "t.jinja", "rows.json", "--output-format", "json", cwd=tmp_path)
    body = done.json()
    assert [row["row"] for row in body["rows"]] == [*bad, len(sizes) + 1]
    assert body["summary"]["rows"] == len(sizes) + 1


def test_a_report_goes_into_a_file(tmp_path: Path) -> None:
    done = surveyed(tmp_path, CHATML, b"x", options=("--output", "report.txt"))
    assert (done.code, done.out) == (1, "")
    assert (tmp_path / "report.txt").read_text().endswith("1 row: 1 with errors\n")


def test_a_row_that_takes_too_long_is_told_and_the_others_are_examined(tmp_path: Path) -> None:
    rows = [ROW] * 20 + [[{**HI, "slow": True}]] + [ROW] * 900 + [{}]
    assert problems(tmp_path, SLOW_ON_REQUEST, *rows) == [(21, "not-analysed", "error", None), (922, "bad-row", "error", None)]


def test_a_row_that_ends_its_worker_is_told_and_the_others_are_examined(tmp_path: Path) -> None:
    rows = [{}, *[ROW] * 20, [{**HI, "length": 2_000_000}], *[ROW] * 20, {}]
    done = surveyed(tmp_path, DEADLY_ON_REQUEST, *rows)
    assert done.out.endswith("\n43 rows: 3 with errors\n")
    assert "--> rows.jsonl:22: it is not analysed to the end: it did not finish within 10 seconds\n" in done.out
    assert ["--> rows.jsonl:1:" in done.out, "--> rows.jsonl:43:" in done.out] == [True, True]


def test_a_template_that_comes_to_no_end_ends_the_run(tmp_path: Path) -> None:
    done = surveyed(tmp_path, CHATML + ENDLESS, *[ROW] * 100)
    assert (done.code, done.out) == (2, "")
    assert "comes to no end" in done.err


def test_many_rows_are_told_of_in_their_order(tmp_path: Path) -> None:
    rows: list[object] = [[{**HI, "content": f"{number} of many"}] for number in range(20_000)]
    wrong = range(7, 20_000, 1009)
    for number in wrong:
        rows[number] = {}
    assert [row for row, *_ in problems(tmp_path, CHATML, *rows)] == [number + 1 for number in wrong]


def peak(folder: Path, rows: int) -> int:
    """The most memory (kB) that the parent or a worker held at any time."""
    with (folder / "rows.jsonl").open("w") as stream:
        for number in range(rows):
            stream.write(json.dumps([{**HI, "content": f"{number} " + "kelp " * 150}, HELLO]) + "\n")
    process = subprocess.Popen([sys.executable, "-m", "tpllint", "data", "t.jinja", "rows.jsonl", "-q"], cwd=folder)
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0
    return used.ru_maxrss


def test_more_rows_take_no_more_memory(tmp_path: Path) -> None:
    (tmp_path / "t.jinja").write_text(CHATML)
    few, many = (peak(tmp_path, rows) for rows in (8_000, 40_000))
    assert (tmp_path / "rows.jsonl").stat().st_size > 30_000_000
    assert many - few < 10_000


def test_a_terminal_shows_how_far_it_is(tmp_path: Path) -> None:
    (tmp_path / "t.jinja").write_text(CHATML)
    (tmp_path / "rows.jsonl").write_text((json.dumps(ROW) + "\n") * 12_000)
    for options, shows in (((), True), (("--no-progress",), False)):
        ours, theirs = pty.openpty()
        command = [sys.executable, "-m", "tpllint", "data", "t.jinja", "rows.jsonl", *options]
        done = subprocess.run(command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=theirs, check=True, timeout=60)
        os.close(theirs)
        written = bytearray()
        try:
            while data := os.read(ours, 1 << 16):
                written += data
        except OSError:  # Linux tells so that the other end is closed
            pass
        os.close(ours)
        assert done.stdout == b"12,000 rows: nothing is wrong\n"
        assert (b"reading" in written) is shows
