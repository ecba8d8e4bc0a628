from __future__ import annotations

from collections.abc import Iterator

from tpllint import Bad, Good, Model, Place, Problem, Related, Rule, Severity, Template, first_difference, in_words, parted

CHAT = "{% for m in messages %}<|{{ m.role }}|>{{ m.content }}<|end|>{% endfor %}"
OTHER = CHAT.replace("<|end|>", "<|stop|>")


class TokenizerProcessorMismatch(Rule):
    """The tokenizer and the processor of a model load different templates.

    ## What it does
    Finds the template that each of them loads, and renders all canonical conversations with both, where the files leave no
    doubt that the model has a processor. The tokenizer prefers `.jinja` files and then `tokenizer_config.json`; the processor
    prefers `processor_config.json`, then `chat_template.json`, then `.jinja` files, and never reads `tokenizer_config.json`. It
    is a warning where a processor has no template at all while the tokenizer has one, and an info the other way round.
    [Where templates live](../storage.md) shows both orders.

    ## Why is this bad
    A caller does not know which of the two a framework asks: the same messages become different prompts. Servers commonly ask
    the processor for requests with images and the tokenizer for requests with text, or with tools.

    ## References
    - [transformers: templates of multimodal models](https://huggingface.co/docs/transformers/chat_templating_multimodal)
    """

    code = "TPL007"
    name = "tokenizer-processor-mismatch"
    category = "storage"
    severity = Severity.ERROR
    judges_failures = True
    examples = (
        Bad(
            CHAT,
            files={"chat_template.json": '{"chat_template": "' + OTHER + '"}', "processor_config.json": "{}"},
            says="the processor loads another template than the tokenizer, which loads chat_template.jinja: chat_template.json "
            'gives "<|stop|>" where the tokenizer\'s gives "<|end|>"',
            better_files={"processor_config.json": "{}"},
            better=CHAT,
        ),
        Bad(
            files={
                "tokenizer_config.json": '{"chat_template": "' + CHAT + '"}',
                "processor_config.json": '{"processor_class": "SomeProcessor"}',
            },
            says="the processor loads no chat template: it never reads the one in tokenizer_config.json",
        ),
        Good(
            CHAT,
            files={"chat_template.json": '{"chat_template": "' + CHAT + '"}', "processor_config.json": "{}"},
        ),
        Good(CHAT, files={"tokenizer_config.json": '{"chat_template": "' + OTHER + '"}', "processor_config.json": "{}"}),
    )

    def check_model(self, model: Model) -> Iterator[Problem]:
        for fact in model.facts("no-processor-template"):
            yield Problem(
                f"the processor loads no chat template: it never reads the one in {fact.detail}",
                help="store the template as chat_template.jinja, which both load",
                file=fact.file,
                severity=Severity.WARNING,
            )
        tokenizer, processor = model.view("tokenizer"), model.view("processor")
        if tokenizer is None or processor is None or not processor.certain or processor.default is None:
            return
        if tokenizer.default is not None:
            yield from _compared(processor.default, tokenizer.default)
        elif not tokenizer.templates:
            yield Problem(
                f"the tokenizer loads no chat template: only the processor reads {processor.default.file}",
                help="store the template as chat_template.jinja, which both load",
                template=processor.default,
                place=Place(0, 0),
                severity=Severity.INFO,
            )


def _compared(processors: Template, tokenizers: Template) -> Iterator[Problem]:
    if not (processors.text.strip() and tokenizers.text.strip()):
        return
    differing = first_difference(processors, tokenizers)
    if differing is None:
        return
    spans = parted(*differing)
    ours, theirs = (in_words(render, span) for render, span in zip(differing, spans, strict=True))
    yield Problem(
        f"the processor loads another template than the tokenizer, which loads {tokenizers.file}: {processors.file} {ours} "
        f"where the tokenizer's {theirs}",
        help=f"make both the same, best by one chat_template.jinja and no template in {_legacy(processors, tokenizers)}",
        template=processors,
        place=Place(0, 0),
        render=differing[0],
        shows=spans[0],
        related=(
            Related("this one writes it here", render=differing[0], shows=spans[0]),
            Related("and the tokenizer's here", template=tokenizers, render=differing[1], shows=spans[1]),
        ),
    )


def _legacy(processors: Template, tokenizers: Template) -> str:
    files = dict.fromkeys(template.file for template in (processors, tokenizers) if template.file != "chat_template.jinja")
    return " or ".join(files)
