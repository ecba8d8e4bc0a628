"""From a source to something that renders, or to the one reason why it cannot.

Compiling is already executing: Jinja folds constants. It runs only inside the bounded worker.
"""

from __future__ import annotations

import re
from typing import Any, NamedTuple

from jinja2 import Template as JinjaTemplate
from jinja2 import nodes
from jinja2.exceptions import TemplateSyntaxError

from tpllint.analysis.environment import ChatEnvironment

UNKNOWN_NAME = ("No filter named", "No test named")
DEBUG_INFORMATION = re.compile(r"debug_info = '([0-9=&]*)'\s*$")


class Failure(NamedTuple):
    """Why a source does not compile.

    `kind` is "syntax" (Jinja's grammar), "name" (a filter or test that does not exist), "python" (Jinja accepts it and
    Python refuses the code it becomes) or "limit" (memory or recursion ran out). `offset` is None where nothing tells.
    """

    kind: str
    message: str
    offset: int | None


def parse(environment: ChatEnvironment, source: str) -> nodes.Template | Failure:
    """The syntax tree of a source, unfolded. Executes nothing."""
    try:
        return environment.parse(source)
    except TemplateSyntaxError as error:
        return Failure("syntax", error.message or "", error.lineno - 1)
    except RecursionError:
        return Failure("limit", "it nests deeper than Jinja can parse", None)
    except ValueError as error:  # an integer literal longer than Python converts
        return Failure("python", str(error), None)


def copied(tree: nodes.Template) -> nodes.Template:
    """The same tree once more: compiling one folds its constants in place, and to parse anew takes five times as long."""
    made: nodes.Template = _copied(tree)
    return made


def _copied(value: Any) -> Any:
    if isinstance(value, nodes.Node):
        made = object.__new__(type(value))
        made.__dict__ = {key: _copied(part) for key, part in vars(value).items()}
        return made
    return [_copied(part) for part in value] if isinstance(value, list) else value


def compiled(environment: ChatEnvironment, source: str, tree: nodes.Template | None = None) -> JinjaTemplate | Failure:
    """The compiled template, or what stopped the compilation. `tree` is what `parse` made of the source, where it is known."""
    try:
        code = environment.compile(source if tree is None else copied(tree))
        return JinjaTemplate.from_code(environment, code, environment.make_globals(None))
    except TemplateSyntaxError as error:
        kind = "name" if (error.message or "").startswith(UNKNOWN_NAME) else "syntax"
        return Failure(kind, error.message or "", error.lineno - 1)
    except RecursionError:
        return Failure("limit", "it nests deeper than Jinja can compile", None)
    except MemoryError:
        return Failure("limit", "compiling it takes more memory than a template may use", None)
    except SyntaxError as error:  # includes IndentationError: blocks nested deeper than Python allows
        return Failure("python", error.msg, _offset_of(environment, source, error.lineno))
    except (ValueError, OverflowError, ArithmeticError, TypeError, AttributeError, KeyError, AssertionError) as error:
        return Failure("python", f"{type(error).__name__}: {error}", None)


def _offset_of(environment: ChatEnvironment, source: str, line: int | None) -> int | None:
    """The offset in the source from which Jinja made this line of Python, by the table it writes at the end of the code."""
    code = environment.compile(source, raw=True)
    table = DEBUG_INFORMATION.search(code)
    pairs = [pair.split("=") for pair in table[1].split("&")] if table and table[1] else []
    before = [int(place) - 1 for place, made in pairs if line is not None and int(made) <= line]
    return before[-1] if before else None
