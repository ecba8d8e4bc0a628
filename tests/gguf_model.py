"""Real GGUF files, written by the package of llama.cpp."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from gguf import GGUFEndian, GGUFWriter, TokenType

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

CHATML = (
    "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)
VOCABULARY = ("<s>", "</s>", "<unk>", "hello", "<|im_start|>", "<|im_end|>", "<tool>")
KINDS = (3, 3, 2, 1, 3, 3, 4)
IDS = {"tokenizer.ggml.bos_token_id": 0, "tokenizer.ggml.eos_token_id": 5, "tokenizer.ggml.unknown_token_id": 2}


def write_gguf(
    path: Path,
    template: str | None = CHATML,
    named: Mapping[str, str] | None = None,
    *,
    entries: Mapping[str, object] | None = None,
    vocabulary: Sequence[str] = VOCABULARY,
    ids_first: bool = False,
    big_endian: bool = False,
) -> Path:
    """A model without weights; `entries` are further metadata: text, whole numbers, truth values and lists of texts."""
    writer = GGUFWriter(path, "llama", endianess=GGUFEndian.BIG if big_endian else GGUFEndian.LITTLE)
    if ids_first:
        _add(writer, IDS)
    if vocabulary:
        _add_vocabulary(writer, vocabulary)
    if not ids_first:
        _add(writer, IDS)
    if named:
        default = [{"name": "default", "template": template}] if template is not None else []
        writer.add_chat_template([*default, *({"name": name, "template": text} for name, text in named.items())])
    elif template is not None:
        writer.add_chat_template(template)
    _add(writer, entries or {})
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def _add_vocabulary(writer: GGUFWriter, vocabulary: Sequence[str]) -> None:
    writer.add_tokenizer_model("gpt2")
    writer.add_token_list(list(vocabulary))
    kinds: Iterable[int] = KINDS if len(vocabulary) == len(KINDS) else [int(TokenType.NORMAL)] * len(vocabulary)
    writer.add_token_types(list(kinds))


def _add(writer: GGUFWriter, entries: Mapping[str, Any]) -> None:
    for key, value in entries.items():
        if isinstance(value, bool):
            writer.add_bool(key, value)
        elif isinstance(value, int):
            writer.add_uint32(key, value)
        elif isinstance(value, str):
            writer.add_string(key, value)
        else:
            writer.add_array(key, value)
