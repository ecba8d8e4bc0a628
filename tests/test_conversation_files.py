"""The door for conversation files: every form that `tpllint data` knows, and one clear error for what is none."""

from __future__ import annotations

import contextlib
import gzip
import json
import os
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.command import tpllint
from tests.small_tokenizer import CHATML
from tests.strategies import ANY_ROWS_BYTES, CONVERSATIONS, QUICK
from tpllint.conversations import Conversation, from_json
from tpllint.errors import RepairableError
from tpllint.sources.conversations import MAX_CONVERSATION_BYTES, MAX_CONVERSATIONS, read_conversations

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

HI = {"role": "user", "content": "hi"}
HELLO = {"role": "assistant", "content": "hello"}
BYE = {"role": "assistant", "content": "bye"}
SYSTEM = {"role": "system", "content": "be kind"}
TURNS = [{"from": "human", "value": "hi"}, {"from": "gpt", "value": "hello"}]
TOOLS = [{"type": "function", "function": {"name": "look_up"}}]
DOCUMENTS = [{"text": "kelp"}]
PREFERENCE = {"prompt": [HI], "chosen": [HELLO], "rejected": [BYE]}
ENDLESS = "[" * 500 + "]" * 500


def read(folder: Path, data: bytes, name: str = "c.json") -> list[Conversation]:
    """The conversations in a file, as a worker sees them."""
    path = folder / name
    path.write_bytes(data)
    every = read_conversations(str(path))
    return [from_json(each["name"].removeprefix(f"{folder}/"), each["data"]) for each in every]


def spoken(folder: Path, value: object) -> Conversation:
    """The one conversation in a file that holds this value."""
    (only,) = read(folder, json.dumps(value, indent=1).encode())
    return only


def refused(folder: Path, data: bytes, name: str = "c.json") -> RepairableError:
    """Why a file is of no use."""
    with pytest.raises(RepairableError) as caught:
        read(folder, data, name)
    return caught.value


def lines(*rows: object) -> bytes:
    """JSON lines."""
    return b"".join(json.dumps(row).encode() + b"\n" for row in rows)


@pytest.mark.parametrize(
    ("value", "messages"),
    [
        ([HI, HELLO], [HI, HELLO]),
        ({"messages": [HI, HELLO]}, [HI, HELLO]),
        ([], []),
        ({"messages": []}, []),
        ({"messages": json.dumps([HI])}, [HI]),
        ({"messages": TURNS}, [HI, HELLO]),
        ({"model": "m", "messages": [HI], "temperature": 0}, [HI]),
        ({"custom_id": "1", "method": "POST", "body": {"model": "m", "messages": [HI]}}, [HI]),
        (TURNS, [HI, HELLO]),
        ({"conversations": TURNS, "system": "be kind"}, [SYSTEM, HI, HELLO]),
        ({"conversation": [HI, HELLO]}, [HI, HELLO]),
        ([["hi", "hello"], ["hi", None]], [HI, HELLO, HI]),
        ([[None, "hello"]], [HELLO]),
        ({"conversations": [["hi", "hello"]]}, [HI, HELLO]),
        ({"prompt": [HI], "completion": [HELLO]}, [HI, HELLO]),
        ({"prompt": [HI]}, [HI]),
        ([{"conversations": TURNS}], [HI, HELLO]),
        ([[HI, HELLO]], [HI, HELLO]),
    ],
    ids=json.dumps,
)
def test_a_file_of_any_form_is_one_conversation_named_by_its_path(tmp_path: Path, value: object, messages: object) -> None:
    conversation = spoken(tmp_path, value)
    assert (conversation.name, list(conversation.messages)) == ("c.json", messages)


@pytest.mark.parametrize("value", [PREFERENCE, [PREFERENCE], {"chosen": [HI, HELLO], "rejected": [HI, BYE]}], ids=json.dumps)
def test_a_row_with_two_endings_is_two_conversations(tmp_path: Path, value: object) -> None:
    found = {each.name: list(each.messages) for each in read(tmp_path, json.dumps(value).encode())}
    assert found == {"c.json (chosen)": [HI, HELLO], "c.json (rejected)": [HI, BYE]}


def test_the_rows_of_a_list_are_named_by_their_index(tmp_path: Path) -> None:
    rows = [[HI], {"conversations": TURNS}, PREFERENCE, [["hi", "hello"]]]
    names = [each.name for each in read(tmp_path, json.dumps(rows).encode())]
    assert names == ["c.json[0]", "c.json[1]", "c.json[2] (chosen)", "c.json[2] (rejected)", "c.json[3]"]


@pytest.mark.parametrize("name", ["c.jsonl", "c.json", "c"])
def test_the_rows_of_json_lines_are_named_by_their_line(tmp_path: Path, name: str) -> None:
    data = b"\n" + lines([HI], {"body": {"messages": [HI]}}) + b" \r\n" + lines(PREFERENCE)
    found = [each.name for each in read(tmp_path, data, name)]
    assert found == [f"{name}:2", f"{name}:3", f"{name}:5 (chosen)", f"{name}:5 (rejected)"]


@pytest.mark.parametrize(
    "data",
    [
        lines([HI]),
        json.dumps([HI]).encode(),
        b"\n\n" + json.dumps([HI], indent=1).encode(),
        b"\xef\xbb\xbf" + lines([HI]),
        json.dumps([HI]).encode("utf-16"),
    ],
    ids=["a line", "a value", "spread over lines", "byte order mark", "UTF-16"],
)
@pytest.mark.parametrize("packed", [False, True], ids=["plain", "gzipped"])
def test_how_a_file_is_written_is_no_matter(tmp_path: Path, data: bytes, packed: bool) -> None:
    (conversation,) = read(tmp_path, gzip.compress(data) if packed else data)
    assert list(conversation.messages) == [HI]


def test_json_lines_are_read_with_a_byte_order_mark_and_gzipped(tmp_path: Path) -> None:
    data = b"\xef\xbb\xbf" + lines([HI], TURNS)
    assert [each.name for each in read(tmp_path, gzip.compress(data), "c.jsonl.gz")] == ["c.jsonl.gz:1", "c.jsonl.gz:2"]


# --- what is passed beside the messages ---


def test_keys_beside_messages_are_template_variables(tmp_path: Path) -> None:
    row = {"messages": [HI], "tools": TOOLS, "documents": DOCUMENTS, "add_generation_prompt": False, "mood": "calm", "id": 3}
    conversation = spoken(tmp_path, row)
    assert (conversation.tools, conversation.documents, conversation.generation_prompt) == (TOOLS, DOCUMENTS, False)
    assert conversation.variables == {"mood": "calm", "id": 3}


def test_a_model_beside_messages_makes_them_a_request_whose_settings_no_template_sees(tmp_path: Path) -> None:
    kwargs = {"enable_thinking": False}
    row = {"model": "m", "messages": [HI], "tools": TOOLS, "documents": DOCUMENTS, "add_generation_prompt": True, "top_p": 1}
    conversation = spoken(tmp_path, {**row, "chat_template_kwargs": kwargs})
    assert (conversation.tools, conversation.documents, conversation.generation_prompt) == (TOOLS, DOCUMENTS, True)
    assert conversation.variables == kwargs


def test_a_model_that_is_no_text_is_a_variable(tmp_path: Path) -> None:
    assert spoken(tmp_path, {"messages": [HI], "model": 1}).variables == {"model": 1}


@pytest.mark.parametrize("kwargs", [{"mood": "calm"}, '{"mood": "calm"}'], ids=["an object", "JSON in a string"])
def test_chat_template_kwargs_set_variables_and_are_none(tmp_path: Path, kwargs: object) -> None:
    conversation = spoken(tmp_path, {"messages": [HI], "mood": "wild", "size": 1, "chat_template_kwargs": kwargs})
    assert conversation.variables == {"mood": "calm", "size": 1}


@pytest.mark.parametrize(
    "around",
    [{}, {"model": "m"}],
    ids=["variables beside", "a request"],
)
def test_no_variable_stands_in_for_a_part_of_the_conversation(tmp_path: Path, around: Mapping[str, Any]) -> None:
    kwargs = {"messages": [], "tools": TOOLS, "documents": DOCUMENTS, "add_generation_prompt": True, "chat_template_kwargs": {}}
    conversation = spoken(tmp_path, {"messages": [HI], **around, "chat_template_kwargs": kwargs})
    assert conversation == Conversation("c.json", [HI], variables={"chat_template_kwargs": {}})


def test_a_conversation_comes_back_from_its_json() -> None:
    whole = Conversation("c", [HI], TOOLS, DOCUMENTS, {"mood": "calm"}, False)
    assert from_json("c", whole.as_json()) == whole
    collides = Conversation("c", [HI], variables={"tools": TOOLS, "messages": []})
    assert from_json("c", collides.as_json()) == Conversation("c", [HI])


# --- what is no conversation ---


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (5, 'c.json is not a conversation: an object with "messages", a list of messages, of pairs or of turns was expected'),
        ({"role": "user"}, 'c.json is not a conversation: an object with "messages", a list of messages'),
        (["hi"], 'c.json[0] is not a conversation: an object with "messages"'),
        ([{"content": "hi"}], 'c.json[0] is not a conversation: an object with "messages"'),
        ([[HI], {"text": "hi"}], 'c.json[1] is not a conversation: an object with "messages"'),
        ({"messages": {}}, "c.json is not a conversation: its messages are no list"),
        ([HI, "hello"], "c.json is not a conversation: messages[1] is no object"),
        ({"messages": [HI], "tools": {}}, 'c.json is not a conversation: "tools" is not a list'),
        ({"messages": [HI], "documents": 1}, 'c.json is not a conversation: "documents" is not a list'),
        (
            {"messages": [HI], "add_generation_prompt": "no"},
            'c.json is not a conversation: "add_generation_prompt" must be true or false',
        ),
        (
            {"messages": [HI], "chat_template_kwargs": []},
            'c.json is not a conversation: "chat_template_kwargs" is not an object',
        ),
        ({"model": "m", "messages": []}, "c.json is not a conversation: it has no messages"),
        ({"prompt": "hi", "completion": "hello"}, "c.json is not a conversation: its prompt or its answer is plain text"),
        ([*TURNS, {"from": 1}], "c.json is not a conversation: a turn is not"),
        ([["hi", {"file": "x"}]], "c.json is not a conversation: a pair is not"),
        ([["hi", "hello"], "hi"], "c.json is not a conversation: number 1 of its list is not a pair"),
    ],
    ids=lambda value: json.dumps(value)[:40],
)
def test_what_is_none_is_one_error_that_says_where_and_why(tmp_path: Path, value: object, message: str) -> None:
    error = refused(tmp_path, json.dumps(value).encode())
    assert error.kind == "bad-conversation"
    assert error.message.removeprefix(f"{tmp_path}/").startswith(message)
    assert error.hint.startswith("write a list of messages, ")


@pytest.mark.parametrize(
    ("bad", "why"),
    [
        (b"{}", 'an object with "messages"'),
        (b'{"messages": [', "not JSON: expecting value at column 15"),
        (b'[["half of it: \\uD83d", null]]', "it holds half of a surrogate pair"),
        (ENDLESS.encode(), "it nests deeper than 100 levels"),
        (b"9" * 5000, "not usable JSON: it holds a number of thousands of digits"),
    ],
    ids=["no conversation", "broken", "half a character", "endless", "a long number"],
)
def test_a_bad_line_is_told_by_its_number(tmp_path: Path, bad: bytes, why: str) -> None:
    error = refused(tmp_path, lines([HI]) + bad + b"\n" + lines([HI]), "c.jsonl")
    assert error.message.startswith(f"{tmp_path}/c.jsonl:2 is not a conversation: {why}")


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"", "is empty"),
        (b"\xef\xbb\xbf \n", "is empty"),
        (gzip.compress(b"", mtime=0), "is empty"),
        (b"{", "is not usable JSON: expecting property name enclosed in double quotes at line 1, column 2"),
        (b"[\n'hi']", "is not usable JSON: expecting value at line 2, column 1"),
        (b'[{"role": "user",\n "content": "\xff"}]', "is not usable JSON: not UTF-8 at line 2"),
        ("[1".encode("utf-16-le") + b"\xff", "is not usable JSON: not UTF-16-LE at line 1"),
        (b"[" * 200_000, "is not usable JSON: it nests deeper than 100 levels"),
        (
            b'[{"role": "user", "content": ' + b"9" * 5000 + b"}]",
            "is not usable JSON: it holds a number of thousands of digits",
        ),
        (b'[{"role": "user", "content": ' + ENDLESS.encode() + b"}]", "is not a conversation: it nests deeper than 100 levels"),
    ],
    ids=lambda value: str(value)[:30],
)
def test_a_file_that_holds_no_value_says_why(tmp_path: Path, data: bytes, why: str) -> None:
    error = refused(tmp_path, data)
    assert (error.kind, error.message) == ("bad-conversation", f"{tmp_path}/c.json {why}")


@pytest.mark.parametrize("levels", [98, 99, 100, 101])
@pytest.mark.parametrize("around", ["{}", '{{"messages": {}}}', '{{"conversations": {}}}', '{{"messages": {}, "model": "m"}}'])
def test_what_nests_as_deep_as_it_may_is_what_a_worker_takes(tmp_path: Path, levels: int, around: str) -> None:
    content = "[" * (levels - 2) + "]" * (levels - 2)
    data = around.format(f'[{{"role": "user", "content": {content}}}]').encode()
    if levels + (around != "{}") <= 100:
        assert len(read(tmp_path, data)) == 1
    else:
        assert refused(tmp_path, data).message.endswith("it nests deeper than 100 levels")


@pytest.mark.parametrize(
    ("name", "kind", "message"),
    [
        ("none.json", "no-such-path", "no such file: none.json"),
        ("folder", "not-a-file", "not a regular file: folder"),
        ("pipe", "not-a-file", "not a regular file: pipe"),
        ("c.json/x", "unusable-path", "c.json/x cannot be read: not a directory"),
        ("a\0b", "unusable-path", "a\0b cannot be read: embedded null byte"),
        ("cut.gz", "unusable-path", "cut.gz cannot be read: "),
        ("junk.gz", "unusable-path", "junk.gz cannot be read: "),
    ],
)
def test_what_cannot_be_read_is_one_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, kind: str, message: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "c.json").write_bytes(lines([HI]))
    packed = gzip.compress(os.urandom(1000))
    (tmp_path / "cut.gz").write_bytes(packed[:-9])
    (tmp_path / "junk.gz").write_bytes(packed[:20] + b"junk" * 9)
    with pytest.raises(RepairableError) as caught:
        read_conversations(name)
    assert caught.value.kind == kind
    assert caught.value.message.startswith(message)


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
def test_a_file_without_permission_is_told(tmp_path: Path) -> None:
    (tmp_path / "c.json").write_bytes(lines([HI]))
    (tmp_path / "c.json").chmod(0)
    with pytest.raises(RepairableError, match=r"c\.json cannot be read: permission denied"):
        read_conversations(str(tmp_path / "c.json"))


# --- limits ---


@pytest.mark.parametrize("pack", [bytes, gzip.compress], ids=["plain", "gzipped"])
def test_a_file_may_have_so_many_bytes_and_no_more(tmp_path: Path, pack: Any) -> None:
    full = json.dumps([HI]).encode().ljust(MAX_CONVERSATION_BYTES)
    assert len(read(tmp_path, pack(full))) == 1
    error = refused(tmp_path, pack(full + b" "))
    assert (error.kind, error.message) == ("too-large", f"{tmp_path}/c.json is larger than 8 MB")


@pytest.mark.parametrize("form", [lambda rows: lines(*rows), lambda rows: json.dumps(rows).encode()], ids=["lines", "a list"])
@pytest.mark.parametrize(("row", "most"), [([HI], MAX_CONVERSATIONS), (PREFERENCE, MAX_CONVERSATIONS // 2)], ids=["one", "two"])
def test_a_file_may_have_so_many_conversations_and_no_more(tmp_path: Path, form: Any, row: object, most: int) -> None:
    assert len(read(tmp_path, form([row] * most))) == MAX_CONVERSATIONS
    error = refused(tmp_path, form([row] * (most + 1)))
    assert (error.kind, error.message) == ("too-large", f"{tmp_path}/c.json has more than 200 conversations")
    assert "tpllint data" in error.hint


@settings(QUICK, max_examples=150)
@given(ANY_ROWS_BYTES | CONVERSATIONS.map(lambda data: json.dumps(data).encode()) | st.binary(max_size=40))
def test_any_file_is_conversations_that_a_worker_takes_or_is_refused(tmp_path: Path, data: bytes) -> None:
    with contextlib.suppress(RepairableError):
        found = read(tmp_path, data)
        assert len({each.name for each in found}) == len(found) > 0


# --- the commands ---


def test_a_file_of_sharegpt_turns_is_rendered(tmp_path: Path) -> None:
    (tmp_path / "t.jinja").write_text(CHATML)
    (tmp_path / "c.json").write_text(json.dumps({"conversations": TURNS, "system": "be kind"}))
    (tmp_path / "same.json").write_text(json.dumps([SYSTEM, HI, HELLO]))
    done, same = (tpllint("render", "t.jinja", "--conversation", name, cwd=tmp_path) for name in ("c.json", "same.json"))
    assert (done.code, done.out) == (0, same.out)
    assert "be kind" in done.out


def test_a_file_of_preferences_is_rendered_with_each_ending(tmp_path: Path) -> None:
    (tmp_path / "t.jinja").write_text("{% for m in messages %}{{ m.content }};{% endfor %}")
    (tmp_path / "c.jsonl").write_bytes(lines(PREFERENCE, {"prompt": [HI]}))
    done = tpllint("render", "t.jinja", "--conversation", "c.jsonl", "--output-format", "json", cwd=tmp_path)
    assert [(each["conversation"], each["text"]) for each in done.json()["renders"]] == [
        ("c.jsonl:1 (chosen)", "hi;hello;"),
        ("c.jsonl:1 (rejected)", "hi;bye;"),
        ("c.jsonl:2", "hi;"),
    ]
    text = tpllint("render", "t.jinja", "--conversation", "c.jsonl", cwd=tmp_path)
    assert "=== t.jinja (default): c.jsonl:1 (chosen), without generation prompt\nhi;hello;" in text.out


def test_the_settings_of_a_request_reach_the_template_and_nothing_else_does(tmp_path: Path) -> None:
    (tmp_path / "t.jinja").write_text(
        "{{ mood }} {{ temperature is defined }} {{ tools | length }} {{ add_generation_prompt }}"
    )
    request = {"model": "m", "messages": [HI], "tools": TOOLS, "temperature": 0, "add_generation_prompt": False}
    batch = {"custom_id": "1", "body": {**request, "chat_template_kwargs": {"mood": "calm"}}}
    (tmp_path / "c.jsonl").write_bytes(lines(batch))
    assert tpllint("render", "t.jinja", "--conversation", "c.jsonl", cwd=tmp_path).out == "calm False 1 False"


def test_every_row_has_to_render_in_a_check_that_a_configuration_gives_it_to(tmp_path: Path) -> None:
    refuses = (
        "{% for m in messages %}{% if 'kelp' in m.content %}{{ raise_exception('no kelp') }}{% endif %}{% endfor %}" + CHATML
    )
    (tmp_path / "t.jinja").write_text(refuses)
    (tmp_path / "rows.json").write_text(json.dumps([{"conversations": TURNS}, [["wet kelp", "yes"]], [["kelp", None]]]))
    (tmp_path / "tpllint.toml").write_text('conversations = ["rows.json"]\nselect = ["template-render-error"]')
    found = tpllint("check", "t.jinja", "--output-format", "json", cwd=tmp_path).json()["findings"]
    assert found[0]["evidence"]["conversation"].startswith("rows.json[")


@pytest.mark.parametrize("command", ["check", "render", "describe"])
@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("rows.jsonl", "error: rows.jsonl:2 is not a conversation: "),
        ("list.json", "error: list.json[1] is not a conversation: "),
        ("broken.json", "error: broken.json is not usable JSON: "),
        ("empty.json", "error: empty.json is empty\n"),
        ("many.jsonl", "error: many.jsonl has more than 200 conversations\n"),
        ("latin.json", "error: latin.json is not usable JSON: not UTF-8 at line 1\n"),
        ("none.json", "error: no such file: none.json\n"),
        ("folder", "error: not a regular file: folder\n"),
    ],
)
def test_what_is_none_ends_a_command_with_one_message_and_a_hint(tmp_path: Path, command: str, name: str, said: str) -> None:
    (tmp_path / "folder").mkdir()
    files = {
        "t.jinja": CHATML.encode(),
        "rows.jsonl": lines([HI], {"question": "hi"}),
        "list.json": json.dumps([[HI], {"question": "hi"}]).encode(),
        "broken.json": b"[{",
        "empty.json": b"",
        "many.jsonl": lines(*[[HI]] * 201),
        "latin.json": b'[{"role": "user", "content": "\xe9"}]',
    }
    for file, data in files.items():
        (tmp_path / file).write_bytes(data)
    done = tpllint(command, "t.jinja", "--conversation", name, cwd=tmp_path)
    assert (done.code, done.out) == (2, "")
    assert done.err.startswith(said)
    assert done.err.count("\n") == 2
    assert "\n  help: " in done.err
