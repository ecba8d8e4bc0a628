from __future__ import annotations

from collections.abc import Iterator

from tpllint import Bad, Good, Model, Place, Problem, Related, Rule, Severity, Template, first_difference, in_words, parted

SYNC = "keep one of the two, or make both the same"
SYNC_CONFIG = (
    'make both the same, or delete "chat_template" from tokenizer_config.json: tools that prefer this file, such as '
    "llama.cpp's converter to GGUF, take the one that stands there"
)
TURNS = "{% for m in messages %}<|{{ m.role }}|>{{ m.content }}<|end|>{% endfor %}"
PROMPT = "{% if add_generation_prompt %}<|assistant|>{% endif %}"
STALE = '{\n  "chat_template": "{% for m in messages %}<|{{ m.role }}|>{{ m.content }}</s>{% endfor %}"\n}'


class ShadowedTemplate(Rule):
    """A second template of the model differs from the one that is loaded.

    ## What it does
    Looks at every template that stands where transformers looks and that no loader takes, such as the one in
    `tokenizer_config.json` beside a `chat_template.jinja`, and renders all canonical conversations with it and with the one
    that is loaded in its place. It is an error where a prompt differs, and a warning where only the wording of the template
    does. The same text in both places is fine. [Where templates live](../storage.md) tells which one wins.

    ## Why is this bad
    Which of the two a user gets depends on the tool: transformers prefers `chat_template.jinja`, llama.cpp's converter to GGUF
    prefers `tokenizer_config.json`, and versions of transformers before 4.49 read nothing else. A repair that was made in one
    place never reaches the others.

    ## References
    - [transformers: chat template storage](https://huggingface.co/docs/transformers/chat_templating_writing)
    - [gguf-py: SpecialVocab](https://github.com/ggml-org/llama.cpp/blob/master/gguf-py/gguf/vocab.py)
    """

    code = "TPL004"
    name = "shadowed-template"
    category = "storage"
    severity = Severity.WARNING
    judges_failures = True
    examples = (
        Bad(
            TURNS + PROMPT,
            files={"tokenizer_config.json": STALE},
            says="tokenizer_config.json holds another template than chat_template.jinja, which is loaded instead: it gives "
            '"</s>" where the loaded one gives "<|end|><|assistant|>"',
            better_files={"tokenizer_config.json": "{}"},
            better=TURNS + PROMPT,
        ),
        Bad(
            TURNS,
            files={"tokenizer_config.json": '{"chat_template": "{# 1 #}' + TURNS + '"}'},
            says="tokenizer_config.json holds another wording of the template that is loaded from chat_template.jinja; both "
            "render the same",
        ),
        Good(TURNS, files={"tokenizer_config.json": '{"chat_template": "' + TURNS + '\\n"}'}),
        Good(files={"tokenizer_config.json": '{"chat_template": "' + TURNS + '"}'}),
    )

    def check_model(self, model: Model) -> Iterator[Problem]:
        for copy, winner in model.passed_over():
            if copy.text.rstrip("\n") != winner.text.rstrip("\n") and winner.text.strip():
                yield _problem(copy, winner)


def _problem(copy: Template, winner: Template) -> Problem:
    help = SYNC_CONFIG if copy.file == "tokenizer_config.json" else SYNC
    differing = first_difference(copy, winner)
    if differing is None:
        return Problem(_alike(copy, winner), help, place=Place(0, 0), template=copy)
    spans = parted(*differing)
    ours, theirs = (in_words(render, span) for render, span in zip(differing, spans, strict=True))
    return Problem(
        f"{_told(copy)} holds another template than {_told(winner)}, which is loaded instead: it {ours} "
        f"where the loaded one {theirs}",
        help,
        place=Place(0, 0),
        template=copy,
        severity=Severity.ERROR,
        render=differing[0],
        shows=spans[0],
        related=(
            Related("this one writes it here", render=differing[0], shows=spans[0]),
            Related("and the loaded one here", template=winner, render=differing[1], shows=spans[1]),
        ),
    )


def _alike(copy: Template, winner: Template) -> str:
    if copy.exhausted or winner.exhausted:
        return f"{_told(copy)} holds another template than {_told(winner)}, which is loaded instead"
    return f"{_told(copy)} holds another wording of the template that is loaded from {_told(winner)}; both render the same"


def _told(template: Template) -> str:
    return template.file if template.name == "default" else f'"{template.name}" of {template.file}'
