"""tpllint: a linter and diff tool for chat templates.

The names here are what Python callers and rule packs import. They are loaded when they are first used.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tpllint.analysis.anatomy import Anatomy, sentinels, spoken
    from tpllint.analysis.comparison import first_difference, in_words, parted
    from tpllint.analysis.completions import Completion, Completions
    from tpllint.analysis.constructs import Obstacle, Use, obstacles
    from tpllint.analysis.cost.amplification import Amplification, amplifications
    from tpllint.analysis.environment import CLOCK, GeneratedBlock
    from tpllint.analysis.folding import NOT_CONSTANT, Assembly, Folding, Text
    from tpllint.analysis.growth import Growth, growths
    from tpllint.analysis.masks import find_turns, misaligned
    from tpllint.analysis.model import Model, View
    from tpllint.analysis.reasoning import ReasoningTags
    from tpllint.analysis.renders import REASONING_FIELDS, SENTINEL_TOKENS, Render, RenderError
    from tpllint.analysis.scopes import Binding, Names, Read, Scope
    from tpllint.analysis.syntax import asks_for
    from tpllint.analysis.taught import TaughtTurn, generation_tags, masked_renders, taught_turns
    from tpllint.analysis.template import Template
    from tpllint.analysis.tokenizer import Tokenizer
    from tpllint.analysis.turns import Imbalance, TurnMarkers, imbalance, turn_markers
    from tpllint.analysis.variables import FreeVariable
    from tpllint.analysis.vetting.canaries import LONG_TEXT, NEUTRAL, ORDINARY, Planted, called, said_in
    from tpllint.analysis.vetting.encodings import Decoded, decoded, is_sentence
    from tpllint.analysis.vetting.hidden import Hidden, has_foreign_letters, hidden_characters, is_plain, mixed_words, named
    from tpllint.analysis.vetting.interference import Influence, without
    from tpllint.analysis.vetting.phrases import SENTENCE, TOGETHER, Run, runs, words_of
    from tpllint.analysis.vetting.reflection import Attempt
    from tpllint.analysis.vetting.selections import Selection, selections
    from tpllint.analysis.witness import fails_alike
    from tpllint.api import check, describe, diff, render
    from tpllint.capabilities import CAPABILITIES
    from tpllint.conversations import MISSING, TOOL_LOOPS, Conversation, ConversationError, canonical
    from tpllint.conversations.words import (
        ANSWER,
        ARGUMENT,
        CALL_ID,
        INSTRUCTION,
        QUESTION,
        REMARK,
        RESULT,
        SECOND_ANSWER,
        SECOND_ARGUMENT,
        SECOND_QUESTION,
        SECOND_RESULT,
        THOUGHT,
        TOOL,
    )
    from tpllint.difference.diff import Diff
    from tpllint.errors import RepairableError
    from tpllint.finding import Finding, Report
    from tpllint.markers import (
        BARE_MARKER,
        CLOSING_MARKER,
        THINKING,
        before_thinking,
        begins_with_marker,
        common_prefix,
        common_suffix,
    )
    from tpllint.quoting import listed, quoted
    from tpllint.replies import Fit, Generated, Reply
    from tpllint.report.text import as_text
    from tpllint.rule import Bad, Edit, Good, OwnFile, Problem, Related, Rewrite, Rule
    from tpllint.severity import Severity
    from tpllint.small_tokenizer import tokenizer_json
    from tpllint.span import Place

__version__ = "0.1.0"

_HOMES = {
    "tpllint.analysis.anatomy": ("Anatomy", "sentinels", "spoken"),
    "tpllint.analysis.comparison": ("first_difference", "in_words", "parted"),
    "tpllint.analysis.completions": ("Completion", "Completions"),
    "tpllint.analysis.constructs": ("Obstacle", "Use", "obstacles"),
    "tpllint.analysis.cost.amplification": ("Amplification", "amplifications"),
    "tpllint.analysis.environment": ("CLOCK", "GeneratedBlock"),
    "tpllint.analysis.folding": ("NOT_CONSTANT", "Assembly", "Folding", "Text"),
    "tpllint.analysis.growth": ("Growth", "growths"),
    "tpllint.markers": (
        "BARE_MARKER",
        "CLOSING_MARKER",
        "THINKING",
        "before_thinking",
        "begins_with_marker",
        "common_prefix",
        "common_suffix",
    ),
    "tpllint.analysis.masks": ("find_turns", "misaligned"),
    "tpllint.analysis.model": ("Model", "View"),
    "tpllint.analysis.reasoning": ("ReasoningTags",),
    "tpllint.analysis.renders": ("REASONING_FIELDS", "SENTINEL_TOKENS", "Render", "RenderError"),
    "tpllint.analysis.scopes": ("Binding", "Names", "Read", "Scope"),
    "tpllint.analysis.syntax": ("asks_for",),
    "tpllint.analysis.taught": ("TaughtTurn", "generation_tags", "masked_renders", "taught_turns"),
    "tpllint.analysis.template": ("Template",),
    "tpllint.analysis.tokenizer": ("Tokenizer",),
    "tpllint.analysis.turns": ("Imbalance", "TurnMarkers", "imbalance", "turn_markers"),
    "tpllint.analysis.variables": ("FreeVariable",),
    "tpllint.analysis.vetting.canaries": ("LONG_TEXT", "NEUTRAL", "ORDINARY", "Planted", "called", "said_in"),
    "tpllint.analysis.vetting.encodings": ("Decoded", "decoded", "is_sentence"),
    "tpllint.analysis.vetting.hidden": (
        "Hidden",
        "has_foreign_letters",
        "hidden_characters",
        "is_plain",
        "mixed_words",
        "named",
    ),
    "tpllint.analysis.vetting.interference": ("Influence", "without"),
    "tpllint.analysis.vetting.phrases": ("SENTENCE", "TOGETHER", "Run", "runs", "words_of"),
    "tpllint.analysis.vetting.reflection": ("Attempt",),
    "tpllint.analysis.vetting.selections": ("Selection", "selections"),
    "tpllint.analysis.witness": ("fails_alike",),
    "tpllint.api": ("check", "describe", "diff", "render"),
    "tpllint.capabilities": ("CAPABILITIES",),
    "tpllint.conversations": ("MISSING", "TOOL_LOOPS", "Conversation", "ConversationError", "canonical"),
    "tpllint.conversations.words": (
        "ANSWER",
        "ARGUMENT",
        "CALL_ID",
        "INSTRUCTION",
        "QUESTION",
        "REMARK",
        "RESULT",
        "SECOND_ANSWER",
        "SECOND_ARGUMENT",
        "SECOND_QUESTION",
        "SECOND_RESULT",
        "THOUGHT",
        "TOOL",
    ),
    "tpllint.difference.diff": ("Diff",),
    "tpllint.errors": ("RepairableError",),
    "tpllint.finding": ("Finding", "Report"),
    "tpllint.quoting": ("listed", "quoted"),
    "tpllint.replies": ("Fit", "Generated", "Reply"),
    "tpllint.report.text": ("as_text",),
    "tpllint.rule": ("Bad", "Edit", "Good", "OwnFile", "Problem", "Related", "Rewrite", "Rule"),
    "tpllint.severity": ("Severity",),
    "tpllint.small_tokenizer": ("tokenizer_json",),
    "tpllint.span": ("Place",),
}
_HOME = {name: home for home, names in _HOMES.items() for name in names}

__all__ = [
    "ANSWER",
    "ARGUMENT",
    "BARE_MARKER",
    "CALL_ID",
    "CAPABILITIES",
    "CLOCK",
    "CLOSING_MARKER",
    "INSTRUCTION",
    "LONG_TEXT",
    "MISSING",
    "NEUTRAL",
    "NOT_CONSTANT",
    "ORDINARY",
    "QUESTION",
    "REASONING_FIELDS",
    "REMARK",
    "RESULT",
    "SECOND_ANSWER",
    "SECOND_ARGUMENT",
    "SECOND_QUESTION",
    "SECOND_RESULT",
    "SENTENCE",
    "SENTINEL_TOKENS",
    "THINKING",
    "THOUGHT",
    "TOGETHER",
    "TOOL",
    "TOOL_LOOPS",
    "Amplification",
    "Anatomy",
    "Assembly",
    "Attempt",
    "Bad",
    "Binding",
    "Completion",
    "Completions",
    "Conversation",
    "ConversationError",
    "Decoded",
    "Diff",
    "Edit",
    "Finding",
    "Fit",
    "Folding",
    "FreeVariable",
    "Generated",
    "GeneratedBlock",
    "Good",
    "Growth",
    "Hidden",
    "Imbalance",
    "Influence",
    "Model",
    "Names",
    "Obstacle",
    "OwnFile",
    "Place",
    "Planted",
    "Problem",
    "Read",
    "ReasoningTags",
    "Related",
    "Render",
    "RenderError",
    "RepairableError",
    "Reply",
    "Report",
    "Rewrite",
    "Rule",
    "Run",
    "Scope",
    "Selection",
    "Severity",
    "TaughtTurn",
    "Template",
    "Text",
    "Tokenizer",
    "TurnMarkers",
    "Use",
    "View",
    "amplifications",
    "as_text",
    "asks_for",
    "before_thinking",
    "begins_with_marker",
    "called",
    "canonical",
    "check",
    "common_prefix",
    "common_suffix",
    "decoded",
    "describe",
    "diff",
    "fails_alike",
    "find_turns",
    "first_difference",
    "generation_tags",
    "growths",
    "has_foreign_letters",
    "hidden_characters",
    "imbalance",
    "in_words",
    "is_plain",
    "is_sentence",
    "listed",
    "masked_renders",
    "misaligned",
    "mixed_words",
    "named",
    "obstacles",
    "parted",
    "quoted",
    "render",
    "runs",
    "said_in",
    "selections",
    "sentinels",
    "spoken",
    "taught_turns",
    "tokenizer_json",
    "turn_markers",
    "without",
    "words_of",
]


def __dir__() -> list[str]:
    return sorted(__all__)


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'tpllint' has no attribute {name!r}")
    value = globals()[name] = getattr(importlib.import_module(_HOME[name]), name)  # rules ask for two thousand
    return value
