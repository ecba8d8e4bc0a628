"""Finds rule packs and the rules in them. The built-in pack is one like any other."""

from __future__ import annotations

import contextlib
import glob
import importlib
import importlib.machinery
import importlib.util
import os
import pkgutil
import sys
import zlib
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
    """An instance of every rule of the built-in pack and of these, by name, in the order of their codes.

    A pack is the name of a package, or the absolute path of a folder of rule files.
    """
    _prefer_the_checkout()
    found: dict[str, Rule] = {}
    codes: set[str] = set()
    for pack in (BUILT_IN, *packs):
        for rule in _rules_of(pack):
            if rule.name in found or rule.code in codes:
                raise BrokenPack(f"rule pack {pack!r} has a second rule {rule.code} {rule.name}")
            found[rule.name] = rule
            codes.add(rule.code)
    return dict(sorted(found.items(), key=lambda item: item[1].code))


def _prefer_the_checkout() -> None:
    """A checkout uses its own rules, even where an older copy is installed."""
    init = CHECKOUT / "rules" / "__init__.py"
    if BUILT_IN in sys.modules or not (CHECKOUT / "pyproject.toml").exists() or not init.exists():
        return
    _imported(BUILT_IN, str(init))


def _imported(name: str, init: str) -> ModuleType:
    """The package whose __init__.py this is, imported under a name."""
    spec = importlib.util.spec_from_file_location(name, init, submodule_search_locations=[os.path.dirname(init)])
    if spec is None or spec.loader is None:
        raise BrokenPack(f"cannot read {init}")
    return _executed(spec)


def package_of(pack: str) -> str:
    """The name of the package that a pack's rules live in; that of a folder follows from its path and is nobody else's."""
    return f"tpllint_folder_{zlib.crc32(os.fsencode(pack)):08x}" if _is_folder(pack) else pack


def _is_folder(pack: str) -> bool:
    return os.path.isabs(pack)


def _rules_of(pack: str) -> Iterator[Rule]:
    for module in _modules(pack):
        for value in tuple(vars(module).values()):
            if (
                isinstance(value, type)
                and issubclass(value, Rule)
                and value.__module__ == module.__name__
                and hasattr(value, "code")
            ):
                yield value()


def _modules(pack: str) -> Iterator[ModuleType]:
    try:
        package = _folder(pack) if _is_folder(pack) else importlib.import_module(pack)
        yield package
        for info in pkgutil.walk_packages(getattr(package, "__path__", ()), prefix=f"{package.__name__}."):
            yield sys.modules.get(info.name) or _found(info)
    except ImportError as error:
        raise BrokenPack(f"rule pack {pack!r} cannot be imported: {error}") from error
    except Exception as error:  # a stranger's code: whatever it raises, the user has to learn whose it is
        raise BrokenPack(f"rule pack {pack!r} cannot be imported: {type(error).__name__}: {error}") from error


def _found(info: pkgutil.ModuleInfo) -> ModuleType:
    """The module where `pkgutil` found it: looking along the whole import path takes longer than reading the file."""
    spec = info.module_finder.find_spec(info.name, None)
    return importlib.import_module(info.name) if spec is None else _executed(spec)


def _executed(spec: importlib.machinery.ModuleSpec) -> ModuleType:
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    if spec.loader is not None:
        spec.loader.exec_module(module)
    return module


def _folder(path: str) -> ModuleType:
    """A folder as a package under a name of its own, whether it has an __init__.py or not."""
    name = package_of(path)
    if not os.path.isdir(path):
        raise ImportError("no such folder")
    init = os.path.join(path, "__init__.py")
    if os.path.isfile(init):
        return _imported(name, init)
    spec = importlib.machinery.ModuleSpec(name, None, is_package=True)
    spec.submodule_search_locations = [path]
    sys.modules[name] = importlib.util.module_from_spec(spec)
    return sys.modules[name]
