"""Which engines and which versions of them a template needs or cannot run on."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from tpllint.analysis.constructs import Obstacle, obstacles
from tpllint.analysis.description.facts import EngineDescription
from tpllint.portability import ENGINES
from tpllint.portability.table import DIFFER, PARSE, RAISE

if TYPE_CHECKING:
    from tpllint.analysis.template import Template


def engines(template: Template) -> tuple[EngineDescription, ...] | None:
    """Every engine that can be named, or those that the user asks for; None where the source has no syntax."""
    if template.syntax is None:
        return None
    asked = {requirement.engine for requirement in template.requirements} or set(ENGINES)
    found = tuple(obstacles(template.uses))
    return tuple(_engine(name, [one for one in found if one.limit.engine == name]) for name in ENGINES if name in asked)


def _engine(name: str, found: list[Obstacle]) -> EngineDescription:
    newest = next((one.limit.before for one in found if one.limit.before), None)
    old = [one for one in found if newest and one.limit.before == newest]
    new = [one for one in found if one.limit.since]
    never = [one for one in found if not (one.limit.before or one.limit.since)]
    return EngineDescription(
        engine=name,
        takes=not (never or new),
        from_version=newest,
        newer=tuple(_names(old)),
        unparsed=tuple(_names(one for one in never if one.limit.effect == PARSE)),
        raises=tuple(_names(one for one in never if one.limit.effect == RAISE)),
        differs=tuple(_names(one for one in never if one.limit.effect == DIFFER)),
        refused_since=new[0].limit.since if new else None,
        refused=tuple(_names(new)),
    )


def _names(found: Iterable[Obstacle]) -> Iterator[str]:
    return (use.construct for one in found for use in one.uses)
