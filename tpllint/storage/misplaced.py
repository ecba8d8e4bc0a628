"""Files that are meant to be chat templates and lie where transformers never looks."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from pathlib import PurePosixPath

from tpllint.sources.files import CONFIG, MODEL_CONFIG, TEMPLATE, TEMPLATE_FOLDER, TOKENIZER

MAX_FILES = 20
"""How many files in wrong places are told."""

SUFFIXES = (".jinja", ".jinja2", ".j2")
OTHER_FOLDERS = ("chat_templates", "chat_template", "additional_chat_template", "additional-chat-templates")
"""What the folder of named templates is not called."""
MEANT = re.compile(r"(tokenizer[-_.]?)?(chat[-_. ]?)?templates?", re.IGNORECASE)
"""Names of a file that can only be the model's chat template where it has no other."""
OF_A_MODEL = (CONFIG, MODEL_CONFIG, TOKENIZER)
"""Files that tell that a folder holds a model of its own."""


def misplaced(listing: Collection[str], *, loads: bool) -> Iterator[tuple[str, str]]:
    """Names of files that look like chat templates and that no loader reads, each with a clause that says why.

    `loads` tells whether the model has any chat template. Where it has none, more names can only mean one.
    """
    for name in listing:
        path = PurePosixPath(name)
        if path.suffix in SUFFIXES:
            why = _always(path) or (None if loads else _for_want_of_another(path, listing))
            if why is not None:
                yield name, why


def _always(path: PurePosixPath) -> str | None:
    folder, is_jinja = path.parent.as_posix(), path.suffix == ".jinja"
    if folder in OTHER_FOLDERS:
        return f"lies in {folder}/, where transformers never looks"
    if path.parts[0] == TEMPLATE_FOLDER and len(path.parts) > 2:
        return f"lies deeper in {TEMPLATE_FOLDER}/ than transformers looks"
    if not is_jinja and (folder == TEMPLATE_FOLDER or path.with_suffix(".jinja").as_posix() == TEMPLATE):
        return f"ends in {path.suffix}, and transformers loads only .jinja files"
    return None


def _for_want_of_another(path: PurePosixPath, listing: Collection[str]) -> str | None:
    folder = path.parent.as_posix()
    if folder == "." and path.name != TEMPLATE and MEANT.fullmatch(path.stem):
        return f"is not called {TEMPLATE}, the only name that transformers reads"
    if (
        folder not in (".", TEMPLATE_FOLDER)
        and path.name == TEMPLATE
        and _is_model(".", listing)
        and not _is_model(folder, listing)
    ):
        return f"lies in {folder}/, and transformers looks in the model's own folder"
    return None


def _is_model(folder: str, listing: Collection[str]) -> bool:
    """Whether a folder holds a model, and not only folders that do."""
    return any((PurePosixPath(folder) / name).as_posix() in listing for name in OF_A_MODEL)
