from __future__ import annotations

from collections.abc import Iterator

from tpllint import Bad, Good, Problem, Reply, Rule, Severity, Template, quoted

TEMPLATE = (
    "{{ bos_token }}{{ bos_token }}{% for m in messages %}[{{ m.role }}]{{ m.content }}</s>{% endfor %}"
    "{% if add_generation_prompt %}[assistant]{% endif %}"
)
TOKENS = '{"bos_token": "<s>", "eos_token": "</s>"}'


class DoubleBosInIds(Rule):
    """The ids that the model reads begin with two beginnings of sequence.

    ## What it does
    Counts the beginnings of sequence at the front of the ids that `apply_chat_template(tokenize=True)` makes of a prompt: what
    the tokenizer really does, whatever its files say.

    ## Why is this bad
    Models are trained with one. Answers get worse with two, and nothing says so.

    ## References
    - [double-bos-on-encode](double-bos-on-encode.md), which reads it from the files, for callers who encode the text themselves
    - [llama.cpp issue 7066](https://github.com/ggml-org/llama.cpp/pull/7066)
    """

    code = "TPL957"
    name = "double-bos-in-ids"
    category = "generation"
    severity = Severity.ERROR
    judges_replies = True
    examples = (
        Bad(
            TEMPLATE,
            files={"tokenizer_config.json": TOKENS},
            replies=(Reply("user", "Paris", "</s>", tokens=2, limit=64, bos=2),),
            says='the ids of the prompt begin with 2 beginnings of sequence ("<s>")',
        ),
        Good(
            TEMPLATE.replace("{{ bos_token }}{{ bos_token }}", "{{ bos_token }}"),
            files={"tokenizer_config.json": TOKENS},
            replies=(Reply("user", "Paris", "</s>", tokens=2, limit=64, bos=1),),
        ),
        Good(
            TEMPLATE.replace("{{ bos_token }}", ""),
            files={"tokenizer_config.json": TOKENS},
            replies=(Reply("user", "Paris", "</s>", tokens=2, limit=64),),
        ),
    )

    def check_template(self, template: Template) -> Iterator[Problem]:
        completions = template.completions
        bos = completions.special("bos_token")
        found = [one for one in completions.all if one.reply.bos > 1]
        if found:
            yield Problem(
                f"the ids of the prompt begin with {found[0].reply.bos} beginnings of sequence"
                f"{f' ({quoted(bos)})' if bos else ''}{completions.among(found, 'prompts')}",
                help="write bos_token once, at the beginning of the template, or leave it to the tokenizer",
                render=found[0].render,
                shows=(0, len(bos)),
            )
