"""What benchmarks/scanners.py hands to scanners: hostile cases and real templates, in the forms that each of them reads."""

from __future__ import annotations

import ast
import json
import operator
import shutil
import struct
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

GROUPS: Mapping[str, tuple[str, ...]] = {
    "semantic backdoors": (
        "content-trigger-backdoor",
        "date-trigger",
        "role-trigger",
        "hidden-instruction-injection",
        "system-prompt-override",
        "message-rewriting",
        "user-content-exfil-url",
        "base64-encoded instruction",
    ),
    "sandbox escape": ("ssti-attribute-walk", "sandbox-escape-attempt", "include/import/extends"),
    "hidden text": (
        "unicode-hidden-text",
        "comment-smuggled text",
        "whitespace-hidden far-right code",
        "terminal-escape-injection",
    ),
    "resource exhaustion": (
        "recursion",
        "huge-output",
        "resource-exhaustion-cpu",
        "resource-exhaustion-memory",
        "oversized-file",
    ),
    "files": (
        "bad-encoding",
        "malformed-config",
        "path-traversal-repo-file",
        "nan/deep-nested-json",
        "gguf-truncated",
        "gguf-lying-lengths",
    ),
}
"""The classes of the cases, as they are counted together."""
OTHER = "other"
RENAMED = {"template.jinja": "chat_template.jinja"}
OPERATORS = {ast.Add: operator.add, ast.Mult: operator.mul, ast.LShift: operator.lshift}


class Input(NamedTuple):
    """A model folder, and what a scanner should say: something (`report`), nothing (`lookalike`, `real`), or just survive."""

    name: str
    folder: Path
    expect: str
    group: str = OTHER
    official: bool = False
    generate: Mapping[str, Any] = {}


class Prepared(NamedTuple):
    """An input as files: the model folder, and GGUF files, its own or one for each of its templates."""

    folder: Path
    ggufs: tuple[Path, ...]


def hostile(folder: Path) -> list[Input]:
    return [hostile_case(path) for path in sorted(folder.glob("*/case.json"))]


def hostile_case(path: Path) -> Input:
    case = json.loads(path.read_text(encoding="utf-8"))
    expect = case["expect"] if isinstance(case["expect"], list) else [case["expect"]]
    kind = "report" if "report" in expect else "lookalike" if "no-security-finding" in expect else "survive"
    group = next((group for group, classes in GROUPS.items() if case["class"] in classes), OTHER)
    return Input(f"hostile/{path.parent.name}", path.parent, kind, group, generate=case.get("generate") or {})


def real(folder: Path) -> list[Input]:
    """Every model folder with a template of its own; index.jsonl beside them, if there, tells which are the publisher's."""
    index = folder / "index.jsonl"
    rows = map(json.loads, index.read_text(encoding="utf-8").splitlines()) if index.is_file() else ()
    own = {row["slug"] for row in rows if row.get("vendor_official") and str(row.get("official_grade")).startswith("A")}
    models = [path.parent for path in sorted(folder.glob("*/chat_template.jinja"))]
    return [Input(f"templates/{model.name}", model, "real", official=model.name in own) for model in models]


def prepare(given: Input, scratch: Path) -> Prepared:
    """Copies the files under a name that tells nothing, and makes those that a case only describes."""
    model = scratch / "model"
    model.mkdir()
    for path in sorted(given.folder.rglob("*")):
        if path.is_file() and path.name != "case.json":
            copy = model / path.relative_to(given.folder)
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, copy)
    generate(given.generate, model)
    own = tuple(sorted(model.rglob("*.gguf")))
    return Prepared(model, own or tuple(wrapped(model, scratch)))


def generate(wanted: Mapping[str, Any], model: Path) -> None:
    if "symlink" in wanted:
        link, target = wanted["symlink"]
        inside(model, link).symlink_to(target)
    elif "file" in wanted:
        path = inside(model, RENAMED.get(wanted["file"], wanted["file"]))
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(calculated(wanted["python"]), encoding="utf-8")


def inside(model: Path, name: str) -> Path:
    path = model / name
    if ".." in path.parts or not path.is_relative_to(model):
        raise SystemExit(f"a case wants to write {name!r}")
    return path


def calculated(source: str) -> str:
    """The text that an expression of constants describes. It is not evaluated as Python: cases come from strangers."""
    return str(_value(ast.parse(source, mode="eval").body))


def _value(node: ast.expr) -> Any:
    match node:
        case ast.Constant(value=value):
            return value
        case ast.List(elts=elements):
            return [_value(element) for element in elements]
        case ast.BinOp(left=left, op=op, right=right) if type(op) in OPERATORS:
            return OPERATORS[type(op)](_value(left), _value(right))
        case ast.Call(func=ast.Attribute(value=separator, attr="join"), args=[parts]):
            return str(_value(separator)).join(_value(parts))
    raise ValueError(f"no such thing is calculated: {ast.unparse(node)[:80]}")


def wrapped(model: Path, scratch: Path) -> Iterator[Path]:
    """A GGUF file for each template of a model folder, for scanners that read no other files."""
    for number, template in enumerate(templates(model)):
        path = scratch / f"model-{number}.gguf"
        path.write_bytes(gguf(template))
        yield path


def templates(model: Path) -> Iterator[bytes]:
    """What stands in files that are no links, its bytes as they are."""
    for path in sorted(model.rglob("*")):
        if path.is_symlink() or not path.is_file():
            continue
        if path.suffix == ".jinja":
            yield path.read_bytes()
        elif path.suffix == ".json":
            yield from (text.encode("utf-8", "surrogatepass") for text in configured(path))


def configured(path: Path) -> Iterator[str]:
    try:
        config = json.loads(path.read_bytes())
    except (ValueError, RecursionError):
        return
    held = config.get("chat_template") if isinstance(config, dict) else None
    for each in held if isinstance(held, list) else [{"template": held}]:
        if isinstance(each, dict) and isinstance(each.get("template"), str):
            yield each["template"]


def gguf(template: bytes) -> bytes:
    """The smallest file that holds a chat template: two entries of metadata and no tensor."""
    entries = ((b"general.architecture", b"llama"), (b"tokenizer.chat_template", template))
    told = (_counted(key) + struct.pack("<I", 8) + _counted(value) for key, value in entries)
    return b"GGUF" + struct.pack("<IQQ", 3, 0, len(entries)) + b"".join(told)


def _counted(text: bytes) -> bytes:
    return struct.pack("<Q", len(text)) + text
