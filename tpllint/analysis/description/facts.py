"""What `describe` tells of a template, as plain data. In every part None means undecided: no render could tell."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from tpllint.analysis.reasoning import Toggle


@dataclass(frozen=True)
class Outcome:
    """What became of a text that was put into a conversation.

    `status` is "shown"; "printed as Python" or "printed as JSON" (the list, not its text); "merged" (into another turn, which
    `message` names); "moved" (`message` tells where to); "dropped"; "rejected" (by the template, in the words of `message`); or
    "fails" (with that error).
    """

    status: str | None = None
    message: str | None = None

    @property
    def works(self) -> bool | None:
        """Whether the text reaches the model in a form meant for it."""
        return None if self.status is None else self.status in ("shown", "merged", "moved")


UNDECIDED = Outcome()


@dataclass(frozen=True)
class Token:
    """A piece of prompt that begins or ends something: its text, the special token it is, and how the source writes it.

    `written` is "variable" (by the token's name) or "literal"; None where the text is no known token.
    """

    text: str
    name: str | None = None
    written: str | None = None


@dataclass(frozen=True)
class RoleDescription:
    """How the turns of one role look. `{role}`, `{name}` and `{id}` in an opener stand for the role, a
    tool's name and a call's id.

    `last_opener` and `last_closer` are those of a final message where they differ. `whitespace` is "kept", "trimmed",
    "trimmed on the left" or "trimmed on the right"; `text` is "as it is", "escaped as JSON", "escaped as HTML", "printed as
    Python" or "rewritten". `parts`, `null`, `missing` and `empty` are what becomes of such content.
    """

    role: str
    outcome: Outcome = UNDECIDED
    opener: str | None = None
    closer: str | None = None
    last_opener: str | None = None
    last_closer: str | None = None
    whitespace: str | None = None
    text: str | None = None
    parts: Outcome = UNDECIDED
    null: str | None = None
    missing: str | None = None
    empty: str | None = None


@dataclass(frozen=True)
class ToolsDescription:
    """Tools and their use. `where` is a clause; `call` is a turn's text between its opener and its closer.

    `definitions_as` and `calls_as` name a format where it is evident. `string_arguments` is "as given", "double-encoded",
    "rewritten", "dropped", "rejected" or "fails".
    """

    definitions: Outcome = UNDECIDED
    where: str | None = None
    definitions_as: str | None = None
    calls: Outcome = UNDECIDED
    call: str | None = None
    calls_as: str | None = None
    object_arguments: Outcome = UNDECIDED
    string_arguments: str | None = None
    text_beside_a_call: Outcome = UNDECIDED
    parallel_calls: Outcome = UNDECIDED
    results: Outcome = UNDECIDED
    parallel_results: Outcome = UNDECIDED
    ids_in_calls: bool | None = None
    ids_in_results: bool | None = None


@dataclass(frozen=True)
class ReasoningDescription:
    """A model's reasoning in the history: in the last answer, in an earlier one, between a call and its result.

    `fields` are the message fields the source names; `opener` and `closer` stand around the reasoning of a last answer.
    `tags_last` and `tags_earlier` tell of reasoning written into the text between `<think>` and `</think>`.
    """

    fields: tuple[str, ...] = ()
    last: Outcome = UNDECIDED
    earlier: Outcome = UNDECIDED
    in_tool_loop: Outcome = UNDECIDED
    opener: str | None = None
    closer: str | None = None
    tags_last: Outcome = UNDECIDED
    tags_earlier: Outcome = UNDECIDED
    toggles: tuple[Toggle, ...] | None = None


@dataclass(frozen=True)
class Variable:
    """A variable that a caller can set: what it counts as when left out, and the literals it meets."""

    name: str
    default: str | None = None
    values: tuple[str, ...] = ()


@dataclass(frozen=True)
class EngineDescription:
    """What an engine makes of a template, by the table of constructs that were measured.

    `takes` is False where no known version takes it as it is; `from_version` is the first that does as far as old versions are
    concerned, None where any does. `unparsed`, `raises` and `differs` are the constructs that no known version parses, that
    all raise at, and that all render otherwise; `newer` those for which `from_version` is needed. `refused_since` is a
    version from which on `refused` are not taken any more.
    """

    engine: str
    takes: bool
    from_version: str | None = None
    newer: tuple[str, ...] = ()
    unparsed: tuple[str, ...] = ()
    raises: tuple[str, ...] = ()
    differs: tuple[str, ...] = ()
    refused_since: str | None = None
    refused: tuple[str, ...] = ()


@dataclass(frozen=True)
class Description:
    """One template's anatomy. `undecided` is the reason why nothing could be learnt from renders, None where something was.

    `beginning` with an empty text means that nothing stands before the first turn. `default_system` is text that a caller's
    system message replaces; `injected` is text that stands in every prompt.
    """

    template: str
    undecided: str | None
    beginning: Token | None = None
    terminator: Token | None = None
    separator: str | None = None
    generation_prompt: str | None = None
    default_system: str | None = None
    injected: str | None = None
    roles: tuple[RoleDescription, ...] = ()
    orders: Mapping[str, Outcome] = field(default_factory=dict)
    tools: ToolsDescription = field(default_factory=ToolsDescription)
    reasoning: ReasoningDescription = field(default_factory=ReasoningDescription)
    images: Outcome = UNDECIDED
    image: str | None = None
    continue_final_message: Outcome = UNDECIDED
    generation_markers: bool | None = None
    variables: tuple[Variable, ...] | None = None
    special_tokens: tuple[str, ...] | None = None
    engines: tuple[EngineDescription, ...] | None = None
    capabilities: Mapping[str, bool | None] = field(default_factory=dict)

    def role(self, name: str) -> RoleDescription:
        """What was learnt of a role."""
        return next((found for found in self.roles if found.role == name), RoleDescription(name))

    def as_json(self) -> dict[str, Any]:
        """The description as a message body."""
        return asdict(self)
