"""tpllint: a linter and diff tool for chat templates.

The names here are what rule packs import. They are loaded when they are first used.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tpllint.analysis.anatomy import Anatomy, sentinels, spoken
    from tpllint.analysis.markers import CLOSING_MARKER, before_thinking, begins_with_marker, common_prefix, common_suffix
    from tpllint.analysis.model import Model
    from tpllint.analysis.renders import Render, RenderError
    from tpllint.analysis.template import SENTINEL_TOKENS, Template
    from tpllint.api import check, describe, render
    from tpllint.capabilities import CAPABILITIES
    from tpllint.conversations import Conversation, canonical
    from tpllint.quoting import listed, quoted
    from tpllint.rule import Bad, Good, Problem, Related, Rule
    from tpllint.severity import Severity
    from tpllint.span import Place

__version__ = "0.1.0"

_HOMES = {
    "tpllint.analysis.anatomy": ("Anatomy", "sentinels", "spoken"),
    "tpllint.analysis.markers": ("CLOSING_MARKER", "before_thinking", "begins_with_marker", "common_prefix", "common_suffix"),
    "tpllint.analysis.model": ("Model",),
    "tpllint.analysis.renders": ("Render", "RenderError"),
    "tpllint.analysis.template": ("SENTINEL_TOKENS", "Template"),
    "tpllint.api": ("check", "describe", "render"),
    "tpllint.capabilities": ("CAPABILITIES",),
    "tpllint.conversations": ("Conversation", "canonical"),
    "tpllint.quoting": ("listed", "quoted"),
    "tpllint.rule": ("Bad", "Good", "Problem", "Related", "Rule"),
    "tpllint.severity": ("Severity",),
    "tpllint.span": ("Place",),
}
_HOME = {name: home for home, names in _HOMES.items() for name in names}

__all__ = [
    "CAPABILITIES",
    "CLOSING_MARKER",
    "SENTINEL_TOKENS",
    "Anatomy",
    "Bad",
    "Conversation",
    "Good",
    "Model",
    "Place",
    "Problem",
    "Related",
    "Render",
    "RenderError",
    "Rule",
    "Severity",
    "Template",
    "before_thinking",
    "begins_with_marker",
    "canonical",
    "check",
    "common_prefix",
    "common_suffix",
    "describe",
    "listed",
    "quoted",
    "render",
    "sentinels",
    "spoken",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'tpllint' has no attribute {name!r}")
    return getattr(importlib.import_module(_HOME[name]), name)
