"""Rows of a data set through one template: what each loses, how it fails, and what stands in it that the template writes.

This is the fast path: a template is compiled once per worker, a row is rendered once, and again only where it has several
answers. Nothing is kept of a row that has been told of.
"""

from __future__ import annotations

import re
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from tpllint.analysis import renders
from tpllint.analysis.compile import Failure, compiled
from tpllint.analysis.environment import ChatEnvironment
from tpllint.analysis.limits import Deadline, LimitReached
from tpllint.analysis.losses import Told, contents, dropped, excerpt, shown, texts, unmarked
from tpllint.analysis.renders import Inputs, Render
from tpllint.analysis.taught import generation_tags
from tpllint.analysis.template import Template
from tpllint.analysis.tokenizer import Tokenizer
from tpllint.conversations import Conversation
from tpllint.conversations.rows import RowError, conversations, parsed
from tpllint.job import Job
from tpllint.markers import BARE_MARKER, THINKING, marker_start, shared

ROW_SECONDS = 3.0
"""Of one row; it ends before the job's time does, as the batch did before it."""
BATCH_SECONDS = 2.0
"""When so much is spent no further row of the batch is begun: the parent sends the rest again."""
MAX_TOLD = 3
"""Of one kind and severity in one row."""
MAX_TEXT = 300
MAX_PREFIXES = 8
MAX_CONTROL_TOKENS = 5000
TOKEN_LENGTHS = range(3, 101)
PLAIN = ("user-assistant-user", "system-user-assistant-user", "two-rounds")
"""The conversations that show which markers the template itself writes around messages."""

Send = Callable[[dict[str, Any]], None]


def examine_rows(job: Job, send: Send) -> None:
    """Examine the lines of a batch, as many as there is time for; each that has something to be told of is told by its index.

    With `announced` in the selection every line is told of before it is begun: the parent learns which one ended a worker.
    """
    passages = _held(job)
    wanted = job.selection
    if isinstance(passages, str):
        send({"kind": "unusable", "message": passages})
    else:
        lines = wanted["text"].split("\n")
        if wanted["announced"]:
            _one_by_one(passages, lines, wanted["field"], send)
        else:
            send({"kind": "rows", **_batch(passages, lines, wanted["field"])})
    send({"kind": "done", "exhausted": {}, "undecided": {}})


def _batch(passages: Passages, lines: Sequence[str], field: str | None) -> dict[str, Any]:
    """What is told of lines, and at which one the time was spent; `rest` None where it was enough."""
    end = time.monotonic() + BATCH_SECONDS
    told: list[list[Any]] = []
    rows, late = 0, 0
    for index, line in enumerate(lines):
        if rows and time.monotonic() > end:
            return {"rows": rows, "told": told, "rest": index, "late": late}
        if line and not line.isspace():
            rows += 1
            problems, in_time = passages.examine(line, field)
            late += not in_time
            if problems:
                told.append([index, problems])
    return {"rows": rows, "told": told, "rest": None, "late": late}


def _one_by_one(passages: Passages, lines: Sequence[str], field: str | None, send: Send) -> None:
    end = time.monotonic() + BATCH_SECONDS
    for index, line in enumerate(lines):
        if index and time.monotonic() > end:
            send({"kind": "rows", "rows": 0, "told": [], "rest": index, "late": 0})
            return
        send({"kind": "begun", "index": index})
        result = _batch(passages, (line,), field)
        told = [[index, problems] for _, problems in result["told"]]
        send({"kind": "rows", **result, "told": told})


_kept: list[tuple[Job, Passages | str]] = []
"""The last template that rows went through; the jobs of a run differ only in their rows."""


def _held(job: Job) -> Passages | str:
    bare = job._replace(selection={})
    if not _kept or _kept[0][0] != bare:
        _kept[:] = [(bare, _made(job))]
    return _kept[0][1]


def _made(job: Job) -> Passages | str:
    """What rows go through, or why the template is of no use: a clause about it."""
    made = {}
    for variant in job.templates:
        environment = ChatEnvironment()
        try:
            with Deadline().running():
                template = compiled(environment, variant.source)
        except LimitReached as error:
            return f"is too much to compile: {error}"
        if isinstance(template, Failure):
            return f"does not compile: {template.message}"
        made[variant.label] = through = Through(job, variant.name, variant.source, environment, template)
        if through.exhausted:
            return f"comes to no end: {', '.join(through.exhausted)}"
    first, *others = made.values()
    return Passages(first, others[0] if others else first)


class Passages:
    """The template that rows go through, and the one of rows with tools, which is most often the same."""

    def __init__(self, plain: Through, with_tools: Through) -> None:
        self._plain = plain
        self._with_tools = with_tools

    def examine(self, line: str, field: str | None) -> tuple[list[Any], bool]:
        """What there is to tell of a line, worst first, each with the part of the row; and whether there was time for it."""
        problems: list[Any] = []
        part = ""
        try:
            with Deadline().running(ROW_SECONDS):
                for part, conversation in conversations(parsed(line), field):
                    through = self._plain if conversation.tools is None else self._with_tools
                    problems += ([*problem, part] for problem in _few(through.problems(conversation)))
        except RowError as error:
            return [["bad-row", "error", str(error)[:MAX_TEXT], None, ""]], True
        except LimitReached:
            return [*problems, _unfinished(f"it takes longer than {ROW_SECONDS:g} seconds", part)], False
        except (MemoryError, RecursionError) as error:
            return [*problems, _unfinished(_limit_of(error), part)], True
        return problems, True


def _few(problems: Iterable[Told]) -> Iterator[Told]:
    """The first of each kind and severity."""
    counts: Counter[tuple[str, str]] = Counter()
    for problem in problems:
        counts[problem[:2]] += 1
        if counts[problem[:2]] <= MAX_TOLD:
            yield problem


def _unfinished(why: str, part: str) -> list[Any]:
    return ["not-analysed", "error", f"it is not analysed to the end: {why}", None, part]


def _limit_of(error: BaseException) -> str:
    return "it takes more memory than a template may use" if isinstance(error, MemoryError) else "it nests too deeply"


class Through:
    """One compiled template, and what has to be known of it to judge a row."""

    def __init__(self, job: Job, name: str, source: str, environment: ChatEnvironment, template: Any) -> None:
        self._environment = environment
        self._template = template
        self._tokens = job.tokens
        self._variables = job.variables
        known = Template(
            name,
            source,
            job.tokens,
            tokens_known=job.tokens_known,
            absent_tokens=job.absent_tokens,
            variables=job.variables,
            tokenizer=Tokenizer(job.vocabulary),
        )
        self._marks_answers = bool(generation_tags(known))
        self._control = _one_of(control_tokens(known, job.vocabulary.named))
        self.exhausted = tuple(known.exhausted)

    def problems(self, conversation: Conversation) -> Iterator[Told]:
        """Everything that is wrong with one conversation."""
        yield from self._rendered(conversation)
        yield from self._control_tokens(conversation.messages)

    def _rendered(self, conversation: Conversation) -> Iterator[Told]:
        """What its prompt tells; of one that does not render, nothing but that."""
        flag = conversation.generation_prompt
        asks = flag if flag is not None else conversation.messages[-1].get("role") != "assistant"
        render = self._render(conversation, generation_prompt=asks)
        if render.error is not None:
            told = renders.error_text(render.error)[:MAX_TEXT]
            if render.limited:
                yield "not-analysed", "error", f"it is not analysed to the end: {told}", None
            else:
                yield "raises", "error", told, None
            return
        prompt = render.text or ""
        yield from dropped(conversation, prompt)
        if self._marks_answers:
            yield from unmarked(conversation, render)
        yield from self._unstable(conversation, prompt)

    def _render(self, conversation: Conversation, *, generation_prompt: bool) -> Render:
        variables = {**self._tokens, **conversation.variables, **self._variables}
        inputs = Inputs(conversation.messages, conversation.tools, conversation.documents, variables)
        return renders.render(self._environment, self._template, inputs, generation_prompt=generation_prompt)

    def _control_tokens(self, messages: Sequence[Mapping[str, Any]]) -> Iterator[Told]:
        if self._control is None:
            return
        for index, message in enumerate(messages):
            for text in texts(message):
                token = self._control_token(text, message)
                if token is not None:
                    said = f"{shown(index, message)} holds the control token {token} as text"
                    yield "control-token-in-text", "warning", said, index
                    break

    def _control_token(self, text: str, message: Mapping[str, Any]) -> str | None:
        """The first in a text; an answer may hold the tags of its reasoning."""
        assert self._control is not None
        if self._control.search(text) is None:
            return None
        answers = message.get("role") == "assistant"
        found = (match[0] for match in self._control.finditer(text))
        return next((token for token in found if not (answers and THINKING.fullmatch(token))), None)

    def _unstable(self, conversation: Conversation, prompt: str) -> Iterator[Told]:
        """Whether an answer is written otherwise once the conversation goes on; asked where a user speaks after an answer."""
        for count in _prefixes(conversation.messages):
            before = self._render(conversation.first(count), generation_prompt=False).text
            if before is None or prompt.startswith(before):
                continue
            at = shared(before, prompt)
            if at < _end_of_words(conversation.messages[count - 1], before):
                at = marker_start(before, at)
                changed = f"{excerpt(before[at:])} becomes {excerpt(prompt[at:])}"
                said = f"once messages[{count}] follows, the prompt before it changes: {changed}"
                yield "not-prefix-stable", "warning", said, count
                return


def _prefixes(messages: Sequence[Mapping[str, Any]]) -> list[int]:
    """After how many messages a conversation of several answers could have been stopped, at most MAX_PREFIXES of them."""
    roles = [message.get("role") for message in messages]
    if roles.count("assistant") < 2:
        return []
    first = roles.index("assistant")
    found = [index for index, role in enumerate(roles) if role == "user" and index > first]
    half = MAX_PREFIXES // 2
    return found if len(found) <= MAX_PREFIXES else found[:half] + found[-half:]


def _end_of_words(message: Mapping[str, Any], prompt: str) -> int:
    """Where the last message's words end in its prompt; what a template writes behind them is its own affair."""
    spoken = [said for text in contents(message) if (said := THINKING.split(text)[-1].strip())]
    found = prompt.rfind(spoken[-1]) if spoken else -1
    return len(prompt) if found < 0 else found + len(spoken[-1])


def control_tokens(template: Template, special: Iterable[str]) -> frozenset[str]:
    """The special tokens, the added tokens that the template writes, and the markers that it writes around plain messages."""
    named = frozenset(special) | frozenset(template.tokens.values() if template.tokens_known else ())
    found = {token for token in named if len(token) in TOKEN_LENGTHS and not token.isalnum() and any(map(str.isalnum, token))}
    written = {marker for name in PLAIN for flag in (False, True) for marker in _markers(template, name, flag)}
    if not template.tokens_known:
        written -= {token for token in template.tokens.values() if token not in template.text}
    return frozenset(found | written | {token for token in template.tokenizer.known if _is_written(token, template.text)})


def _markers(template: Template, name: str, flag: bool) -> list[str]:
    text = template.render(name, generation_prompt=flag).text
    return BARE_MARKER.findall(text) if text else []


def _is_written(token: str, source: str) -> bool:
    return len(token) in TOKEN_LENGTHS and token in source and BARE_MARKER.fullmatch(token) is not None


def _one_of(tokens: frozenset[str]) -> re.Pattern[str] | None:
    listed = sorted(tokens, key=lambda token: (-len(token), token))[:MAX_CONTROL_TOKENS]
    return re.compile("|".join(map(re.escape, listed))) if listed else None
