"""The Jinja environment in which transformers renders chat templates, rebuilt without importing transformers.

Modelled on transformers 5.23 (`utils/chat_template_utils.py`); `tests/analysis/test_conformance.py` holds it to the
installed version, byte for byte. Two things are added that no template can see: source offsets travel where Jinja keeps line
numbers, and the clock stands still.
"""

from __future__ import annotations

import datetime
import functools
import json
import random
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from jinja2 import lexer, nodes
from jinja2.exceptions import SecurityError, TemplateError
from jinja2.ext import Extension, loopcontrols
from jinja2.nodes import EvalContext
from jinja2.parser import Parser
from jinja2.runtime import Macro, Undefined
from jinja2.sandbox import ImmutableSandboxedEnvironment
from jinja2.utils import Namespace, pass_eval_context

from tpllint.analysis.limits import MAX_MEMORY_BYTES, OutOfMemory, TooLong
from tpllint.analysis.offsets import raw_tokens

CLOCK = datetime.datetime(2026, 1, 2, 3, 4, 5)
"""What strftime_now sees unless a conversation says otherwise."""
MAX_BITS = 2**26
"""To compute a power of more bits takes longer than a template has."""
MAX_KEPT = 2000
"""So many characters of what a generation block wrote are kept."""


class RaisedByTemplate(TemplateError):
    """The template itself refused the conversation with raise_exception."""


class GeneratedBlock(NamedTuple):
    """One run of a `{% generation %}` block: the span of the prompt that transformers takes for it, and what it wrote.

    Of a long text only the beginning is kept. `offset` is where its tag stands; `depth` in how many others it ran.
    """

    start: int
    end: int
    text: str
    offset: int
    depth: int


class GenerationTag(Extension):
    """`{% generation %}`: marks what the assistant wrote; spans are measured as transformers measures them."""

    tags = {"generation"}  # noqa: RUF012 - the attribute's form is Jinja's

    def __init__(self, environment: Any) -> None:
        super().__init__(environment)
        self.written: list[str] | None = None
        self.blocks: list[GeneratedBlock] = []
        self._depth = 0

    def begin(self, written: list[str]) -> None:
        """A render begins, whose pieces go into this list."""
        self.written, self.blocks, self._depth = written, [], 0

    def parse(self, parser: Parser) -> nodes.Node:
        """Compile the block as a call block, so that it has a function's scope."""
        lineno = next(parser.stream).lineno
        body = parser.parse_statements(("name:endgeneration",), drop_needle=True)
        call = self.call_method("_mark", [nodes.Const(lineno - 1)])
        return nodes.CallBlock(call, [], [], body).set_lineno(lineno)

    @pass_eval_context
    def _mark(self, _: EvalContext, offset: int, caller: Macro) -> str:
        self._depth += 1
        try:
            text: str = caller()
        finally:
            self._depth -= 1
        if self.written is not None:
            start = sum(map(len, self.written))
            self.blocks.append(GeneratedBlock(start, start + len(text), text[:MAX_KEPT], offset, self._depth))
        return text


class RestrictedDict:
    """The global `dict`: callable, with `fromkeys`, and no way to Python's own type."""

    def __call__(self, *args: Any, **kwargs: Any) -> dict[Any, Any]:
        """As dict."""
        return dict(*args, **kwargs)

    def fromkeys(self, *args: Any, **kwargs: Any) -> dict[Any, Any]:
        """As dict.fromkeys."""
        return dict.fromkeys(*args, **kwargs)


class RestrictedNamespace(Namespace):
    """The global `namespace`: refuses names with a leading underscore."""

    def __init__(*args: Any, **kwargs: Any) -> None:
        self, *rest = args
        attributes = dict(*rest, **kwargs)
        for name in attributes:
            _refuse_underscore(name)
        Namespace.__init__(self, attributes)

    def __setitem__(self, name: str, value: Any) -> None:
        _refuse_underscore(name)
        super().__setitem__(name, value)


def _refuse_underscore(name: object) -> None:
    if isinstance(name, str) and name.startswith("_"):
        raise SecurityError(f"Chat templates cannot store underscore-prefixed attributes on a namespace, but got {name!r}.")


def raise_exception(message: Any) -> None:
    """The global of that name."""
    raise RaisedByTemplate(message)


def to_json(value: Any, ensure_ascii: bool = False, indent: Any = None, separators: Any = None, sort_keys: bool = False) -> str:
    """The filter `tojson`: no HTML escaping, keys in their order."""
    return json.dumps(value, ensure_ascii=ensure_ascii, indent=indent, separators=separators, sort_keys=sort_keys)


def pick(values: Any) -> Any:
    """The filter `random`, which always picks the same: what differs from render to render must differ for a reason."""
    try:
        return random.Random(0).choice(values)
    except IndexError:
        return Undefined("No random item, sequence was empty.")


def _unswallowed(function: Callable[..., Any]) -> Callable[..., Any]:
    """The function with its MemoryError made one that Jinja's constant folding does not take for "not constant"."""

    @functools.wraps(function)
    def guarded(*args: Any, **kwargs: Any) -> Any:
        try:
            return function(*args, **kwargs)
        except MemoryError as error:
            raise OutOfMemory from error

    return guarded


def _refuse_repetition(left: Any, right: Any) -> None:
    """Raise where `left * right` repeats a text or list beyond the memory that there is."""
    for repeated, times in ((left, right), (right, left)):
        if isinstance(repeated, str | list | tuple) and isinstance(times, int) and len(repeated) * times > MAX_MEMORY_BYTES:
            raise OutOfMemory


def _refuse_power(base: Any, exponent: Any) -> None:
    """Raise where `base ** exponent` takes longer than a template has; a power of two is written down at once."""
    if isinstance(base, int) and isinstance(exponent, int) and base & (base - 1) and base.bit_length() * exponent > MAX_BITS:
        raise TooLong


def _within(refuse: Callable[[Any, Any], None], function: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
    """The operator, refused where Jinja would fold a constant that no limit lets pass: it cannot be stopped in the middle."""

    def bounded(left: Any, right: Any) -> Any:
        refuse(left, right)
        return function(left, right)

    return bounded


for _operator, _refuse in (("*", _refuse_repetition), ("**", _refuse_power)):
    nodes._binop_to_func[_operator] = _within(_refuse, nodes._binop_to_func[_operator])
for _operator, _fold in tuple(nodes._binop_to_func.items()):
    nodes._binop_to_func[_operator] = _unswallowed(_fold)


@functools.cache
def clock_at(moment: datetime.datetime) -> Callable[[str], str]:
    """The global strftime_now at a standing clock; a template may name the argument."""

    def strftime_now(format: str) -> str:
        return moment.strftime(format)

    return strftime_now


class ChatEnvironment(ImmutableSandboxedEnvironment):
    """transformers' environment; every `lineno` of its nodes, errors and debug information is a source offset plus one."""

    def __init__(self) -> None:
        super().__init__(trim_blocks=True, lstrip_blocks=True, extensions=[GenerationTag, loopcontrols])
        self.filters["tojson"] = to_json
        self.filters["random"] = pick
        self.filters = {name: _unswallowed(function) for name, function in self.filters.items()}
        self.globals["raise_exception"] = raise_exception
        self.globals["strftime_now"] = clock_at(CLOCK)
        self.globals["dict"] = RestrictedDict()
        self.globals["namespace"] = RestrictedNamespace
        self.tokens: list[tuple[int, str, str]] = []
        """Offset, kind and text of every token of the source that was parsed last, blanks and comments too."""

    @property
    def generation(self) -> GenerationTag:
        """The extension that measures generation spans."""
        tag = next(item for item in self.extensions.values() if isinstance(item, GenerationTag))
        return tag

    def _tokenize(
        self, source: str, name: str | None, filename: str | None = None, state: str | None = None
    ) -> lexer.TokenStream:
        self.tokens = []
        wrapped = self.lexer.wrap(_numbered_by_offset(self.lexer, source, self.tokens), name, filename)
        return lexer.TokenStream(wrapped, name, filename)


def _numbered_by_offset(reader: lexer.Lexer, source: str, read: list[tuple[int, str, str]]) -> Iterator[tuple[int, str, str]]:
    """The tokens of a source as Jinja's parser takes them; those that it has taken are in `read`."""
    for token in raw_tokens(reader, source):
        read.append(token)
        offset, kind, value = token
        yield offset + 1, kind, value
