"""The files of one model that a door hands over: bytes that were read, and files that could not be read whole."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePath, PurePosixPath
from typing import NamedTuple, TypeVar

from tpllint.job import Fact
from tpllint.span import Lined
from tpllint.tokenizer_head import Head

AnyPath = TypeVar("AnyPath", bound=PurePath)

MAX_TEMPLATE_BYTES = 2_000_000
MAX_JSON_BYTES = 32_000_000
MAX_TOKENIZER_BYTES = 64_000_000
MAX_FILES = 100
"""How many files of one model are read."""

CONFIG = "tokenizer_config.json"
TEMPLATE = "chat_template.jinja"
TEMPLATE_FOLDER = "additional_chat_templates"
LEGACY_TEMPLATE = "chat_template.json"
PROCESSOR = "processor_config.json"
TOKENS_MAP = "special_tokens_map.json"
ADDED_TOKENS = "added_tokens.json"
GENERATION = "generation_config.json"
MODEL_CONFIG = "config.json"
ADAPTER = "adapter_config.json"
TOKENIZER = "tokenizer.json"
"""Read whole only where token ids are asked for: it is large, and no template is in it."""

CONFIGURATIONS = (CONFIG, LEGACY_TEMPLATE, PROCESSOR, TOKENS_MAP)
"""Files in a model's root that hold templates or name special tokens; any of them can be a target."""

NEIGHBOURS = (ADDED_TOKENS, GENERATION, MODEL_CONFIG, ADAPTER)
"""Files beside a template that tell what its tokens are and where the model stops."""

JSON_FILES = (*CONFIGURATIONS, *NEIGHBOURS)
"""The JSON files in a model's root that tpllint reads, where they exist."""


LOCAL = "local"
"""The origin of what lies on this machine or came through standard input."""


def max_bytes(name: str) -> int:
    """The largest size at which a file of this name is read."""
    if name == TOKENIZER:
        return MAX_TOKENIZER_BYTES
    return MAX_JSON_BYTES if name.endswith(".json") else MAX_TEMPLATE_BYTES


def is_readable(path: str) -> bool:
    """Whether a single file of this name is a kind of target."""
    name = PurePosixPath(path)
    return name.suffix == ".jinja" or name.name in CONFIGURATIONS


def root_and_name(path: AnyPath) -> tuple[AnyPath, str]:
    """The folder of the model that a single file belongs to, and the file's name in it."""
    if path.parent.name == TEMPLATE_FOLDER:
        return path.parent.parent, f"{TEMPLATE_FOLDER}/{path.name}"
    return path.parent, path.name


def companions(name: str) -> tuple[str, ...]:
    """The names of the files that are read together with a single one, for its tokens."""
    return JSON_FILES if name.endswith(".jinja") else (TOKENS_MAP, *NEIGHBOURS)


@dataclass(frozen=True)
class ModelFile:
    """One file that was read whole. `name` is its POSIX path inside the model, `shown` the path that findings print."""

    name: str
    shown: str
    data: bytes

    @functools.cached_property
    def lined(self) -> Lined:
        """Its text, in which places are looked for; what is not UTF-8 is replaced."""
        return Lined(self.data.decode("utf-8", "replace"))


class UnreadFile(NamedTuple):
    """A file that is there and was not read whole; `reason` is a clause such as "is larger than 2 MB"."""

    name: str
    shown: str
    reason: str


class ModelFiles(NamedTuple):
    """What one target brought.

    `focus` holds the names of the files the user pointed at; empty for a whole folder or repository. `origin` separates
    strangers from each other: a worker process never serves two of them. `commit` is the one that the files of a model on the
    Hub are of; None for anything else. `listing` names what lies in the folder or repository, read or not, by POSIX path;
    empty where nothing was listed. `facts` are what the door itself found. `base_models` are addresses of the models that this
    one says it was made of. `note` tells a reader what was read where that is not plain. `folder` is the one on this machine
    that the files lie in, and `head` what its tokenizer.json begins with: None where there is no such file. `from_gguf` tells
    that the files are none of their own but the contents of a GGUF file, beside which no other file of the model counts.
    `later` names files that a model on the Hub has, or may have, and that are fetched only when a rule asks for them.
    """

    target: str
    files: Mapping[str, ModelFile]
    focus: frozenset[str] = frozenset()
    origin: str = LOCAL
    unread: tuple[UnreadFile, ...] = ()
    commit: str | None = None
    listing: tuple[str, ...] = ()
    facts: tuple[Fact, ...] = ()
    base_models: tuple[str, ...] = ()
    note: str | None = None
    folder: str | None = None
    head: Head | None = None
    from_gguf: bool = False
    later: tuple[str, ...] = ()

    def shown(self, name: str) -> str:
        """The path that findings print for a file of the listing."""
        shown = {file.name: file.shown for file in self.files.values()} | {file.name: file.shown for file in self.unread}
        known = next((known for known in shown if shown[known].endswith(known)), None)
        return f"{self.target.rstrip('/')}/{name}" if known is None else shown[known].removesuffix(known) + name


def merged(models: Sequence[ModelFiles]) -> ModelFiles:
    """What several arguments in one folder brought, as one model with all their files in focus."""
    if len(models) == 1:
        return models[0]
    files = {name: file for model in models for name, file in model.files.items()}
    focus = frozenset(name for model in models for name in model.focus)
    unread = dict.fromkeys(file for model in models for file in model.unread)
    listing = dict.fromkeys(name for model in models for name in model.listing)
    facts = dict.fromkeys(fact for model in models for fact in model.facts)
    target = " ".join(model.target for model in models)
    return models[0]._replace(
        target=target,
        files=files,
        focus=focus,
        unread=tuple(unread),
        listing=tuple(listing),
        facts=tuple(facts),
    )
