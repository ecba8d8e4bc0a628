from __future__ import annotations

from collections.abc import Iterator

from tpllint import Bad, Good, Problem, Reply, Rule, Severity, Template, quoted

TEMPLATE = (
    "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
IN_WORDS = (
    "{% for m in messages %}{{ '### ' + m.role | capitalize + ':\n' + m.content + '\n\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '### Assistant:\n' }}{% endif %}"
)
WITH_CALLS = (
    "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}{% for call in m.tool_calls %}<tool_call>"
    "{{ call.function | tojson }}</tool_call>{% endfor %}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)


class CompletionWritesAnotherTurn(Rule):
    """The model opens another turn inside of its answer.

    ## What it does
    Looks in answers for what opens a turn in the template, such as `<|user|>`, or `### User:` at the beginning of a line, and
    for special tokens that stand between turns: the beginning of sequence, and those whose name says that they are about
    users, assistants, turns or ends. Tokens that the template itself writes inside of answers belong there: the tags of
    reasoning and of tool calls. So does what the conversation speaks of. Of answers that pass their own end
    [completion-never-stops](completion-never-stops.md) and [completion-stops-elsewhere](completion-stops-elsewhere.md) tell.

    ## Why is this bad
    The model does not know where its turn ends. It asks and answers for the user, and callers show that as one answer.

    ## References
    - [transformers: writing a chat template](https://huggingface.co/docs/transformers/chat_templating_writing)
    """

    code = "TPL954"
    name = "completion-writes-another-turn"
    category = "generation"
    severity = Severity.ERROR
    judges_replies = True
    examples = (
        Bad(
            IN_WORDS,
            replies=(Reply("user", "Paris\n\n### User:\nAnd of Spain?", "</s>", tokens=14, limit=64),),
            says='the model writes "### User:" in its answer "Paris\\n\\n### User:\\nAnd of Spain?"',
        ),
        Bad(
            TEMPLATE,
            replies=(
                Reply("user", "Paris\n<|im_start|>user\nAnd", "<|im_end|>", tokens=6, limit=64, control=("<|im_start|>",)),
                Reply("system-user", "PARIS", "<|im_end|>", tokens=2, limit=64),
            ),
            says='the model writes "<|im_start|>user" in its answer "Paris\\n<|im_start|>user\\nAnd", in 1 of 2 answers',
        ),
        Bad(
            IN_WORDS,
            replies=(Reply("user", "Paris<|end_of_turn|>", "</s>", tokens=3, limit=64, control=("<|end_of_turn|>",)),),
            says='the model writes "<|end_of_turn|>" in its answer "Paris<|end_of_turn|>"',
        ),
        Good(IN_WORDS, replies=(Reply("user", "Write ### User: before what the user says.", "</s>", tokens=12, limit=64),)),
        Good(
            WITH_CALLS,
            replies=(
                Reply(
                    "tools-declared",
                    '<tool_call>{"name": "lookup_kelp", "arguments": {"place": "Oslo"}}</tool_call>',
                    "<|im_end|>",
                    tokens=20,
                    limit=64,
                    control=("<tool_call>", "</tool_call>"),
                ),
            ),
        ),
        Good(
            TEMPLATE,
            replies=(
                Reply(
                    "user", "<|box|>5<|end_of_box|>", "<|im_end|>", tokens=4, limit=64, control=("<|box|>", "<|end_of_box|>")
                ),
            ),
        ),
    )

    def check_template(self, template: Template) -> Iterator[Problem]:
        completions = template.completions
        found = [one for one in completions.all if one.another_turn and not one.goes_on]
        for word in dict.fromkeys(one.another_turn for one in found):
            same = [one for one in found if one.another_turn == word]
            yield Problem(
                f"the model writes {quoted(word or '')} in its answer {quoted(same[0].text)}{completions.among(same)}",
                help="mark turns in the template as the model was trained to read them, and end them with what stops it",
                render=same[0].render,
            )
