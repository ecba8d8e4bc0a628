"""How a template treats a model's reasoning, learnt from renders.

What stands around it, which variables steer it, what the generation prompt opens of it and what the history replays. Tags may
be any markers: they are what stands around the sentinel of a thought, or what an answer is cut at.
"""

from __future__ import annotations

import functools
import itertools
import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, NamedTuple

from jinja2 import nodes

from tpllint.analysis.anatomy import REASONING
from tpllint.analysis.renders import REASONING_FIELDS, Render
from tpllint.analysis.scopes import Read
from tpllint.analysis.variables import FreeVariable, compared_with
from tpllint.conversations import MISSING, TOOL_LOOPS, Conversation, canonical
from tpllint.conversations.words import ANSWER, ARGUMENT, QUESTION, SECOND_QUESTION, THOUGHT
from tpllint.markers import BARE_MARKER, THINKING, common_prefix, first_marker, gaps

if TYPE_CHECKING:
    from tpllint.analysis.template import Template

OPEN, CLOSE = "<think>", "</think>"
"""The tags in the canonical conversations; a template that has others is asked with its own."""
OPEN_LOOP = "reasoning-in-open-tool-loop"
EVERY_FIELD, ASKED_AGAIN = "every-reasoning-field", "every-reasoning-field-and-question"
CALL_IN_OPEN_REASONING = "call-in-open-reasoning"
LONE_CLOSER, LONE_CLOSER_LAST = "lone-closer", "lone-closer-last"
WHERE_IT_SHOWS = ("reasoning-last", "reasoning-old", OPEN_LOOP)
ASKED = {"generation prompt": ("user", True), "history": ("reasoning-old", False)}
LIKELY = ("user", "reasoning-old", "reasoning-last", "tools-declared", OPEN_LOOP, EVERY_FIELD, ASKED_AGAIN)
"""Where a variable about reasoning acts if it acts at all; asked before everything else is."""
BOOLEANS = {"true": True, "false": False, "none": None}
MOST_CONTROLS, MOST_TOGGLES, MOST_VALUES, MOST_CLOSERS = 12, 4, 6, 6

State = tuple[tuple[str, Any], ...]
"""Variables and their values, as a caller passes them; empty where nothing is passed."""


@dataclass(frozen=True)
class ReasoningTags:
    """A pair of markers around reasoning, without the blanks beside them."""

    open: str
    close: str

    @functools.cached_property
    def block(self) -> re.Pattern[str]:
        """Both with nothing between them."""
        return re.compile(rf"{re.escape(self.open)}\s*{re.escape(self.close)}\s*")


@dataclass(frozen=True)
class Toggle:
    """A variable about reasoning that may be true or false.

    `unset` is what leaving it out equals: "true", "false", "neither" or "either" (it changes nothing that was asked).
    `on` and `off` are what a prompt ends with, from where the two part. `acts_on` holds "beginning" (what stands before the
    user's text), "generation prompt" and "history", as far as they change.
    """

    name: str
    unset: str | None
    on: str | None = None
    off: str | None = None
    acts_on: tuple[str, ...] = ()


class Control(NamedTuple):
    """A variable about reasoning, and the values that the source compares it with; true and false where it names no other."""

    variable: FreeVariable
    values: tuple[Any, ...]

    @property
    def name(self) -> str:
        """The variable's name."""
        return self.variable.name

    @property
    def is_toggle(self) -> bool:
        """Whether it is true or false, as far as the source tells."""
        return all(value is None or isinstance(value, bool) for value in self.values)


class Reasoning:
    """Everything about reasoning that several rules and `describe` ask for. None where the renders that tell do not exist."""

    def __init__(self, template: Template) -> None:
        self._template = template
        self._anatomy = template.anatomy
        self._conversations: dict[tuple[str, State], Conversation] = {}

    @functools.cached_property
    def mentioned(self) -> bool:
        """Whether the source says a word about reasoning; nothing else is worth a render where it does not."""
        return REASONING.search(self._template.text) is not None and self._template.undecided is None

    @functools.cached_property
    def fields(self) -> tuple[str, ...]:
        """The reasoning fields that the source names."""
        return tuple(name for name in REASONING_FIELDS if name in self._names)

    @functools.cached_property
    def _names(self) -> frozenset[str]:
        """The attributes and the texts in the source: by one of them it reads a message's field."""
        syntax = self._template.syntax
        if syntax is None:
            return frozenset()
        texts = (node.value for node in syntax.find("Const") if isinstance(node.value, str))
        return frozenset((*(node.attr for node in syntax.find("Getattr")), *texts))

    @functools.cached_property
    def controls(self) -> tuple[Control, ...]:
        """The variables about reasoning that a caller can set, in the order of their names."""
        syntax = self._template.syntax
        if syntax is None:
            return ()
        found = []
        for variable in sorted(self._template.free_variables, key=lambda one: one.name):
            if REASONING.search(variable.name) and variable.name not in self._template.variables:
                literals = dict.fromkeys((*compared_with(syntax, variable.name), *filter(None, [variable.default])))
                found.append(Control(variable, _values(tuple(literals))))
        return tuple(found[:MOST_CONTROLS])

    @functools.cached_property
    def overwritten(self) -> tuple[Read, ...]:
        """Reads that ask whether a caller passes a variable about reasoning, where the template has set it in any case."""
        free = {variable.name for variable in self._template.free_variables}
        found: dict[str, Read] = {}
        for read in self._template.names.reads:
            mine = read.bindings and not read.from_caller and read.name not in free
            if mine and REASONING.search(read.name) and _asks_whether_passed(read):
                found.setdefault(read.name, read)
        return tuple(found.values())

    @functools.cached_property
    def states(self) -> tuple[State, ...]:
        """What a caller may pass about reasoning: nothing, then each value of each variable on its own."""
        controls = self.controls[:MOST_TOGGLES]
        return ((), *(((one.name, value),) for one in controls for value in one.values[:MOST_VALUES] if value is not None))

    def conversation(self, name: str, state: State = ()) -> Conversation:
        """A conversation with the template's own tags, passed together with these variables."""
        key = (name, state)
        if key not in self._conversations:
            found = self._made(name)
            self._conversations[key] = found.with_variables(**dict(state)) if state else found
        return self._conversations[key]

    def _made(self, name: str) -> Conversation:
        if name in self._own:
            return self._own[name]()
        found = self._template.conversation(name)
        if name.startswith("think-tag") and self.tags is not None and self.tags != ReasoningTags(OPEN, CLOSE):
            return _retagged(found, self.tags)
        return found

    @property
    def _own(self) -> Mapping[str, Callable[[], Conversation]]:
        """The conversations that are made for this template, by name."""
        return {
            OPEN_LOOP: lambda: self._open_loop,
            EVERY_FIELD: self._with_every_field,
            ASKED_AGAIN: self._asked_again,
            CALL_IN_OPEN_REASONING: self._call_in_open_reasoning,
            LONE_CLOSER: lambda: self.conversation("think-tag-only-close"),
            LONE_CLOSER_LAST: lambda: self.conversation("think-tag-only-close").first(2),
        }

    @functools.cached_property
    def _open_loop(self) -> Conversation:
        """Reasoning, a call and its result, with the arguments in the form that this template takes."""
        loop = self._template.conversation("reasoning-in-tool-loop").first(3)
        shown = next((name for name in TOOL_LOOPS if self._template.render(name).text is not None), TOOL_LOOPS[0])
        return loop.with_message(1, tool_calls=canonical()[shown].messages[1]["tool_calls"])

    def _with_every_field(self) -> Conversation:
        """Two answers and a call, each with reasoning in every field that the source could mean by its name."""
        named = (name for name in self._names if name.isidentifier() and REASONING.search(name))
        fields = dict.fromkeys((*REASONING_FIELDS, *named), THOUGHT)
        answer, question = self._template.conversation("user-assistant-user").messages[1:]
        loop = self._open_loop.with_message(1, **fields)
        return replace(loop, messages=[*loop.messages, {**answer, **fields}, question, {**answer, **fields}])

    def _asked_again(self) -> Conversation:
        """The same, with a question after it."""
        found = self.conversation(EVERY_FIELD)
        return replace(found, messages=[*found.messages, found.messages[0]])

    def _call_in_open_reasoning(self) -> Conversation:
        """An answer that called a tool in its text before it had closed its reasoning."""
        opened = f"{self.tags.open if self.tags else OPEN}\n{THOUGHT}\n{self.call_as_text}"
        return _with_answer(self._template.conversation("user-assistant-user"), opened)

    def render(self, name: str, state: State = (), *, generation_prompt: bool = False) -> Render:
        """Such a conversation through the template."""
        return self._template.render_conversation(self.conversation(name, state), generation_prompt=generation_prompt)

    def shows(self, name: str, state: State = (), word: str = THOUGHT) -> bool | None:
        """Whether a thought reaches the prompt."""
        text = self.render(name, state, generation_prompt=name == OPEN_LOOP).text
        return None if text is None else word in text

    @functools.cached_property
    def shown(self) -> tuple[str, State] | None:
        """Where reasoning in its field is rendered: a conversation, and what has to be passed for it."""
        if not self.mentioned:
            return None
        return next(((name, state) for state in self.states for name in WHERE_IT_SHOWS if self.shows(name, state)), None)

    @functools.cached_property
    def around(self) -> tuple[str, str] | None:
        """What stands before and after a thought in its field, blanks included, from where the answer's header ends."""
        if self.shown is None:
            return None
        state = self.shown[1]
        found = self._around("reasoning-last", state) or self._around("reasoning-old", state) or self._around_in_loop(state)
        if found is None:
            return None
        before, after = found
        header = _before_opener(before, first_marker(after))
        if header == before:
            header = _before_opener(self._shared_header, first_marker(after))
        return before[common_prefix(before, header) :], after

    def _around_in_loop(self, state: State) -> tuple[str, str] | None:
        """The same before a call, up to the marker that ends the reasoning."""
        before, found, after = (_after(self.render(OPEN_LOOP, state).text, QUESTION) or "").partition(THOUGHT)
        closer = first_marker(after)
        return (before, after[: after.index(closer) + len(closer)]) if found and closer else None

    def _around(self, name: str, state: State) -> tuple[str, str] | None:
        text = self.render(name, state).text
        words = (QUESTION, THOUGHT, ANSWER) if name == "reasoning-last" else (QUESTION, THOUGHT, ANSWER, SECOND_QUESTION)
        found = None if text is None else gaps(text, words)
        return None if found is None else (found[1], found[2])

    @functools.cached_property
    def tags(self) -> ReasoningTags | None:
        """The markers that bracket reasoning; None where there are none, or where they have other uses too."""
        if not self.mentioned:
            return None
        found = self._tags_in_history or self._tags_in_content or self._tags_in_prompt
        return found if found and found.open != found.close and not self._is_of_turns(found) else None

    @property
    def _tags_in_history(self) -> ReasoningTags | None:
        if self.around is None:
            return None
        opener, closer = self.around[0].strip(), first_marker(self.around[1])
        return ReasoningTags(opener, closer) if opener and closer and self.around[1].strip().startswith(closer) else None

    @property
    def _tags_in_content(self) -> ReasoningTags | None:
        return next((ReasoningTags(closer.replace("/", ""), closer) for closer in self.cut_at if "/" in closer), None)

    @property
    def _tags_in_prompt(self) -> ReasoningTags | None:
        for state in self.states:
            found = THINKING.search(self._prompted(state) or "")
            if found and "/" not in found[0]:
                return ReasoningTags(found[0], f"{found[0][0]}/{found[0][1:]}")
        return None

    def _is_of_turns(self, tags: ReasoningTags) -> bool:
        """Whether turns without reasoning are closed with the same marker."""
        ends = (self._anatomy.user_end, self._anatomy.between_rounds, self._anatomy.assistant_end)
        return any(tags.close in (end or "") for end in ends)

    @functools.cached_property
    def cut_at(self) -> tuple[str, ...]:
        """The markers that take an answer apart which holds one of them: what stands before goes, or goes elsewhere."""
        if not self.mentioned:
            return ()
        return tuple(closer for closer in self._literals if self._takes_apart(closer))

    @property
    def _literals(self) -> tuple[str, ...]:
        if self._template.syntax is None:
            return ()
        words = (node.value.strip() for node in self._template.syntax.find("Const") if isinstance(node.value, str))
        known = (self._anatomy.between_rounds or "") + (self._anatomy.prompted_end or "")
        markers = dict.fromkeys(word for word in words if BARE_MARKER.fullmatch(word) and word not in known)
        return tuple(sorted(markers, key=lambda word: "/" not in word))[:MOST_CLOSERS]

    def _takes_apart(self, closer: str) -> bool:
        text = self.render_with_lone(closer, 3).text
        return text is not None and ANSWER in text and f"{THOUGHT}{closer}{ANSWER}" not in text

    def render_with_lone(self, closer: str, messages: int) -> Render:
        """An answer with a marker between two words, among the first so many messages of a chat."""
        key = (f"{closer}{messages}", ())
        if key not in self._conversations:
            plain = self._template.conversation("user-assistant-user")
            self._conversations[key] = _with_answer(plain, f"{THOUGHT}{closer}{ANSWER}").first(messages)
        return self._template.render_conversation(self._conversations[key])

    @functools.cached_property
    def takes_tags_apart(self) -> bool:
        """Whether reasoning between both tags in the text of an answer is recognised and written anew, or left out."""
        if self.tags is None:
            return False
        given = f"{self.tags.open}{THOUGHT}{self.tags.close}{ANSWER}"
        plain = self._template.conversation("user-assistant-user")
        texts = [self._template.render_conversation(_with_answer(plain, given).first(count)).text for count in (2, 3)]
        return any(text is not None and ANSWER in text and given not in text for text in texts)

    def reads(self, field: str) -> Render | None:
        """A prompt that holds the reasoning of one field where the others are empty; None where none does."""
        if field not in self.fields:
            return None
        for name, state in itertools.product(WHERE_IT_SHOWS, self.states):
            key = (f"{name}:{field}", state)
            if key not in self._conversations:
                others = {**dict.fromkeys(REASONING_FIELDS, ""), field: THOUGHT}
                self._conversations[key] = self.conversation(name, state).with_message(1, **others)
            render = self._template.render_conversation(self._conversations[key])
            if THOUGHT in (render.text or ""):
                return render
        return None

    @functools.cached_property
    def call_as_text(self) -> str | None:
        """A tool call as the model writes it, which may come back as the text of an answer; None where none is rendered."""
        call = self._open_loop.first(2).with_message(1, reasoning_content=MISSING)
        text = _after(self._template.render_conversation(call).text, QUESTION)
        if text is None or ARGUMENT not in text or not text.startswith(self.header):
            return None
        written = text[len(self.header) :].removesuffix(self._anatomy.assistant_end or "")
        return (self.tags.block.sub("", written) if self.tags else written).strip() or None

    @functools.cached_property
    def writes_blocks(self) -> bool:
        """Whether answers in the history get an empty block that no generation prompt writes."""
        tags = self.tags
        if tags is None or any(tags.block.search(self.prefill(state)) for state in self.states):
            return False
        openings = (self.past_opening(name, state) for name, state in self._plain_answers)
        return any(tags.block.search(opening or "") for opening in openings)

    @staticmethod
    def passed(state: State) -> str:
        """What a caller passes, as a clause: ` with enable_thinking=false`; empty where it is nothing."""
        return f" with {' and '.join(f'{name}={json.dumps(value)}' for name, value in state)}" if state else ""

    def _prompted(self, state: State) -> str | None:
        """What follows a user's text that waits for an answer."""
        return self._as_if_unset(_after(self.render("user", state, generation_prompt=True).text, QUESTION), state)

    def _as_if_unset(self, text: str | None, state: State) -> str | None:
        """What follows a user's text, without what a variable adds to that text, such as a word that turns reasoning off."""
        usual, ended = (_after(self.render("user", one).text, QUESTION) for one in ((), state))
        if text is None or usual is None or not ended or usual == ended or not text.startswith(ended):
            return text
        return usual + text[len(ended) :]

    @functools.cached_property
    def _shared_header(self) -> str:
        """What opens an answer whatever is passed, in the history and in the generation prompt."""
        openings = [self.past_opening(name, state) for name, state in self._plain_answers]
        with_thought = self._around("reasoning-last", self.shown[1]) if self.shown else None
        openings += [with_thought[0] if with_thought else None]
        if self._anatomy.generation_prompt:
            openings += [self._prompted(state) for state in self.states]
        known = [opening for opening in openings if opening is not None]
        return functools.reduce(lambda left, right: left[: common_prefix(left, right)], known) if known else ""

    @property
    def _plain_answers(self) -> Iterator[tuple[str, State]]:
        return ((name, state) for state in self.states for name in ("user-assistant", "user-assistant-user"))

    @functools.cached_property
    def header(self) -> str:
        """What opens an answer, up to where reasoning opens or closes."""
        shared = self._shared_header
        found = [shared.find(tag) for tag in ((self.tags.open, self.tags.close) if self.tags else ()) if tag in shared]
        found += [match.start() for match in (THINKING.search(shared),) if match]
        return shared[: min(found, default=len(shared))]

    def prefill(self, state: State = ()) -> str:
        """What a generation prompt says of reasoning: an opened block, an empty one, its end alone; or nothing."""
        prompted = self._prompted(state) if self.mentioned and self._anatomy.generation_prompt else None
        if prompted is None or not prompted.startswith(self.header):
            return ""
        rest = prompted[len(self.header) :]
        tagged = self.tags is not None and (self.tags.open in rest or self.tags.close in rest)
        return rest if tagged or REASONING.search(rest) else ""

    def opens(self, state: State = ()) -> bool:
        """Whether the generation prompt leaves reasoning open, so that a completion has only its end."""
        prefill = self.prefill(state)
        if not prefill or self.tags is None:
            return bool(prefill)
        return prefill.rfind(self.tags.open) > prefill.rfind(self.tags.close)

    @functools.cached_property
    def opening_state(self) -> State | None:
        """What has to be passed for the generation prompt to leave reasoning open; None where it never does."""
        return next((state for state in self.states if self.opens(state)), None)

    @functools.cached_property
    def known(self) -> bool:
        """Whether the template demonstrably knows reasoning: it renders it, or its generation prompt speaks of it."""
        return self.shown is not None or any(self.prefill(state) for state in self.states)

    def past_opening(self, name: str, state: State = ()) -> str | None:
        """What stands between a user's text and the answer's."""
        return self._as_if_unset(_between(self.render(name, state).text, QUESTION, ANSWER), state)

    def is_inert(self, control: Control) -> bool:
        """Whether no value of a variable changes any prompt, whatever else is passed."""
        others = [state for state in self.states if not state or state[0][0] != control.name]
        if any(self._acts(control, name, state) for name in LIKELY for state in others):
            return False
        return not any(self._acts(control, name, ()) for name in canonical() if name not in LIKELY)

    def _acts(self, control: Control, name: str, state: State) -> bool:
        """Whether a variable changes one conversation's prompts, or whether they can be made."""
        states = (state, *((*state, (control.name, value)) for value in (*control.values, True, False)))
        for flag in (True, False):
            renders = (self.render(name, one, generation_prompt=flag) for one in states)
            if len({(render.text, render.error.message if render.error else None) for render in renders}) > 1:
                return True
        return False

    def toggle(self, name: str) -> Toggle:
        """What a variable does, asked of a chat that waits for an answer and of one with reasoning in its history."""
        toggle = Toggle(name, "either")
        unset: set[str | None] = set()
        for where, (conversation, flag) in ASKED.items():
            on, off, none = (
                self.render(conversation, state, generation_prompt=flag).text
                for state in (((name, True),), ((name, False),), ())
            )
            if on is None or off is None or none is None:
                return Toggle(name, None)
            if len({on, off, none}) == 1:
                continue
            unset.add("true" if none == on else "false" if none == off else "neither")
            if not flag:
                toggle = replace(toggle, acts_on=(*toggle.acts_on, where))
                continue
            if on.partition(QUESTION)[0] != off.partition(QUESTION)[0]:
                toggle = replace(toggle, acts_on=(*toggle.acts_on, "beginning"))
            on, off = on.partition(QUESTION)[2], off.partition(QUESTION)[2]
            if on != off:
                same = _where_they_part(on, off)
                toggle = replace(toggle, acts_on=(*toggle.acts_on, where), on=on[same:], off=off[same:])
        return replace(toggle, unset=unset.pop() if len(unset) == 1 else "neither" if unset else "either")


def _values(literals: tuple[str, ...]) -> tuple[Any, ...]:
    """The values that a variable is compared with, from how a template writes them."""
    if set(literals) <= BOOLEANS.keys():
        return (True, False)
    return tuple(BOOLEANS[word] if word in BOOLEANS else json.loads(word) for word in literals)


def _asks_whether_passed(read: Read) -> bool:
    asker = read.inside[-1] if read.inside else None
    return isinstance(asker, nodes.Test | nodes.Filter) and asker.name in ("defined", "undefined", "default", "d")


def _retagged(conversation: Conversation, tags: ReasoningTags) -> Conversation:
    """The conversation with other tags in its answers."""
    return replace(conversation, messages=[_replaced(message, tags) for message in conversation.messages])


def _replaced(value: Any, tags: ReasoningTags) -> Any:
    if isinstance(value, str):
        return value.replace(OPEN, tags.open).replace(CLOSE, tags.close)
    if isinstance(value, list):
        return [_replaced(one, tags) for one in value]
    return {key: _replaced(one, tags) for key, one in value.items()} if isinstance(value, Mapping) else value


def _with_answer(conversation: Conversation, text: str) -> Conversation:
    """The conversation with another text as its first answer, in the same form."""
    in_parts = isinstance(conversation.messages[1].get("content"), list)
    return conversation.with_message(1, content=[{"type": "text", "text": text}] if in_parts else text)


def _before_opener(header: str, closer: str | None) -> str:
    """A header up to the marker that the closer is the counterpart of by its form, or to one that speaks of thinking."""
    opener = closer.replace("/", "") if closer and "/" in closer else None
    if opener and opener in header:
        return header[: header.index(opener)]
    found = THINKING.search(header)
    return header[: found.start()] if found else header


def _after(text: str | None, word: str) -> str | None:
    return text.partition(word)[2] if text is not None and text.count(word) == 1 else None


def _between(text: str | None, first: str, second: str) -> str | None:
    rest = _after(text, first)
    return rest.partition(second)[0] if rest is not None and second in rest else None


def _where_they_part(left: str, right: str) -> int:
    """The offset at which two prompts part, moved back to the beginning of a thinking marker both have there."""
    same = common_prefix(left, right)
    opened = max((found.start() for found in THINKING.finditer(left) if found.start() < same), default=same)
    return opened if left[opened:same].strip() else same
