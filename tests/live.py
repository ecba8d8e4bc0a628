"""Real tokenizers and processors of transformers, as small as they can be."""

from __future__ import annotations

from typing import Any

from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from transformers import PreTrainedTokenizerFast, ProcessorMixin

GOOD = (
    "{{ bos_token }}{% for m in messages %}<|{{ m.role }}|>{{ m.content }}{{ eos_token }}\n{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>{% endif %}"
)
NO_PROMPT = "{{ bos_token }}{% for m in messages %}<|{{ m.role }}|>{{ m.content }}{{ eos_token }}\n{% endfor %}"
TOKENS = {"bos_token": "<s>", "eos_token": "</s>"}


class Processor(ProcessorMixin):
    """A processor of nothing but text."""

    def __init__(self, tokenizer: Any = None, chat_template: Any = None) -> None:
        mixin: Any = super()
        mixin.__init__(tokenizer, chat_template=chat_template)


def tokenizer(template: Any, **settings: Any) -> Any:
    """A tokenizer of three words with this chat template."""
    made: Any = PreTrainedTokenizerFast
    words = Tokenizer(WordLevel({"<s>": 0, "</s>": 1, "<unk>": 2}, unk_token="<unk>"))
    return made(tokenizer_object=words, chat_template=template, **{**TOKENS, **settings})
