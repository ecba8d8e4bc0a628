"""What a template reads beside the conversation: the variables that a caller can set, and special tokens."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tpllint.analysis.description.facts import Variable
from tpllint.analysis.variables import compared_with

if TYPE_CHECKING:
    from tpllint.analysis.template import Template


def special_tokens(template: Template) -> tuple[str, ...] | None:
    """The special tokens that the source reads by name."""
    if template.syntax is None:
        return None
    names = {read.name for read in template.names.reads if read.from_caller}
    return tuple(sorted(name for name in names if _is_token(template, name)))


def variables(template: Template) -> tuple[Variable, ...] | None:
    """What is left for a caller to set, with its default and the literals that it is compared with."""
    syntax = template.syntax
    if syntax is None:
        return None
    free = [variable for variable in template.free_variables if not _is_token(template, variable.name)]
    found = (Variable(one.name, one.default, tuple(dict.fromkeys(compared_with(syntax, one.name)))) for one in free)
    return tuple(sorted(found, key=lambda variable: variable.name))


def _is_token(template: Template, name: str) -> bool:
    return name.endswith("_token") or name in template.tokens
