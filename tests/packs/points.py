"""A rule that points at what stands between « and », and relates it to all that stands between ⟦ and ⟧."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from tpllint import Place, Problem, Related, Rule, Severity, Template

if TYPE_CHECKING:
    from collections.abc import Iterator

MARKED = re.compile("«(.*?)»", re.DOTALL)
RELATED = re.compile("⟦(.*?)⟧", re.DOTALL)


class Marked(Rule):
    """Something is marked.

    ## What it does
    Looks for what stands between quotes,
    wherever it is.
    """

    code = "XXX002"
    name = "marked"
    category = "hygiene"
    severity = Severity.WARNING
    static = True

    def check_template(self, template: Template) -> Iterator[Problem]:
        related = tuple(Related("see here", Place(*found.span(1))) for found in RELATED.finditer(template.text))
        for found in MARKED.finditer(template.text):
            yield Problem(f"here is {found[1]!r}", help="unmark it", place=Place(*found.span(1)), related=related)


class Raises(Rule):
    """A rule that raises where the template says so."""

    code = "XXX003"
    name = "raises"
    category = "hygiene"
    severity = Severity.WARNING
    static = True

    def check_template(self, template: Template) -> Iterator[Problem]:
        if template.text.startswith("raise "):
            raise RuntimeError(template.text)
        yield from ()
