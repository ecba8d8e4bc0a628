from __future__ import annotations

from collections.abc import Iterator

from tpllint import Bad, Good, Model, Problem, Rule, Severity


def gguf(key: str, text: str) -> str:
    """The smallest of GGUF files: no tensors, and one entry of metadata, shorter than 128 bytes."""
    rest = "\0" * 7
    return f"GGUF\3\0\0\0\0{rest}\1{rest}{chr(len(key))}{rest}{key}\10\0\0\0{chr(len(text))}{rest}{text}"


WITH_TEMPLATE = gguf("tokenizer.chat_template", "{{ messages[0].content }}")


class GgufMissingTemplate(Rule):
    """A GGUF file holds no chat template.

    ## What it does
    Looks for the key `tokenizer.chat_template` in the metadata of a .gguf file. A template under another name, such as
    `tokenizer.chat_template.tool_use`, does not stand in for it.

    ## Why is this bad
    llama.cpp and what is built on it fall back to ChatML without a word, whatever format the model was trained on.

    ## References
    - [GGUF: the format](https://github.com/ggml-org/ggml/blob/master/docs/gguf.md)
    - [llama.cpp: templates it supports](https://github.com/ggml-org/llama.cpp/wiki/Templates-supported-by-llama_chat_apply_template)
    """

    code = "TPL015"
    name = "gguf-missing-template"
    category = "storage"
    severity = Severity.WARNING
    static = True
    examples = (
        Bad(
            files={"model.gguf": gguf("general.name", "new")},
            says="model.gguf holds no tokenizer.chat_template: llama.cpp falls back to ChatML",
            better_files={"model.gguf": WITH_TEMPLATE},
        ),
        Bad(
            files={"model.gguf": gguf("tokenizer.chat_template.tool_use", "hi")},
            says="model.gguf holds no tokenizer.chat_template, only tokenizer.chat_template.tool_use: "
            "llama.cpp falls back to ChatML",
        ),
        Good(files={"model.gguf": WITH_TEMPLATE}),
    )

    def check_model(self, model: Model) -> Iterator[Problem]:
        for fact in model.facts("gguf-without-template"):
            only = f", {fact.detail}" if fact.detail else ""
            yield Problem(
                f"{fact.name} holds no tokenizer.chat_template{only}: llama.cpp falls back to ChatML",
                help="convert the model again with its template beside it, or run gguf-new-metadata --chat-template-file; "
                "ignore this rule for a model that is not for chat",
                file=fact.file,
            )
