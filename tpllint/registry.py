"""Finds rule packs and the rules in them. The built-in pack is one like any other."""

from __future__ import annotations

import contextlib
import glob
import importlib
import importlib.util
import inspect
import os
import pkgutil
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import ModuleType

from tpllint.rule import Rule

BUILT_IN = "tpllint_rules"
ENTRY_POINTS = "tpllint.rules"
CHECKOUT = Path(__file__).resolve().parent.parent


class BrokenPack(Exception):
    """A rule pack that cannot be imported or whose rules contradict each other."""


def plugin_packs() -> list[str]:
    """The packages that other distributions registered under the entry point group `tpllint.rules`."""
    if not any(map(_registers_rules, sys.path)):
        return []
    from importlib.metadata import entry_points

    return sorted({point.value for point in entry_points(group=ENTRY_POINTS)} - {BUILT_IN})


def _registers_rules(folder: str) -> bool:
    """Whether a distribution installed here, other than tpllint, names the group: importlib.metadata takes 20 ms to say no."""
    for file in glob.iglob(os.path.join(glob.escape(folder), "*.dist-info", "entry_points.txt")):
        with contextlib.suppress(OSError), open(file, "rb") as stream:
            ours = os.path.basename(os.path.dirname(file)).startswith("tpllint-")
            if not ours and f"[{ENTRY_POINTS}]".encode() in stream.read():
                return True
    return False


def load(packs: Iterable[str]) -> dict[str, Rule]:
    """An instance of every rule of the built-in pack and of these, by name, in the order of their codes."""
    _prefer_the_checkout()
    found: dict[str, Rule] = {}
    for pack in (BUILT_IN, *packs):
        for rule in _rules_of(pack):
            if any(rule.name == other.name or rule.code == other.code for other in found.values()):
                raise BrokenPack(f"rule pack {pack!r} has a second rule {rule.code} {rule.name}")
            found[rule.name] = rule
    return dict(sorted(found.items(), key=lambda item: item[1].code))


def _prefer_the_checkout() -> None:
    """A checkout uses its own rules, even where an older copy is installed."""
    init = CHECKOUT / "rules" / "__init__.py"
    if BUILT_IN in sys.modules or not (CHECKOUT / "pyproject.toml").exists() or not init.exists():
        return
    spec = importlib.util.spec_from_file_location(BUILT_IN, init, submodule_search_locations=[str(init.parent)])
    if spec is None or spec.loader is None:
        raise BrokenPack(f"cannot read {init}")
    module = importlib.util.module_from_spec(spec)
    sys.modules[BUILT_IN] = module
    spec.loader.exec_module(module)


def _rules_of(pack: str) -> Iterator[Rule]:
    for module in _modules(pack):
        for _, value in inspect.getmembers(module, inspect.isclass):
            if issubclass(value, Rule) and value.__module__ == module.__name__ and hasattr(value, "code"):
                yield value()


def _modules(pack: str) -> Iterator[ModuleType]:
    try:
        package = importlib.import_module(pack)
        yield package
        for info in pkgutil.walk_packages(getattr(package, "__path__", ()), prefix=f"{pack}."):
            yield importlib.import_module(info.name)
    except ImportError as error:
        raise BrokenPack(f"rule pack {pack!r} cannot be imported: {error}") from error
