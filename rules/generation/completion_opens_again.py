from __future__ import annotations

from collections.abc import Iterator

from tpllint import Bad, Good, Problem, Reply, Rule, Severity, Template, quoted

TURNS = "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"
TEMPLATE = TURNS + "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"


class CompletionOpensAgain(Rule):
    """The model begins its answer with the header of an answer.

    ## What it does
    Compares how each answer begins with the generation prompt, and with what opens an answer in the history: the whole
    header, or the words in it on a line of their own, such as `assistant`.

    ## Why is this bad
    The generation prompt is not there, or it is not what the model knows as the beginning of its turn: it writes that first.
    Callers show the header as a part of the answer, and a continued chat has it twice.

    ## References
    - [transformers: generation prompts](https://huggingface.co/docs/transformers/chat_templating)
    """

    code = "TPL956"
    name = "completion-opens-again"
    category = "generation"
    severity = Severity.ERROR
    judges_replies = True
    examples = (
        Bad(
            TURNS,
            replies=(
                Reply("user", "<|im_start|>assistant\nParis", "<|im_end|>", tokens=5, limit=64, control=("<|im_start|>",)),
            ),
            says='the model begins its answer with "<|im_start|>assistant", which no generation prompt has written',
            better=TEMPLATE,
            better_replies=(Reply("user", "Paris", "<|im_end|>", tokens=2, limit=64),),
        ),
        Bad(
            TEMPLATE,
            replies=(
                Reply("user", "assistant\nParis", "<|im_end|>", tokens=4, limit=64),
                Reply("system-user", "assistant\nPARIS", "<|im_end|>", tokens=4, limit=64),
            ),
            says='the model begins its answer with "assistant", though the generation prompt "<|im_start|>assistant\\n" has '
            "opened it, in 2 of 2 answers",
        ),
        Good(TEMPLATE, replies=(Reply("user", "assistants are people who help", "<|im_end|>", tokens=7, limit=64),)),
        Good(TEMPLATE, replies=(Reply("user", "Paris", "<|im_end|>", tokens=2, limit=64),)),
        Good(TURNS, replies=(Reply("user", "Paris", "<|im_end|>", tokens=2, limit=64),)),
    )

    def check_template(self, template: Template) -> Iterator[Problem]:
        completions, prompt = template.completions, template.anatomy.generation_prompt
        why = (
            f"though the generation prompt {quoted(prompt)} has opened it"
            if prompt
            else "which no generation prompt has written"
        )
        found = [one for one in completions.all if one.header]
        if found:
            yield Problem(
                f"the model begins its answer with {quoted(found[0].header or '')}, {why}{completions.among(found)}",
                help="write with add_generation_prompt exactly what opened an answer when the model was trained",
                render=found[0].render,
            )
