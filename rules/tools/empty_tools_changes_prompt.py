from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import ClassVar

from tpllint import Bad, Good, Problem, Rule, Severity, Template, in_words, parted

CHAT = "{% for m in messages %}<|{{ m.role }}|>{{ m.content }}<|end|>{% endfor %}"


class EmptyToolsChangesPrompt(Rule):
    """An empty list of tools is not treated like no tools.

    ## What it does
    Renders a user message without tools and with `tools=[]`. What differs, or fails only with the empty list, is information,
    and a warning in the profile agent.

    ## Why is this bad
    Clients send `tools: []` when the user has switched every tool off. The model is told to call functions, and there are none.

    ## References
    - [OpenAI: chat completions](https://platform.openai.com/docs/api-reference/chat/create)
    - [transformers: tool use](https://huggingface.co/docs/transformers/chat_extras)
    """

    code = "TPL411"
    name = "empty-tools-changes-prompt"
    category = "tools"
    severity = Severity.INFO
    only_infos = True
    raised_by: ClassVar[Mapping[str, Severity]] = {"agent": Severity.WARNING}
    examples = (
        Bad(
            "{% if tools is not none %}<|tools|>{{ tools | tojson }}<|end|>{% endif %}" + CHAT,
            says='an empty list of tools is not treated like no tools: it gives "<|tools|>[]<|end|><|user|>"',
            better="{% if tools %}<|tools|>{{ tools | tojson }}<|end|>{% endif %}" + CHAT,
        ),
        Good(CHAT),
    )

    def check_template(self, template: Template) -> Iterator[Problem]:
        without, empty = (template.render(name, generation_prompt=True) for name in ("user", "tools-empty-list"))
        if without.text is None or without.text == empty.text or (empty.error and empty.error.kind not in ("error", "raised")):
            return
        left, right = parted(without, empty)
        added = empty.error is not None or bool((empty.text or "")[slice(*right)])
        change = f"it {in_words(empty, right)}" if added else f"only the latter {in_words(without, left)}"
        yield Problem(
            f"an empty list of tools is not treated like no tools: {change}",
            help="ask whether there are tools, {% if tools %}, and not whether they are none or defined",
            render=empty if added else without,
            shows=right if added else left,
        )
