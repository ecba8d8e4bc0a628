"""The conversations that the training never sees, and those of them that are the prompts of tests."""

from __future__ import annotations

import json
from random import Random
from typing import TYPE_CHECKING

from tests.tiny_model.tasks import different

if TYPE_CHECKING:
    from tests.tiny_model.tasks import Conversation

SEED, COUNT = 1001, 96
KINDS = (
    ("say", ""),
    ("swap", ""),
    ("swap", "system"),
    ("after", ""),
    ("after", "system"),
    ("recall", ""),
    ("recall", "history"),
    ("recall", "history system"),
    ("name", "system"),
    ("nothing", ""),
    ("call", "tools"),
    ("result", "history"),
)
"""What the prompts are about, and what their answers need."""


def conversations() -> list[Conversation]:
    """Always the same ones."""
    return different(Random(SEED), COUNT)


def prompts() -> str:
    """The lines of the file of prompts: the first conversation of each kind, and the first with a thought."""
    kept = conversations()
    silent = [made for made in kept if not made.thinking]
    chosen = [next(made for made in silent if (made.about, " ".join(sorted(made.needs))) == kind) for kind in KINDS]
    thinking = next(made for made in kept if made.thinking)
    return "".join(f"{json.dumps(made.as_json())}\n" for made in (*chosen, thinking))
