"""A process that turns prompts into token ids with a stranger's tokenizer.json: one tokenizer, then it ends."""

from __future__ import annotations

import base64
import gc
import os
from collections.abc import Sequence
from typing import Any

from tpllint.analysis.errand import answering, confined_request


def main() -> None:
    """Read one request from standard input, and answer on standard output text by text."""
    send = answering()  # the library writes its panics to standard error
    os.environ["TOKENIZERS_PARALLELISM"] = "false"  # a confined process may start no thread
    try:
        import tokenizers
    except ImportError:
        send(kind="no-library")
        return
    request = confined_request(send)
    if request is None:
        return
    try:
        tokenizer = _tokenizer(tokenizers, request.pop("tokenizer"), request["special_tokens"])
        for text in request["texts"]:
            encoding = tokenizer.encode(text, add_special_tokens=False)
            send(kind="tokens", ids=encoding.ids, offsets=encoding.offsets)
        send(kind="done")
    except BaseException as error:  # a panic of the library is no Exception; what it says quotes the file
        send(kind="refused", reason=f"{type(error).__name__}: {error}"[:1000])


def _tokenizer(library: Any, encoded: str, special_tokens: Sequence[str]) -> Any:
    """The tokenizer as apply_chat_template uses it: nothing cut, nothing filled up, every special token known."""
    tokenizer = library.Tokenizer.from_str(base64.b64decode(encoded).decode("utf-8"))
    del encoded
    gc.collect()
    tokenizer.no_truncation()
    tokenizer.no_padding()
    tokenizer.encode_special_tokens = False
    known = {token.content for token in tokenizer.get_added_tokens_decoder().values()}
    tokenizer.add_tokens([library.AddedToken(token, special=True) for token in special_tokens if token and token not in known])
    return tokenizer
