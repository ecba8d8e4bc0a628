"""The door for standard input: a Jinja template, or a JSON object that is taken as tokenizer_config.json."""

from __future__ import annotations

from typing import BinaryIO

from tpllint.errors import RepairableError
from tpllint.sources.files import CONFIG, MAX_JSON_BYTES, TEMPLATE, ModelFile, ModelFiles, UnreadFile, max_bytes

SHOWN = "<stdin>"


def read_stdin(stream: BinaryIO | None) -> ModelFiles:
    """The model that arrives on a stream. Raises RepairableError where nothing arrives."""
    if stream is None:
        raise RepairableError("empty-input", "standard input is closed", "pipe a template into tpllint check -")
    data = stream.read(MAX_JSON_BYTES + 1)
    if not data.strip():
        raise RepairableError("empty-input", "nothing arrived on standard input", "pipe a template into tpllint check -")
    name = CONFIG if _is_object(data) else TEMPLATE
    focus = frozenset({name})
    if len(data) > max_bytes(name):
        reason = f"is larger than {max_bytes(name) // 1_000_000} MB"
        return ModelFiles("-", {}, focus, unread=(UnreadFile(name, SHOWN, reason),))
    return ModelFiles("-", {name: ModelFile(name, SHOWN, data)}, focus)


def _is_object(data: bytes) -> bool:
    """Whether it begins like a JSON object; `{{`, `{%` and `{#` begin a template."""
    begin = data.lstrip()
    return begin[:1] == b"{" and begin[1:].lstrip()[:1] in (b'"', b"}") and begin[1:2] not in (b"{", b"%", b"#")
