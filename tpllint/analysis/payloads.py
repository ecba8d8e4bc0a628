"""How a template writes the tool calls of its history: learnt from renders that differ in one value, and read back."""

from __future__ import annotations

import ast
import contextlib
import functools
import json
import re
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Literal, NamedTuple
from xml.parsers import expat

from jinja2 import Undefined

from tpllint.analysis.renders import Render
from tpllint.conversations import Conversation
from tpllint.conversations.words import ARGUMENT, QUESTION, RESULT, SECOND_ARGUMENT, SECOND_TOOL, TOOL
from tpllint.markers import BARE_MARKER, common_prefix, common_suffix

if TYPE_CHECKING:
    from tpllint.analysis.template import Template

KEY = "place"
"""The parameter that a call names."""
CALLS = "tool_calls"
LONGEST = 20_000
"""Calls and definitions in more characters are not read; nobody writes them, and reading them takes time."""
BEFORE, STARTS = 4_000, 60
"""How far before a call's argument, and at how many brackets, a JSON text is looked for that holds it."""
HISTORIES = ("tool-call", "tool-loop", "tool-loop-null-content")
"""Where a call is looked for: alone, in a whole round, and with no text beside it, as servers send it."""
CALL_FORMATS = {
    "JSON": re.compile(rf'"{KEY}"\s{{0,80}}:\s{{0,80}}"{ARGUMENT}"'),
    "a Python call": re.compile(rf"{TOOL}\(\s{{0,80}}{KEY}\s?=\s?[\"']?{ARGUMENT}"),
    "a Python dictionary": re.compile(rf"'{KEY}': ?'{ARGUMENT}'"),
    "escaped JSON": re.compile(rf"(&#34;|&quot;){KEY}\1\s?:\s?\1{ARGUMENT}\1"),
    "XML": re.compile(rf">\s{{0,80}}{ARGUMENT}\s{{0,80}}<"),
}
DEFINITION = re.compile(rf'"name"\s{{0,80}}:\s{{0,80}}"{TOOL}"')
TORN = re.compile(r'(?:"|&#34;|&quot;)\s{0,9}:\s{0,9}"?$|[{\[]$')
"""What stands before a piece of JSON that is part of a larger one."""
END_OF_CALL = re.compile(r"[^\s()]{0,3}\s{0,9}\)(?:\s{0,9}\])?")
CLOSING_TAG = re.compile(r"</?[^<>\s]{1,60}>")
END_OF_TEXT = re.compile(r"\n|</?[^<>\s]{1,40}>")
STRICT, LENIENT = json.JSONDecoder(), json.JSONDecoder(strict=False)
PYTHON_NAMES = {"null": None, "true": True, "false": False}
UNREADABLE = (ValueError, SyntaxError, TypeError, MemoryError, RecursionError)
"""What json and ast raise for text that they do not read."""
Form = Literal["object", "string"]


class History(NamedTuple):
    """A way to put a call into a conversation."""

    name: str
    form: Form
    keep_none: bool = False


class Written(NamedTuple):
    """A call as it stands in a prompt: what the template wrote after the question, up to the result where there is one."""

    render: Render
    text: str
    start: int

    def span(self, start: int, end: int) -> tuple[int, int]:
        """The offsets of a part of it in the prompt."""
        return self.start + start, self.start + end


class Reading(NamedTuple):
    """What a reader of the format gets of a call or a definition.

    `verdict`: it is what was passed, something else, or nothing that can be read; None where the format is not one that is
    known. `span` is the payload in the prompt, `value` what was read.
    """

    verdict: Literal["same", "different", "unreadable"] | None
    render: Render | None = None
    span: tuple[int, int] | None = None
    value: Any = None

    @property
    def text(self) -> str:
        """The payload as it stands in the prompt."""
        return (self.render.text or "")[slice(*self.span)] if self.render and self.span else ""


UNDECIDED = Reading(None)


class Payloads:
    """The calls of one template. `form` is that of the arguments with which they render; None where none do."""

    def __init__(self, template: Template) -> None:
        self._template = template
        self._conversations: dict[str, Conversation] = {}

    @functools.cached_property
    def _history(self) -> History | None:
        """The first history in which a call shows in the prompt; null content is left in place only where it has to be."""
        forms: tuple[Form, ...] = ("object", "string")
        if CALLS not in self._template.text:
            return None
        ways = [History(name, form) for form in forms for name in HISTORIES]
        ways += [History(name, form, keep_none=True) for form in forms for name in HISTORIES if name.endswith("null-content")]
        return next((way for way in ways if ARGUMENT in (self._rendered(way, {KEY: ARGUMENT}).text or "")), None)

    def _rendered(self, way: History, arguments: Mapping[str, Any]) -> Render:
        conversation = self._with_call(way.name, way.form, arguments)
        return self._template.render_conversation(conversation, keep_none=way.keep_none)

    @property
    def form(self) -> Form | None:
        """The form of arguments with which calls render: an object, as documented, or a string, as servers receive it."""
        return self._history.form if self._history else None

    def _with_call(self, name: str, form: Form, arguments: Mapping[str, Any]) -> Conversation:
        key = json.dumps([name, form, arguments])
        if key not in self._conversations:
            base = self._template.conversation(name)
            call = base.messages[1]["tool_calls"][0]
            given = arguments if form == "object" else json.dumps(arguments, ensure_ascii=False)
            changed = {**call, "function": {**call["function"], "arguments": given}}
            self._conversations[key] = base.with_message(1, tool_calls=[changed])
        return self._conversations[key]

    def written(self, arguments: Mapping[str, Any]) -> Written | None:
        """A call with these arguments; None where it does not show, or nothing tells where it stands."""
        if self._history is None:
            return None
        render = self._rendered(self._history, arguments)
        text = render.text or ""
        start = text.rfind(QUESTION) + len(QUESTION)
        end = text.find(RESULT, start)
        call = text[start : end if end >= 0 else len(text)]
        return Written(render, call, start) if start >= len(QUESTION) and len(call) <= LONGEST else None

    @functools.cached_property
    def plain(self) -> Written | None:
        """A call with one argument whose value is a word."""
        return self.written({KEY: ARGUMENT})

    @functools.cached_property
    def _match(self) -> tuple[str, re.Match[str]] | None:
        """The format of the plain call, and where its argument stands in it."""
        text = self.plain.text if self.plain else ""
        found = ((name, pattern.search(text)) for name, pattern in CALL_FORMATS.items())
        return next(((name, match) for name, match in found if match), None)

    @property
    def format(self) -> str | None:
        """What calls are written as, such as "JSON"; None where it is nothing known."""
        return self._match[0] if self._match else None

    def read(self, arguments: Mapping[str, Any]) -> Reading:
        """A call with these arguments, read back as the format that the plain call imitates."""
        call = self.written(arguments)
        if self._match is None or self.plain is None or call is None:
            return UNDECIDED
        start, end = self._match[1].span()
        head, tail = self.plain.text[:start], self.plain.text[end:]
        if not call.text.startswith(head):
            return UNDECIDED
        if self.format in ("JSON", "escaped JSON"):
            return _as_json(call, start, arguments)
        if self.format == "XML":
            return _as_elements(call, start + 1, CLOSING_TAG.match(self.plain.text, end - 1), arguments)
        tail = tail[1:] if tail[:1] in ("'", '"') else tail  # only words have quotes around them
        return _as_python(call, head, tail, arguments) if self.format == "a Python call" else UNDECIDED

    def value_text(self, value: Any) -> str | None:
        """What stands in a call where its argument is not a word but this value; None where that does not show."""
        call, plain = self.written({KEY: value}), self.plain
        if call is None or plain is None:
            return None
        head, _, tail = plain.text.partition(ARGUMENT)
        start = common_prefix(head, call.text)
        return call.text[start : len(call.text) - common_suffix(tail, call.text[start:])]

    def unclosed_block(self) -> tuple[Render, str] | None:
        """The prompt of one call and the marker that closes a block of calls only where there are two, where that is so."""
        if self._history is None:
            return None
        two = self._template.conversation("two-calls")
        if self._history.keep_none:
            two = two.with_message(1, content=None)
        calls = [_with_text(call) if self.form == "string" else call for call in two.messages[1]["tool_calls"]]
        render, other = (
            self._template.render_conversation(two.with_message(1, tool_calls=given), keep_none=self._history.keep_none)
            for given in (calls[1:], calls)
        )
        (before, after), (same_before, whole) = self._around(render), self._around(other)
        missing = [marker for marker in whole if marker not in after] if set(after) <= set(whole) else []
        return (render, missing[0]) if before and before == same_before and missing else None

    def _around(self, render: Render) -> tuple[list[str], list[str]]:
        """The markers before the first call of a prompt, and those behind the last one."""
        text = (render.text or "").rpartition(QUESTION)[2]
        names = [at for at in (text.find(name) for name in (TOOL, SECOND_TOOL)) if at >= 0]
        if not names or SECOND_ARGUMENT not in text:
            return [], []
        return BARE_MARKER.findall(text[: min(names)]), BARE_MARKER.findall(text.rpartition(SECOND_ARGUMENT)[2])

    def with_description(self, text: str) -> Conversation:
        """The tool of a plain chat with this description."""
        return self._declaring({"description": text})

    def with_parameters(self, properties: Mapping[str, Any]) -> Conversation:
        """The tool of a plain chat with these parameters, all of them required."""
        return self._declaring({"parameters": {"type": "object", "properties": properties, "required": list(properties)}})

    def with_type(self, conversation: Conversation, word: str) -> Conversation:
        """The same conversation with this type for every parameter of its first tool."""
        function = (conversation.tools or ({},))[0]["function"]
        typed = {name: {**schema, "type": word} for name, schema in function["parameters"]["properties"].items()}
        parameters = {**function["parameters"], "properties": typed}
        tool = {"type": "function", "function": {**function, "parameters": parameters}}
        return replace(conversation, tools=[tool])

    def _declaring(self, changed: Mapping[str, Any]) -> Conversation:
        key = json.dumps(changed)
        if key not in self._conversations:
            base = self._template.conversation("tools-declared")
            (tool,) = base.tools or ({},)
            self._conversations[key] = replace(base, tools=[{**tool, "function": {**tool["function"], **changed}}])
        return self._conversations[key]

    def with_documents(self, documents: Sequence[Any]) -> Render:
        """A plain chat to which documents are passed."""
        key = json.dumps(documents)
        if key not in self._conversations:
            self._conversations[key] = replace(self._template.conversation("user"), documents=documents)
        return self._template.render_conversation(self._conversations[key], generation_prompt=True)

    def declared(self, conversation: Conversation) -> Render:
        """A chat in which tools are declared, up to where the model answers."""
        return self._template.attempt(conversation, generation_prompt=True)

    @functools.cached_property
    def without_name(self) -> str | None:
        """A plain chat where not even the name `tools` is given; transformers always passes it, if only as None."""
        chat = self._template.conversation("user").with_variables(tools=Undefined(name="tools"))
        return self._template.render_conversation(chat, generation_prompt=True).text

    def read_definition(self, conversation: Conversation) -> Reading:
        """The first declared tool, read back as JSON; undecided where it is not written so."""
        render = self.declared(conversation)
        text = render.text or ""
        match = DEFINITION.search(text)
        if match is None or len(text) > LONGEST:
            return UNDECIDED
        found = json_around(text, match.start(), LENIENT)
        if found is None or is_torn(text, found[0], found[1]):
            outline = _outline(text, match.start())
            return Reading("unreadable", render, outline) if outline else UNDECIDED
        declared = (conversation.tools or ({},))[0].get("function", {})
        same = any(isinstance(part, dict) and part.get("name") == declared.get("name") for part in parts(found[2]))
        return Reading("same" if same else "different", render, (found[0], found[1]), found[2])


def _as_json(call: Written, at: int, arguments: Mapping[str, Any]) -> Reading:
    """A call whose argument stands at an offset in JSON."""
    found = json_around(call.text, at, STRICT)
    if found is None or is_torn(call.text, found[0], found[1]):
        outline = _outline(call.text, at)
        return Reading("unreadable", call.render, call.span(*outline)) if outline else UNDECIDED
    same = any(_gives(part, arguments) for part in parts(found[2]))
    return Reading("same" if same else "different", call.render, call.span(found[0], found[1]), found[2])


def _as_python(call: Written, head: str, tail: str, arguments: Mapping[str, Any]) -> Reading:
    """A call between what always stands before and what always stands behind it."""
    closer = END_OF_CALL.match(tail)
    if closer is None or not call.text.endswith(tail):
        return UNDECIDED
    listed = closer[0].endswith("]") and head.rstrip().endswith("[")
    start = len(head.rstrip()) - 1 if listed else len(head)
    stop = len(call.text) - len(tail) + closer.end() - (closer[0].endswith("]") and not listed)
    value = python_call(call.text[start:stop])
    if value is None:
        return Reading("unreadable", call.render, call.span(start, stop))
    return Reading("same" if value == arguments else "different", call.render, call.span(start, stop), value)


def _as_elements(call: Written, start: int, closer: re.Match[str] | None, arguments: Mapping[str, Any]) -> Reading:
    """A call whose argument stands between two tags, as it is or as XML spells it. Who reads it takes all up to the tag that
    closes the plain word. Values that are no text have many spellings there: undecided unless they are JSON.
    """
    if closer is None:
        return UNDECIDED
    end = call.text.find(closer[0], start)
    value = arguments[KEY]
    if end < 0:
        return Reading("unreadable", call.render, call.span(start, len(call.text)))
    text = call.text[start:end].strip()
    if isinstance(value, str):
        same = value.strip() in (text, xml_text(text))
        return Reading("same" if same else "different", call.render, call.span(start, end), text)
    with contextlib.suppress(*UNREADABLE):
        return Reading("same" if STRICT.decode(text) == value else None, call.render, call.span(start, end), text)
    return UNDECIDED


def xml_text(text: str) -> str | None:
    """What XML reads between two tags that hold this, with its entities and CDATA sections; None where it reads nothing."""
    read: list[str] = []
    parser = expat.ParserCreate()
    parser.CharacterDataHandler = read.append
    try:
        parser.Parse(f"<_>{text}</_>".encode("utf-8", "replace"), True)
    except expat.ExpatError:
        return None
    return "".join(read).strip()


def _with_text(call: Mapping[str, Any]) -> Mapping[str, Any]:
    """The same call with its arguments as text."""
    function = call["function"]
    return {**call, "function": {**function, "arguments": json.dumps(function["arguments"])}}


def json_around(text: str, at: int, decoder: json.JSONDecoder) -> tuple[int, int, Any] | None:
    """The largest JSON object or list in a text that holds an offset: its start, its end and its value."""
    starts = [found.start() for found in re.finditer(r"[{\[]", text[max(0, at - BEFORE) : at])][-STARTS:]
    for start in (each + max(0, at - BEFORE) for each in starts):
        try:
            value, end = decoder.raw_decode(text, start)
        except UNREADABLE:
            continue
        if end > at:
            return start, end, value
    return None


def is_torn(text: str, start: int, end: int) -> bool:
    """Whether a piece of JSON is part of a larger one that does not parse, or has a brace too many behind it."""
    before = text[max(0, start - BEFORE) : start].rstrip()
    balanced = before.count("{") <= before.count("}")
    return TORN.search(before) is not None or (balanced and text[end:].lstrip().startswith("}"))


def _outline(text: str, at: int) -> tuple[int, int] | None:
    """From the first bracket on the line of an offset, or else the last one before it, to the end of the line or a marker."""
    line = text.rfind("\n", 0, at) + 1
    found = re.search(r"[{\[](?:[{\[]|\s?[\"'&]|$)", text[line:at])
    start = line + found.start() if found else text.rfind("{", 0, at)
    end = END_OF_TEXT.search(text, at)
    return None if start < 0 else (start, end.start() if end else len(text))


def parts(value: Any) -> Iterator[Any]:
    """A decoded value and everything in it."""
    level = [value]
    while level:
        yield from level
        level = [part for each in level for part in _inside(each)]


def _inside(value: Any) -> tuple[Any, ...]:
    if isinstance(value, dict):
        return tuple(value.values())
    return tuple(value) if isinstance(value, list) else ()


def _gives(part: Any, arguments: Mapping[str, Any]) -> bool:
    """Whether a part of a call is its arguments, or the text of their JSON."""
    if part == arguments:
        return True
    try:
        return isinstance(part, str) and bool(json.loads(part) == arguments)
    except UNREADABLE:
        return False


def python_call(text: str) -> dict[str, Any] | None:
    """The named arguments of the one call that a text is, in a list or not; None where it is none, or a value no literal."""
    try:
        with warnings.catch_warnings(action="ignore"):  # a backslash before a letter is read, with a warning
            body = ast.parse(text.strip(), mode="eval").body
        call = body.elts[0] if isinstance(body, ast.List) and len(body.elts) == 1 else body
        if not isinstance(call, ast.Call) or call.args:
            return None
        return {word.arg or "": ast.literal_eval(_Constants().visit(word.value)) for word in call.keywords}
    except UNREADABLE:
        return None


class _Constants(ast.NodeTransformer):
    """Writes JSON's words for constants as Python's: models that write calls of Python use either."""

    def visit_Name(self, node: ast.Name) -> ast.AST:
        return ast.Constant(PYTHON_NAMES[node.id]) if node.id in PYTHON_NAMES else node
