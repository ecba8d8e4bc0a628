"""The door for live objects: a tokenizer or processor of transformers, as the files that `save_pretrained` would write."""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import PurePosixPath
from typing import Any, Protocol, TypeAlias

from tpllint.report.escape import escape
from tpllint.sources.files import CONFIG, TEMPLATE, TEMPLATE_FOLDER, ModelFile, ModelFiles, UnreadFile, max_bytes
from tpllint.tokens import STANDARD

MAX_NAME = 100
"""How many characters of a tokenizer's `name_or_path` are shown."""
EXPECTED = "a path, a model on the Hub, or a tokenizer or processor, which has a chat_template"


class Tokenizer(Protocol):
    """A tokenizer or processor of transformers, or anything else that keeps a chat template as they do."""

    @property
    def chat_template(self) -> Any:
        """The template, or named templates in a dict, or None."""


Given: TypeAlias = str | os.PathLike[str] | Tokenizer
"""What a Python caller may name as a target."""


def arguments(targets: Sequence[Given]) -> list[str | ModelFiles]:
    """Targets as the other doors take them; a live object is read, and its name is unlike the others'. Raises TypeError."""
    seen: dict[int, ModelFiles] = {}
    names: Counter[str] = Counter()
    found: list[str | ModelFiles] = []
    for target in targets:
        if isinstance(target, str):
            found.append(target)
        elif isinstance(target, os.PathLike):
            found.append(_certainly_a_path(os.fsdecode(target)))
        else:
            if id(target) not in seen:
                name = _name(target)
                names[name] += 1
                seen[id(target)] = read_tokenizer(target, name if names[name] == 1 else f"{name} #{names[name]}")
            found.append(seen[id(target)])
    return found


def read_tokenizer(target: Tokenizer, name: str) -> ModelFiles:
    """The files of a live tokenizer or processor; `name` stands for it in a report. Raises TypeError for anything else."""
    tokenizer = _tokenizer_of(target)
    if not any(hasattr(owner, "chat_template") for owner in (target, tokenizer)):
        raise TypeError(f"{name} is not a target; expected {EXPECTED}")
    configuration = _configuration(tokenizer)
    contents: dict[str, str | Mapping[str, Any]] = {CONFIG: configuration}
    for owner in (tokenizer, target):  # save_pretrained of a processor writes its own over its tokenizer's
        contents.update(_templates(getattr(owner, "chat_template", None), configuration))
    read = [_file(path, f"<{name}>/{path}", content) for path, content in contents.items()]
    files = {file.name: file for file in read if isinstance(file, ModelFile)}
    return ModelFiles(f"<{name}>", files, unread=tuple(file for file in read if isinstance(file, UnreadFile)))


def _certainly_a_path(path: str) -> str:
    """A path that cannot be taken for standard input or for a model on the Hub."""
    return path if path != "-" and os.path.lexists(path) else os.path.join(".", path)


def _name(target: object) -> str:
    """The class, and where the object came from: a stranger may have chosen either."""
    origin = getattr(_tokenizer_of(target), "name_or_path", "")
    words = (type(target).__name__, origin if isinstance(origin, str) else "")
    return " ".join(escape(word, MAX_NAME) for word in words if word)


def _tokenizer_of(target: Any) -> Any:
    """The tokenizer itself, or a processor's; some tokenizers have a `tokenizer` inside that is something else."""
    is_tokenizer = isinstance(getattr(target, "special_tokens_map", None), Mapping)
    return target if is_tokenizer else getattr(target, "tokenizer", None) or target


def _configuration(tokenizer: Any) -> dict[str, Any]:
    """What stands in tokenizer_config.json: a standard token that is not set is null, for a live object tells all it has."""
    tokens = getattr(tokenizer, "special_tokens_map", None)
    if not isinstance(tokens, Mapping):
        return {}
    values = {name: getattr(token, "content", token) for name, token in tokens.items()}
    text = {name: value for name, value in values.items() if isinstance(value, str)}
    told = {"tokenizer_class": type(tokenizer).__name__, **dict.fromkeys(sorted(STANDARD)), **text}
    return told | _added_tokens(tokenizer) | _added_bos(tokenizer)


def _added_tokens(tokenizer: Any) -> dict[str, Any]:
    added = getattr(tokenizer, "added_tokens_decoder", None)
    if not isinstance(added, Mapping):
        return {}
    held = {number: getattr(token, "content", token) for number, token in added.items() if type(number) is int}
    return {"added_tokens_decoder": {str(number): {"content": text} for number, text in held.items() if isinstance(text, str)}}


def _added_bos(tokenizer: Any) -> dict[str, bool]:
    """Whether encoding begins a text with the beginning of sequence, as the tokenizer itself shows; nothing where it fails."""
    try:
        ids = list(tokenizer("")["input_ids"])
        return {} if tokenizer.bos_token_id is None else {"add_bos_token": ids[:1] == [tokenizer.bos_token_id]}
    except Exception:  # a live object is its owner's code, and may raise anything
        return {}


def _templates(held: Any, configuration: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """A file for each template; what is no template goes into the configuration, where its type is judged."""
    if isinstance(held, str):
        yield TEMPLATE, held
    elif isinstance(held, Mapping) and all(isinstance(source, str) for source in held.values()):
        for name, source in held.items():
            yield TEMPLATE if name == "default" else f"{TEMPLATE_FOLDER}/{name}.jinja", source
    elif held is not None:
        configuration["chat_template"] = held


def _file(path: str, shown: str, content: str | Mapping[str, Any]) -> ModelFile | UnreadFile:
    if path.startswith(TEMPLATE_FOLDER) and not _is_inside(path):
        return UnreadFile(path, shown, "has a name that no file in that folder can have")
    try:
        text = content if isinstance(content, str) else json.dumps(content)
        data = text.encode("utf-8")
    except UnicodeEncodeError:
        return UnreadFile(path, shown, "holds a lone surrogate, which no file can hold")
    if len(data) > max_bytes(path):
        return UnreadFile(path, shown, f"is larger than {max_bytes(path) // 1_000_000} MB")
    return ModelFile(path, shown, data)


def _is_inside(path: str) -> bool:
    """Whether a template's name leads to a file in its folder and back."""
    parts = PurePosixPath(path)
    return str(parts.parent) == TEMPLATE_FOLDER and f"{TEMPLATE_FOLDER}/{parts.stem}.jinja" == path and "\0" not in path
