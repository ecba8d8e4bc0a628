"""Where the templates of a model come from, for persons: what each loader has, what a call picks, and what is not loaded."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import groupby
from typing import Any

from tpllint.report.escape import escape, shortened

LOADERS = ("tokenizer", "processor")
NAME_COLUMNS = 40
COMPARED = {True: "same text", False: "other text", None: "lost"}
Fact = Mapping[str, Any]


def rows(storage: Fact) -> Iterator[tuple[str, str]]:
    """Labels and what they tell; a single row where every loader has one template, and there is no other."""
    views = {loader: storage[loader] for loader in LOADERS if storage[loader] is not None}
    agree = all(view == storage["tokenizer"] for view in views.values())
    if agree and _is_plain(storage["tokenizer"]) and not storage["unreadable"]:
        loaders = " (tokenizer and processor)" if len(views) > 1 else ""
        yield "loaded from", _places(storage["tokenizer"]["templates"]) + loaders
        return
    if agree:
        yield from _view("both loaders" if len(views) > 1 else "tokenizer", storage["tokenizer"])
    else:
        for loader, view in views.items():
            yield from _view(loader, view)
    for unreadable in storage["unreadable"]:
        yield "not usable", escape(unreadable)


def _is_plain(view: Fact) -> bool:
    return len(view["templates"]) == 1 and not view["named"] and not view["not_loaded"]


def _view(label: str, view: Fact) -> Iterator[tuple[str, str]]:
    if view["error"] is not None:
        yield label, f"loading raises: {escape(view['error'])}"
        return
    yield label, _places(view["templates"], named=view["named"]) if view["templates"] else "no template: a call raises"
    if view["named"] and view["templates"]:
        yield "  a call picks", _picks(view)
    if view["not_loaded"]:
        nothing_instead = not view["templates"]
        yield "  not loaded", _places(view["not_loaded"]) if nothing_instead else "; ".join(_not_loaded(view))


def _picks(view: Fact) -> str:
    plain = "nothing: it raises, for none is named default" if view["chosen"] is None else _name(view["chosen"])
    if view["chosen"] == view["chosen_with_tools"]:
        return f"{plain}, with tools too"
    return f"{plain}; with tools {_name(view['chosen_with_tools'])}"


def _places(templates: list[Fact], *, named: bool = False) -> str:
    """`file`, or `file: name, name` where a caller sees names."""
    told = []
    for file, held in groupby(templates, key=lambda template: template["file"]):
        names = ", ".join(_name(template["name"]) for template in held)
        told.append(f"{escape(file)}: {names}" if named else escape(file))
    return "; ".join(told)


def _not_loaded(view: Fact) -> Iterator[str]:
    for file, group in groupby(view["not_loaded"], key=lambda template: template["file"]):
        held = list(group)
        named = view["named"] or len(held) > 1 or held[0]["name"] != "default"
        told = [f"{_name(one['name'])} ({COMPARED[one['same_text']]})" for one in held]
        yield f"{escape(file)}: {', '.join(told)}" if named else f"{escape(file)} ({COMPARED[held[0]['same_text']]})"


def _name(name: str) -> str:
    return shortened(escape(name), NAME_COLUMNS)
