"""The evidence of a finding is the smallest conversation that still shows it, and it can be rendered again."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.command import tpllint
from tpllint.analysis.renders import Render
from tpllint.analysis.template import Template
from tpllint.analysis.witness import fails_alike, smallest
from tpllint.conversations import Conversation, canonical

if TYPE_CHECKING:
    from pathlib import Path

CHAT = [
    {"role": "system", "content": "be brief"},
    {"role": "user", "content": "one"},
    {"role": "assistant", "content": "two", "reasoning_content": "hm"},
    {"role": "user", "content": "three"},
    {"role": "assistant", "content": "four"},
    {"role": "user", "content": "five"},
]
TURNS = "{% for m in messages %}<|{{ m.role }}|>{{ m.content }}<|end|>{% endfor %}"


def words(render: Render) -> list[str]:
    assert render.recipe is not None
    return [message["content"] for message in render.recipe.conversation.messages]


def shrunk(source: str, conversation: Conversation, generation_prompt: bool = False) -> Render:
    """The smallest conversation that fails as the whole one does."""
    template = Template("default", source, {})
    render = template.render_conversation(conversation, generation_prompt=generation_prompt)
    assert render.error is not None
    return smallest(template, render, fails_alike(render))


FAILURES = {
    "messages behind the failure": ("{{ messages[1].content + 1 }}", ["be brief", "one"]),
    "rounds before it": (
        "{% for m in messages %}{% if m.content == 'three' %}{{ m.content + 1 }}{% endif %}{% endfor %}",
        ["three"],
    ),
    "nothing that takes part": ("{{ messages[5].content + 1 }}", ["be brief", "one", "two", "three", "four", "five"]),
}


@pytest.mark.parametrize("what", FAILURES)
def test_it_leaves_out(what: str) -> None:
    source, kept = FAILURES[what]
    assert words(shrunk(source, Conversation("chat", CHAT))) == kept


def test_what_is_left_of_a_chat_is_still_one() -> None:
    """The failure is in every answer, but no chat begins with one, and none that is to be answered ends with one."""
    source = "{% for m in messages %}{% if m.role == 'assistant' %}{{ m.content + 1 }}{% endif %}{% endfor %}"
    assert words(shrunk(source, Conversation("chat", CHAT), generation_prompt=True)) == ["one", "two", "three"]


def test_a_result_keeps_the_call_that_it_answers() -> None:
    source = "{% for m in messages %}{% if m.role == 'tool' %}{{ m.content + 1 }}{% endif %}{% endfor %}"
    found = shrunk(source, canonical()["tool-loop-follow-up"])
    assert found.recipe is not None
    assert [message["role"] for message in found.recipe.conversation.messages] == ["user", "assistant", "tool"]
    assert found.recipe.conversation.tools is None


def test_tools_variables_and_fields_that_play_no_part_are_left_out() -> None:
    tools = [{"type": "function", "function": {"name": name, "parameters": {}}} for name in ("first", "second")]
    chat = Conversation("chat", CHAT[1:3], tools, None, {"a": 1, "b": 2})
    source = (
        "{% for tool in tools %}{% if tool.function.name == 'second' %}{{ a + messages[1].content }}{% endif %}{% endfor %}"
    )
    found = shrunk(source, chat)
    assert found.recipe is not None
    left = found.recipe.conversation
    assert (left.tools, left.variables) == (tools[1:], {"a": 1})
    assert left.messages == [CHAT[1], {"role": "assistant", "content": "two"}]


def test_a_predicate_that_the_render_itself_does_not_meet_changes_nothing() -> None:
    template = Template("default", TURNS, {})
    render = template.render_conversation(Conversation("chat", CHAT))
    assert smallest(template, render, lambda other: False) is render


def check(folder: Path, source: str, *arguments: str) -> list[dict[str, Any]]:
    (folder / "chat.jinja").write_text(source, encoding="utf-8")
    done = tpllint("check", "chat.jinja", *arguments, "--output-format", "json", cwd=folder)
    findings: list[dict[str, Any]] = done.json()["findings"]
    return findings


LOSES = TURNS.replace("{% for m in messages %}", "{% for m in messages if m.content != 'three' %}")


def test_a_users_conversation_is_cut_down_to_what_shows_the_finding_and_renders_alike(tmp_path: Path) -> None:
    (tmp_path / "long.json").write_text(json.dumps(CHAT), encoding="utf-8")
    (finding,) = check(tmp_path, LOSES, "--conversation", "long.json", "--select", "role-dropped")
    evidence = finding["evidence"]
    assert evidence["conversation"] == "long.json"
    assert evidence["input"] == {"messages": [{"role": "user", "content": "three"}], "add_generation_prompt": True}
    (tmp_path / "small.json").write_text(json.dumps(evidence["input"]), encoding="utf-8")
    replayed = tpllint("render", "chat.jinja", "--conversation", "small.json", cwd=tmp_path)
    assert replayed.code == 0
    assert replayed.out.rstrip("\n") == evidence["excerpt"]


def test_a_conversation_that_is_shown_as_it_is_has_no_input(tmp_path: Path) -> None:
    (finding,) = check(tmp_path, TURNS, "--select", "generation-prompt-missing")
    assert (finding["evidence"]["conversation"], finding["evidence"]["input"]) == ("user", None)


def test_the_text_shows_the_messages_that_are_left(tmp_path: Path) -> None:
    (tmp_path / "chat.jinja").write_text(LOSES, encoding="utf-8")
    (tmp_path / "long.json").write_text(json.dumps(CHAT), encoding="utf-8")
    done = tpllint("check", "chat.jinja", "--conversation", "long.json", "--select", "role-dropped", cwd=tmp_path)
    assert '= conversation: made from long.json: [{"role": "user", "content": "three"}]\n' in done.out


def test_a_branch_that_nothing_reaches_is_told_to_those_who_ask(tmp_path: Path) -> None:
    shut = TURNS + "{% if messages[0].role == 'systen' %}<|system|>{% endif %}"
    assert [finding["rule"] for finding in check(tmp_path, shut) if finding["rule"] == "unreachable-branch"] == []
    (finding,) = check(tmp_path, shut, "--select", "unreachable-branch")
    assert (finding["line"], finding["column"]) == (1, len(shut) - len("<|system|>{% endif %}") + 1)
