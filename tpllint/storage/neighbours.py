"""What the files around a template tell of the model's tokens."""

from __future__ import annotations

import io
from typing import Any

from tpllint.job import Vocabulary
from tpllint.sources.files import ADDED_TOKENS, CONFIG, GENERATION, MODEL_CONFIG, TOKENIZER, TOKENS_MAP, ModelFiles
from tpllint.storage.reading import Unreadable, json_of
from tpllint.tokenizer_head import Head, read_head
from tpllint.tokens import SpecialTokens
from tpllint.vocabulary import Files, vocabulary


def vocabulary_of(model: ModelFiles, tokens: SpecialTokens) -> Vocabulary:
    """What these files tell. One that cannot be read tells nothing."""

    def told(name: str) -> dict[str, Any] | None:
        try:
            return json_of(model.files[name]) if name in model.files else None
        except Unreadable:
            return None

    files = Files(
        tokenizer_config=told(CONFIG),
        special_tokens_map=told(TOKENS_MAP),
        added_tokens=told(ADDED_TOKENS),
        generation_config=told(GENERATION),
        config=told(MODEL_CONFIG),
        head=_head(model),
        unread=TOKENIZER in model.later,
    )
    return vocabulary(files, tokens.values if tokens.known else {})


def _head(model: ModelFiles) -> Head | None:
    if model.head is None and TOKENIZER in model.files:
        return read_head(io.BytesIO(model.files[TOKENIZER].data))
    return model.head
