"""One template as rules see it: its syntax, its renders and its anatomy, each made when first asked for and then kept."""

from __future__ import annotations

import contextlib
import datetime
import functools
import re
from collections.abc import Iterable, Mapping
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any

from jinja2 import Template as JinjaTemplate
from jinja2 import nodes

from tpllint.analysis import compile as compilation
from tpllint.analysis import renders
from tpllint.analysis.anatomy import Anatomy
from tpllint.analysis.compile import Failure
from tpllint.analysis.completions import Completions
from tpllint.analysis.cost.costs import Cost, costs
from tpllint.analysis.description.unreached import coverage_as_json
from tpllint.analysis.environment import CLOCK, ChatEnvironment
from tpllint.analysis.folding import Folding
from tpllint.analysis.limits import COSTLY_SECONDS, Deadline, LimitReached, OutOfMemory
from tpllint.analysis.offsets import LexicalError, comments, normalised
from tpllint.analysis.payloads import Payloads
from tpllint.analysis.reasoning import Reasoning
from tpllint.analysis.renders import SENTINEL_TOKENS, Inputs, Recipe, Render, RenderError
from tpllint.analysis.scopes import Names, names_of
from tpllint.analysis.syntax import Syntax
from tpllint.analysis.tokenizer import Tokenizer
from tpllint.analysis.tool_histories import ToolHistories
from tpllint.analysis.tracing import Tracing
from tpllint.analysis.variables import FreeVariable, free_variables, is_input, required_variables
from tpllint.analysis.vetting.canaries import Canaries
from tpllint.analysis.vetting.dependence import Dependence
from tpllint.analysis.vetting.interference import Interference
from tpllint.analysis.vetting.reflection import Attempt, attempts
from tpllint.conversations import Conversation, canonical, group
from tpllint.portability import Requirement
from tpllint.span import Place

if TYPE_CHECKING:
    from tpllint.analysis.constructs import Obstacle, Use
    from tpllint.analysis.description.facts import Description
    from tpllint.analysis.signing import SinceLock
    from tpllint.job import Locked
    from tpllint.replies import Generated

UNDEFINED = re.compile(r"'(\w+)' is undefined|has no attribute '(?P<attribute>\w+)'")


class Template:
    """What a rule reasons about. All offsets are into `text`, the source as Jinja reads it.

    `name` is the one that transformers knows the template by, `label` the one that no other of the model has; `file` is the
    path of its file in the model. `for_processor` tells that the prompts of this model are a processor's to encode,
    `carriage_returns` that the lines of its file end with one, and `lone_carriage_return` where one ends none. `locked` is what
    a lock holds of it, where it is to be held to one; `generated` is what its model said, where that is to be judged.
    """

    def __init__(
        self,
        name: str,
        source: str,
        tokens: Mapping[str, str],
        *,
        label: str = "",
        file: str = "",
        for_processor: bool = False,
        tokens_known: bool = True,
        absent_tokens: Iterable[str] = (),
        own_conversations: Iterable[Conversation] = (),
        variables: Mapping[str, Any] | None = None,
        expected: Iterable[str] = (),
        tokenizer: Tokenizer | None = None,
        deadline: Deadline | None = None,
        requirements: Iterable[Requirement] = (),
        carriage_returns: bool = False,
        lone_carriage_return: int | None = None,
        locked: Locked | None = None,
        generated: Generated | None = None,
    ) -> None:
        self.name = name
        self.label = label or name
        self.file = file
        self.for_processor = for_processor
        self.source = source
        self.text = normalised(source)
        self.tokens = tokens
        self.tokens_known = tokens_known
        self.absent_tokens = frozenset(absent_tokens) - set(variables or {})
        self.own_conversations = tuple(own_conversations)
        self.expected = frozenset(expected)
        self.tokenizer = tokenizer or Tokenizer()
        self.requirements = tuple(requirements)
        self.carriage_returns = carriage_returns or "\r\n" in source
        self.lone_carriage_return = lone_carriage_return
        self.locked = locked
        self.generated = generated
        self.exhausted: dict[str, str] = {}
        self._variables = dict(variables or {})
        self._environment = ChatEnvironment()
        self._deadline = deadline or Deadline()
        self._shortened = False
        self._renders: dict[Any, Render] = {}
        self._forms: dict[str, Conversation] = {}

    def serve_again(self, deadline: Deadline, own_conversations: Iterable[Conversation]) -> None:
        """Take a further job: with time of its own, and perhaps other conversations of the user's."""
        self.own_conversations = tuple(own_conversations)
        self.exhausted.clear()
        self._deadline, self._shortened = deadline, False
        self.__dict__.pop("_time", None)

    @functools.cached_property
    def syntax(self) -> Syntax | None:
        """The syntax tree, or None where the source has none."""
        tree = self._parsed
        return Syntax(self._environment, self.source, tree) if isinstance(tree, nodes.Template) else None

    @functools.cached_property
    def comments(self) -> tuple[tuple[Place, str], ...]:
        """The places and texts of the comments, up to where the source cannot be cut into tokens."""
        found: list[tuple[Place, str]] = []
        with contextlib.suppress(LexicalError, LimitReached, MemoryError), self._deadline.running():
            for comment in comments(self._environment.lexer, self.source):
                found.append(comment)
        return tuple(found)

    @functools.cached_property
    def failure(self) -> Failure | None:
        """Why the source does not compile, None where it does."""
        if isinstance(self._parsed, Failure):
            return self._parsed
        return self._compiled if isinstance(self._compiled, Failure) else None

    def note_folding(self) -> None:
        """Tell that constants were left unfolded, where there were more than that is done for."""
        if self.folding is not None and self.folding.is_spent:
            self.exhausted.setdefault("folding its constants", "there are too many")

    @property
    def undecided(self) -> str | None:
        """Why rules that need a rendered chat have no verdict; None where a plain chat renders."""
        if self.failure is not None:
            return "the template does not compile"
        error = self.render("user", generation_prompt=True).error
        return None if error is None else f"a plain chat does not render: {renders.error_text(error)}"

    @functools.cached_property
    def anatomy(self) -> Anatomy:
        """The structure that follows from the renders."""
        return Anatomy(self)

    @functools.cached_property
    def tool_histories(self) -> ToolHistories:
        """What becomes of tool calls and results, in every form in which clients send them."""
        return ToolHistories(self)

    @functools.cached_property
    def reasoning(self) -> Reasoning:
        """What it makes of a model's reasoning, in its prompts and in the history."""
        return Reasoning(self)

    @functools.cached_property
    def interference(self) -> Interference:
        """What decides on the words of its prompts beside who says what."""
        return Interference(self)

    @functools.cached_property
    def canaries(self) -> Canaries:
        """What becomes of messages that are watched on their way into the prompt."""
        return Canaries(self)

    @functools.cached_property
    def payloads(self) -> Payloads:
        """How it writes the calls and definitions of tools."""
        return Payloads(self)

    @functools.cached_property
    def completions(self) -> Completions:
        """What its model wrote to its prompts; nothing where it was not asked."""
        return Completions(self, self.generated)

    @functools.cached_property
    def description(self) -> Description:
        """What `tpllint describe` tells of it."""
        from tpllint.analysis.description.assembly import describe

        return describe(self)

    @functools.cached_property
    def since_lock(self) -> SinceLock | None:
        """How it differs from what is locked of it; None where no lock has it, or nobody asks."""
        if self.locked is None:
            return None
        from tpllint.analysis.signing import since

        return since(self, self.locked)

    @functools.cached_property
    def names(self) -> Names:
        """Every name that the source reads or sets, and which setting can reach which read; none where it has no syntax."""
        return Names((), ()) if self.syntax is None else names_of(self.syntax.tree)

    @functools.cached_property
    def folding(self) -> Folding | None:
        """What its expressions are worth where no input decides it; None where the source has no syntax."""
        return None if self.syntax is None else Folding(self.syntax, lambda: self.names)

    @functools.cached_property
    def dependence(self) -> Dependence | None:
        """What each of its values depends on; None where it has no syntax."""
        return None if self.syntax is None else Dependence(self.syntax)

    @functools.cached_property
    def attempts(self) -> tuple[Attempt, ...]:
        """Where it asks for what the sandbox hides."""
        return attempts(self)

    @functools.cached_property
    def free_variables(self) -> tuple[FreeVariable, ...]:
        """The variables that the template takes from its caller, such as `enable_thinking`, in the order of the source."""
        return () if self.syntax is None else tuple(free_variables(self.syntax, self.names))

    @functools.cached_property
    def required_variables(self) -> tuple[str, ...]:
        """The variables without which a plain chat fails, and with any text for which it renders."""
        return required_variables(self)

    @functools.cached_property
    def costs(self) -> tuple[Cost, ...]:
        """What costs more than any chat needs, as far as the syntax tells it: nothing is executed."""
        if self.syntax is None:
            return ()
        try:
            with self._deadline.running():
                return tuple(costs(self.syntax))
        except (LimitReached, MemoryError) as error:
            self.exhausted["reading"] = str(error) or str(OutOfMemory())
            return ()

    @functools.cached_property
    def _time(self) -> Deadline:
        """The time for executing it, which begins now: little, where its source tells that it takes too much."""
        return self._deadline.sooner(COSTLY_SECONDS) if self.costs else self._deadline

    @functools.cached_property
    def coverage(self) -> Mapping[str, Any] | None:
        """Which code the canonical conversations reach, as `describe --coverage` shows it; None where nothing tells."""
        if self.failure is not None or self.syntax is None or self.tracing.coverage is None:
            return None
        return coverage_as_json(self.syntax, self.tracing.coverage)

    @property
    def variables(self) -> Mapping[str, Any]:
        """What the user passes to the template in every render."""
        return self._variables

    @functools.cached_property
    def uses(self) -> tuple[Use, ...]:
        """The constructs that some engine or some version of transformers cannot take, each where it first stands."""
        from tpllint.analysis.constructs import uses

        return uses(self)

    @property
    def obstacles(self) -> tuple[Obstacle, ...]:
        """What keeps the template from engines and from versions of transformers."""
        from tpllint.analysis.constructs import obstacles

        return tuple(obstacles(self.uses, self.requirements))

    def is_passed(self, name: str) -> bool:
        """Whether the template is given this name without its caller having to know it, or the user passes it."""
        known = self._variables.keys() | {key for each in self.own_conversations for key in each.variables}
        return name in known or (self.syntax is not None and is_input(name, self.syntax))

    @functools.cached_property
    def _parsed(self) -> nodes.Template | Failure:
        try:
            with self._deadline.running():
                made = compilation.parse(self._environment, self.source)
        except (LimitReached, MemoryError) as error:
            return self._exhaust("parsing", error)
        if isinstance(made, Failure) and made.kind == "limit":
            self.exhausted["parsing"] = made.message
        return made

    @functools.cached_property
    def _compiled(self) -> JinjaTemplate | Failure:
        try:
            with self.running():
                tree = self._parsed if isinstance(self._parsed, nodes.Template) else None
                made = compilation.compiled(self._environment, self.source, tree)
        except LimitReached as error:
            return self._exhaust("compiling", error)
        if isinstance(made, Failure) and made.kind == "limit":
            self.exhausted["compiling"] = made.message
        return made

    def _exhaust(self, step: str, error: BaseException) -> Failure:
        self.exhausted[step] = str(error) or str(OutOfMemory())
        return Failure("limit", self.exhausted[step], None)

    def with_source(self, source: str) -> Template:
        """The same template with another source, against the same clock: for asking what a piece of it does."""
        made = Template(
            self.name,
            source,
            self.tokens,
            label=self.label,
            file=self.file,
            tokens_known=self.tokens_known,
            absent_tokens=self.absent_tokens,
            own_conversations=self.own_conversations,
            variables=self._variables,
            expected=self.expected,
            tokenizer=self.tokenizer,
            deadline=self._time,
            requirements=self.requirements,
            carriage_returns=self.carriage_returns,
            lone_carriage_return=self.lone_carriage_return,
        )
        made.costs = self.costs  # they decide how long it may run, and most of the source is the same
        return made

    def place(self, offset: int | None) -> Place | None:
        """The call or token at an offset, None where there is none."""
        if offset is None or self.syntax is None:
            return None if offset is None else Place(offset, offset + 1)
        return self.syntax.code_at(offset)

    def conversation(self, name: str) -> Conversation:
        """A canonical conversation, in the form of content that this template reads (text, or lists of parts)."""
        if name not in self._forms:
            found = canonical()[name]
            typed = name in _PLAIN and self.anatomy.reads_parts_only
            self._forms[name] = found.in_parts() if typed else found
        return self._forms[name]

    def render(self, name: str, *, generation_prompt: bool = False) -> Render:
        """A canonical conversation through this template."""
        return self.render_conversation(self.conversation(name), generation_prompt=generation_prompt)

    def render_with_sentinel_tokens(self, name: str, *, generation_prompt: bool = False) -> Render:
        """The same with SENTINEL_TOKENS in place of the special tokens."""
        conversation = self.conversation(name)
        return self.render_conversation(conversation, generation_prompt=generation_prompt, tokens=SENTINEL_TOKENS)

    def render_conversation(
        self,
        conversation: Conversation,
        *,
        generation_prompt: bool = False,
        tokens: Mapping[str, str] | None = None,
        keep_none: bool = False,
        clock: datetime.datetime = CLOCK,
    ) -> Render:
        """Any conversation through this template, kept by identity: the same call gives the same Render.

        `tokens` replaces the values of special tokens; `keep_none` leaves `content: null` in place, as transformers before
        5.23 and other engines do; `clock` is what strftime_now sees.
        """
        instead = tuple(sorted(tokens.items())) if tokens else ()
        keep_none = keep_none or conversation.keeps_null
        key = (id(conversation), generation_prompt, instead, keep_none, clock)
        if key not in self._renders:  # the recipe keeps the conversation: an identity is only unique while it lives
            recipe = Recipe(conversation, generation_prompt, instead, keep_none, clock=clock)
            self._renders[key] = self._render(recipe)._replace(recipe=recipe)
        return self._renders[key]

    def render_again(self, recipe: Recipe) -> Render:
        """What a recipe asks for, for instance that of another render with another conversation in it."""
        if recipe.continued:
            return self.continued(recipe.conversation)
        return self.render_conversation(
            recipe.conversation,
            generation_prompt=recipe.generation_prompt,
            tokens=dict(recipe.tokens),
            keep_none=recipe.keep_none,
            clock=recipe.clock,
        )

    def attempt(self, conversation: Conversation, *, generation_prompt: bool = False) -> Render:
        """A render that may well fail: that the template calls itself without end is an answer then, and no limit of ours."""
        known = dict(self.exhausted)
        render = self.render_conversation(conversation, generation_prompt=generation_prompt)
        if render.error is not None and render.error.type == RecursionError.__name__:
            self.exhausted = known
        return render

    def place_of(self, render: Render, shows: str | tuple[int, int] | None = None) -> Place | None:
        """The code that wrote a part of a prompt (see `Problem.shows`), or at which a failed render stopped."""
        if render.error is not None:
            return self._place_of_error(render.error)
        return self.tracing.place_of(render, shows)

    def _place_of_error(self, error: RenderError) -> Place | None:
        """The name that Jinja says is undefined, where it says so; else the code that was being executed."""
        named = UNDEFINED.search(error.message)
        mention = (
            self.syntax.mention(named[1] or named["attribute"], error.offset)
            if named and self.syntax and error.offset is not None
            else None
        )
        return mention or self.place(error.offset)

    def place_of_loss(self, render: Render, lost: str, about: str = "") -> Place | None:
        """The code that kept the message with this text, in its content or a call, out of a prompt, as far as anything tells.

        `about` is a word that the condition to blame most likely asks for, such as "content".
        """
        messages = render.recipe.conversation.messages if render.recipe else ()
        holders = (
            index
            for key in ("content", "tool_calls")
            for index, message in enumerate(messages)
            if lost in str(message.get(key))
        )
        index = next(holders, 0)
        return self.tracing.place_of_loss(render, index, about)

    @functools.cached_property
    def tracing(self) -> Tracing:
        """Which code wrote what, and which code ran; undecided where the template does not compile."""
        return Tracing(self)

    def running(self, most: float | None = None) -> AbstractContextManager[None]:
        """The time that is left for this template's target, or a part of it (see `Deadline.running`)."""
        return self._time.running(most)

    def continued(self, conversation: Conversation) -> Render:
        """The conversation with its last message left open, as `continue_final_message=True` does."""
        result = self._noted(self._continued(conversation), conversation)
        return result._replace(recipe=Recipe(conversation, continued=True))

    def _continued(self, conversation: Conversation) -> Render:
        if isinstance(self._compiled, Failure):
            return _failed(self._compiled)
        try:
            with self.running():
                return renders.continue_final_message(self._environment, self._compiled, self.source, self.inputs(conversation))
        except LimitReached as error:
            return _ended(error)

    def inputs(self, conversation: Conversation, tokens: Mapping[str, str] | None = None) -> Inputs:
        """Everything a render of this conversation passes to the template."""
        variables = {**self.tokens, **(tokens or {}), **conversation.variables, **self._variables}
        return Inputs(conversation.messages, conversation.tools, conversation.documents, variables)

    def _render(self, recipe: Recipe) -> Render:
        if isinstance(self._compiled, Failure):
            return _failed(self._compiled)
        inputs = self.inputs(recipe.conversation, dict(recipe.tokens))
        try:
            with self.running():
                result = renders.render(
                    self._environment,
                    self._compiled,
                    inputs,
                    generation_prompt=recipe.generation_prompt,
                    keep_none=recipe.keep_none,
                    clock=recipe.clock,
                )
        except LimitReached as error:
            result = _ended(error)
        return self._noted(result, recipe.conversation)

    def _noted(self, result: Render, conversation: Conversation) -> Render:
        """The same render; where a bound ended it, that is told."""
        error = result.error
        if error and result.limited and not (self.exhausted and error.type == "NotStarted"):
            self.exhausted.setdefault(f"rendering {conversation.name}", _LIMITS.get(error.type, error.message))
            if error.type in _SPENDS_ALL and not self._shortened:
                self._time, self._shortened = self._time.sooner(COSTLY_SECONDS), True
        return result


_SPENDS_ALL = frozenset(("MemoryError", "OutOfMemory", "OutputLimit"))
"""What ends a render only after all that it may use is used: most others would take as long."""
_LIMITS = {
    "MemoryError": str(OutOfMemory()),
    "RecursionError": "it calls itself deeper than Python allows",
}


def _ended(error: LimitReached) -> Render:
    return Render(None, RenderError("limit", type(error).__name__, str(error), None))


def _failed(failure: Failure) -> Render:
    kind = "limit" if failure.kind == "limit" else "error"
    return Render(None, RenderError(kind, "TemplateSyntaxError", failure.message, failure.offset))


_PLAIN = frozenset(conversation.name for name in ("basic", "roles", "tools", "reasoning") for conversation in group(name))
