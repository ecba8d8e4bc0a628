"""What is learnt of a template, fact by fact, with the opposite beside it."""

from __future__ import annotations

from typing import Any

import pytest

from tpllint.analysis.description.facts import Description, Outcome, Token, Variable
from tpllint.analysis.description.unreached import coverage_as_json
from tpllint.analysis.template import Template

TOKENS = {"bos_token": "<s>", "eos_token": "</s>"}
CHATML = (
    "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
BRACKETS = (
    "{{ bos_token }}{% for m in messages %}"
    "{% if m.role == 'system' %}{{ raise_exception('no system, please') }}"
    "{% elif m.role == 'user' %}[INST] {{ m.content | trim }} [/INST]"
    "{% elif m.role == 'assistant' %} {{ m.content }}{{ eos_token }}"
    "{% endif %}{% endfor %}"
)
TOOLS = (
    "{% if tools %}<|system|>{% if messages[0].role == 'system' %}{{ messages[0].content }}{% endif %}"
    "{{ tools | tojson }}<|end|>{% endif %}"
    "{% for m in messages %}{% if not (m.role == 'system' and tools) %}"
    "{% if m.role == 'tool' %}<|tool|>{{ m.tool_call_id }}: {{ m.content | tojson }}<|end|>"
    "{% else %}<|{{ m.role }}|>{{ m.content }}"
    "{% for c in m.tool_calls or [] %}<call>{{ c.function.name }}{{ c.function.arguments | tojson }}</call>{% endfor %}"
    "<|end|>{% endif %}{% endif %}{% endfor %}{% if add_generation_prompt %}<|assistant|>{% endif %}"
)
THINKING = (
    "{% for m in messages %}<|{{ m.role }}|>"
    "{% if m.reasoning_content and loop.last %}<think>{{ m.reasoning_content }}</think>{% endif %}"
    "{{ m.content }}<|end|>{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>{% if enable_thinking is defined and not enable_thinking %}"
    "<think></think>{% endif %}{% endif %}"
)


def described(source: str, **options: Any) -> Description:
    return Template("default", source, TOKENS, **options).description


def prompted(body: str) -> str:
    """A template whose messages look like this."""
    return "{% for m in messages %}" + body + "{% endfor %}{% if add_generation_prompt %}<|assistant|>{% endif %}"


def test_turns_are_told_apart_into_opener_and_closer() -> None:
    found = described(CHATML)
    turns = {role.role: (role.opener, role.closer) for role in found.roles}
    assert turns["user"] == ("<|im_start|>user\n", "<|im_end|>\n")
    assert turns["assistant"] == ("<|im_start|>assistant\n", "<|im_end|>\n")
    assert turns["system"] == ("<|im_start|>system\n", "<|im_end|>\n")
    assert turns["other"] == ("<|im_start|>{role}\n", "<|im_end|>\n")
    assert found.generation_prompt == "<|im_start|>assistant\n"


def test_a_default_system_text_does_not_become_part_of_the_users_opener() -> None:
    default = "{% if messages[0].role != 'system' %}<|im_start|>system\nBe kind.<|im_end|>\n{% endif %}"
    found = described(default + CHATML)
    assert found.default_system == "Be kind."
    assert found.injected == ""
    assert found.role("user").opener == "<|im_start|>user\n"


def test_text_in_every_prompt_is_no_default() -> None:
    always = "<|im_start|>system\nKnowledge ends in May.<|im_end|>\n"
    found = described(always + CHATML)
    assert found.default_system == ""
    assert found.injected is not None
    assert "Knowledge ends in May." in found.injected


def test_a_first_token_is_told_with_its_name_and_how_it_is_written() -> None:
    assert described(BRACKETS).beginning == Token("<s>", "bos_token", "variable")
    assert described(BRACKETS.replace("{{ bos_token }}", "<s>")).beginning == Token("<s>", "bos_token", "literal")
    assert described(CHATML).beginning == Token("")


def test_what_ends_an_answer_is_named_where_it_is_a_known_token() -> None:
    assert described(BRACKETS).terminator == Token("</s>", "eos_token", "variable")
    assert described(CHATML).terminator == Token("<|im_end|>")


def test_tokens_that_no_file_declares_are_not_taken_for_written_out_ones() -> None:
    written_out = BRACKETS.replace("{{ eos_token }}", "</s>")
    assert described(written_out, tokens_known=False).terminator == Token("</s>")


def test_a_refused_role_is_told_with_the_templates_words() -> None:
    found = described(BRACKETS)
    assert found.role("system").outcome == Outcome("rejected", "no system, please")
    assert found.role("developer").outcome == Outcome("dropped")
    assert found.capabilities["system"] is False


def test_a_system_text_inside_the_users_turn_is_merged() -> None:
    merged = (
        "{% for m in messages %}{% if m.role == 'user' %}[INST] "
        "{% if loop.index0 == 1 and messages[0].role == 'system' %}<<{{ messages[0].content }}>>{% endif %}"
        "{{ m.content }} [/INST]{% elif m.role == 'assistant' %} {{ m.content }}</s>{% endif %}{% endfor %}"
    )
    system = described(merged).role("system")
    assert system.outcome == Outcome("merged", "into the user turn")
    assert (system.opener, system.closer) == ("<<", ">>")
    assert described(CHATML).role("system").outcome == Outcome("shown")


@pytest.mark.parametrize(
    ("code", "whitespace", "text"),
    [
        ("{{ m.content }}", "kept", "as it is"),
        ("{{ m.content | trim }}", "trimmed", "as it is"),
        ("{{ m.content.rstrip() }}", "trimmed on the right", "as it is"),
        ("{{ m.content | tojson }}", "kept", "escaped as JSON"),
        ("{{ m.content | e }}", "kept", "escaped as HTML"),
        ("{{ m.content | upper }}", None, None),
    ],
)
def test_the_treatment_of_content_is_learnt_from_a_text_with_blanks_and_quotes(
    code: str, whitespace: str | None, text: str | None
) -> None:
    user = described(prompted(f"<|{{{{ m.role }}}}|>{code}<|end|>")).role("user")
    assert (user.whitespace, user.text) == (whitespace, text)


def test_a_list_of_parts_is_read_or_printed_or_refused() -> None:
    reads = "{% if m.content is string %}{{ m.content }}{% else %}{% for p in m.content %}{{ p.text }}{% endfor %}{% endif %}"
    assert described(prompted(f"<|u|>{reads}<|end|>")).role("user").parts == Outcome("shown")
    assert described(prompted("<|u|>{{ m.content }}<|end|>")).role("user").parts == Outcome("printed as Python")
    assert described(prompted("<|u|>{{ m.content | tojson }}<|end|>")).role("user").parts == Outcome("printed as JSON")
    assert described(prompted("<|u|>{{ m.content + '<|end|>' }}")).role("user").parts.status == "fails"


def test_null_content_is_compared_with_empty_content() -> None:
    assert described(CHATML).role("user").null == "None is written"
    assert described(prompted("<|u|>{{ m.content or '' }}<|end|>")).role("user").null == "as empty text"


def test_orders_of_messages_are_accepted_or_refused_by_themselves() -> None:
    strict = "{% if messages[0].role == 'assistant' %}{{ raise_exception('the user first') }}{% endif %}"
    assert described(strict + CHATML).orders["answer first"] == Outcome("rejected", "the user first")
    assert described(CHATML).orders["answer first"] == Outcome("shown")


def test_tools_calls_and_results_are_found() -> None:
    tools = described(TOOLS).tools
    assert tools.definitions == Outcome("shown")
    assert tools.definitions_as == "JSON"
    assert tools.where == "in the system turn, after its text"
    assert tools.call == '<call>lookup_kelp{"place": "harbour-jasper", "days": 3}</call>'
    assert tools.string_arguments == "double-encoded"
    assert tools.parallel_calls == Outcome("shown")
    assert (tools.ids_in_calls, tools.ids_in_results) == (False, True)


def test_the_opener_of_a_tools_result_shows_where_the_id_stands() -> None:
    tool = described(TOOLS).role("tool")
    assert (tool.opener, tool.closer) == ('<|tool|>{id}: "', '"<|end|>')
    assert tool.text == "escaped as JSON"


def test_a_template_without_tools_drops_them() -> None:
    found = described(CHATML)
    assert found.tools.definitions == Outcome("dropped")
    assert found.tools.calls == Outcome("dropped")
    assert found.capabilities["tools"] is False
    assert found.capabilities["tool-results"] is True


def test_only_the_first_of_parallel_calls_is_not_parallel_calls() -> None:
    first = TOOLS.replace("in m.tool_calls or []", "in (m.tool_calls or [])[:1]")
    assert described(first).capabilities["parallel-calls"] is False


def test_reasoning_is_told_for_the_last_answer_and_for_earlier_ones() -> None:
    reasoning = described(THINKING).reasoning
    assert reasoning.fields == ("reasoning_content",)
    assert (reasoning.last.status, reasoning.earlier.status) == ("shown", "dropped")
    assert (reasoning.opener, reasoning.closer) == ("<think>", "</think>")
    assert described(CHATML).capabilities["reasoning"] is False


def test_a_toggle_is_told_with_its_default_and_what_it_changes() -> None:
    (toggle,) = described(THINKING).reasoning.toggles or ()
    assert (toggle.name, toggle.unset, toggle.acts_on) == ("enable_thinking", "true", ("generation prompt",))
    assert (toggle.on, toggle.off) == ("", "<think></think>")
    off = THINKING.replace("enable_thinking is defined and not enable_thinking", "not enable_thinking")
    (toggle,) = described(off).reasoning.toggles or ()
    assert toggle.unset == "false"


def test_a_variable_that_changes_nothing_is_no_toggle() -> None:
    inert = CHATML + "{% if enable_thinking %}{% endif %}"
    found = described(inert)
    assert [toggle.unset for toggle in found.reasoning.toggles or ()] == ["either"]
    assert found.capabilities["thinking-toggle"] is False
    assert described(THINKING).capabilities["thinking-toggle"] is True


def test_variables_are_what_a_caller_can_set_with_the_defaults_of_the_source() -> None:
    source = (
        "{% if not effort is defined %}{% set effort = 'low' %}{% endif %}{{ effort }}{{ style | default('plain') }}"
        "{% if mode in ['a', 'b'] %}{% set local = 1 %}{% endif %}{{ local }}{{ bos_token }}{% set own = 1 %}{{ own }}"
    )
    found = described(source + CHATML)
    assert found.variables == (
        Variable("effort", '"low"', ()),
        Variable("mode", None, ('"a"', '"b"')),
        Variable("style", '"plain"', ()),
    )
    assert found.special_tokens == ("bos_token",)


def test_an_image_leaves_a_placeholder_or_nothing() -> None:
    part = "{% for p in m.content %}{% if p.type == 'image' %}<|image|>{% else %}{{ p.text }}{% endif %}{% endfor %}"
    reads = "<|u|>{% if m.content is string %}{{ m.content }}{% else %}" + part + "{% endif %}<|end|>"
    assert described(prompted(reads)).image == "<|image|>"
    without = described(prompted(reads.replace("<|image|>", "")))
    assert (without.image, without.images, without.capabilities["images"]) == (None, Outcome("dropped"), False)


def test_generation_markers_are_seen() -> None:
    marked = prompted("<|{{ m.role }}|>{% generation %}{{ m.content }}<|end|>{% endgeneration %}")
    assert described(marked).generation_markers is True
    assert described(CHATML).generation_markers is False


def test_where_a_plain_chat_fails_only_the_source_is_described() -> None:
    found = described("{{ raise_exception('never') }}{{ style }}")
    assert found.undecided == "a plain chat does not render: never"
    assert found.variables == (Variable("style"),)
    assert (found.roles, found.capabilities, found.beginning) == ((), {}, None)


def test_where_a_tool_loop_cannot_be_rendered_its_parts_are_undecided() -> None:
    refuses = "{% for m in messages %}{% if m.tool_calls %}{{ m.__class__.__mro__ }}{% endif %}{% endfor %}"
    found = described(refuses + CHATML)
    assert found.capabilities["tool-calls"] is None
    assert found.capabilities["system"] is True


def test_code_that_is_not_reached_is_told_with_what_guards_it() -> None:
    source = CHATML + "{% if messages[0].role == 'critic' %}a{% if x %}b{% endif %}{% else %}c{% endif %}"
    template = Template("default", source, TOKENS)
    assert template.syntax is not None
    (missed,) = coverage_as_json(template.syntax, template.tracing.coverage or ())["unreached"]
    assert source[missed["start"] : missed["end"]] == "a{% if x %}b{% endif %}"
    assert missed["conditions"] == ["messages[0].role == 'critic'"]
    assert (missed["names"], missed["literals"], missed["needs"]) == (["messages[0].role"], ['"critic"'], "true")


def test_an_else_that_is_not_reached_names_the_conditions_that_have_to_fail() -> None:
    source = CHATML + "{% if messages is defined %}a{% elif tools == 7 %}b{% else %}c{% endif %}"
    template = Template("default", source, TOKENS)
    assert template.syntax is not None
    missed = coverage_as_json(template.syntax, template.tracing.coverage or ())["unreached"]
    assert [item["needs"] for item in missed] == ["true", "false"]
    assert missed[1]["conditions"] == ["messages is defined", "tools == 7"]
