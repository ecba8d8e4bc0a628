from __future__ import annotations

from collections.abc import Iterator

from tpllint import Good, Model, Problem, Related, Rule, Severity, Template, first_difference, in_words, parted, quoted

BASE = "base model"
"""What the view of the model is called that a GGUF file was made from."""


class GgufTemplateDrift(Rule):
    """The template in a GGUF file renders something else than that of the model it was made from.

    ## What it does
    With `--base-model`, reads from the model card beside the file, or from the head of the file itself, which model it was made
    from (`base_model`), takes the template that the tokenizer of that model loads today, and renders all canonical
    conversations with both. Where the base model is not told or cannot be had, the rule is skipped, and the report says why.

    ## Why is this bad
    A GGUF file keeps the template of the day on which it was converted, and the engines that read it look nowhere else. What
    was repaired in the model since then is not in the file; nor is what the converter changed in the model.

    ## References
    - [llama.cpp issue 12213](https://github.com/ggml-org/llama.cpp/issues/12213)
    - [candle-vllm issue 162](https://github.com/EricLBuehler/candle-vllm/issues/162)
    """

    code = "TPL014"
    name = "gguf-template-drift"
    category = "storage"
    severity = Severity.WARNING
    judges_failures = True
    examples = (Good("{% for m in messages %}<|{{ m.role }}|>{{ m.content }}<|end|>{% endfor %}"),)

    def check_model(self, model: Model) -> Iterator[Problem]:
        own, base = model.view("tokenizer"), model.view(BASE)
        for template in own.templates if own and base else ():
            assert base is not None
            other = base.template(template.name)
            if other is not None and template.failure is None and other.failure is None:
                yield from _drift(template, other)


def _drift(template: Template, other: Template) -> Iterator[Problem]:
    differing = first_difference(template, other)
    if differing is None:
        return
    spans = parted(*differing)
    ours, theirs = (in_words(render, span) for render, span in zip(differing, spans, strict=True))
    repository = other.file.partition("@")[0]
    yield Problem(
        f"the template is not that of {quoted(repository)} any more: it {ours} where that of the base model {theirs}",
        help="convert the model again, or write its template into the file with gguf-py's gguf_new_metadata.py "
        "--chat-template-file",
        template=template,
        render=differing[0],
        shows=spans[0],
        related=(Related("the base model writes it here", template=other, render=differing[1], shows=spans[1]),),
    )
