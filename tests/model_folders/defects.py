"""What goes wrong in model folders, one thing at a time: each defect is put into a folder that was as it should be."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tests.model_folders.folders import token_ids, write_json

if TYPE_CHECKING:
    from pathlib import Path

    from tests.model_folders.families import Family

STALE = (
    "{% for m in messages %}{{ '<|' + m.role + '|> ' + m.content + '<|over|>\\n' }}{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|> {% endif %}"
)
"""A template of another format than any family's."""
EVERY_CALL = "for call in message.tool_calls %}"


@dataclass(frozen=True)
class Defect:
    """One thing that is wrong with a folder in the layout of transformers 5, and the rule that has to say so.

    `put` puts it in; `fits` tells which families can have it.
    """

    rule: str
    what: str
    put: Callable[[Path, Family], None]
    fits: Callable[[Family], bool] = lambda family: True


def broken_twins(families: tuple[Family, ...], defects: tuple[Defect, ...]) -> Iterator[tuple[Family, Defect]]:
    """Every defect in every family that can have it."""
    return ((family, defect) for family in families for defect in defects if defect.fits(family))


def _template(folder: Path) -> str:
    return (folder / "chat_template.jinja").read_text(encoding="utf-8")


def _rewritten(rewrite: Callable[[str, Family], str]) -> Callable[[Path, Family], None]:
    """A defect of the template; one that rewrites nothing is a mistake."""

    def put(folder: Path, family: Family) -> None:
        text = rewrite(_template(folder), family)
        assert text != _template(folder)
        (folder / "chat_template.jinja").write_text(text, encoding="utf-8")

    return put


def _appended(more: str) -> Callable[[Path, Family], None]:
    return _rewritten(lambda text, _: text + more)


def _replaced(old: str, new: str) -> Callable[[Path, Family], None]:
    return _rewritten(lambda text, _: text.replace(old, new))


def _set(folder: Path, name: str, **values: object) -> None:
    path = folder / name
    held: dict[str, Any] = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    write_json(path, {**held, **values})


def _embed(held: Callable[[Family], object]) -> Callable[[Path, Family], None]:
    """The templates move into tokenizer_config.json, wrongly."""

    def put(folder: Path, family: Family) -> None:
        (folder / "chat_template.jinja").unlink()
        _set(folder, "tokenizer_config.json", chat_template=held(family))

    return put


def _beside(held: Callable[[Family], object]) -> Callable[[Path, Family], None]:
    """Something stands in tokenizer_config.json although the template has a file of its own."""
    return lambda folder, family: _set(folder, "tokenizer_config.json", chat_template=held(family))


def _repeated_name(family: Family) -> list[dict[str, str]]:
    return [{"name": "default", "template": text} for text in (STALE, family.template)]


def _named(*names: str) -> Callable[[Family], list[dict[str, str]]]:
    return lambda family: [{"name": name, "template": family.template} for name in names]


def _cut_configuration(folder: Path, family: Family) -> None:
    path = folder / "tokenizer_config.json"
    path.write_text(path.read_text(encoding="utf-8").rstrip().removesuffix("}"), encoding="utf-8")


def _in_utf_16(folder: Path, family: Family) -> None:
    (folder / "chat_template.jinja").write_text(_template(folder), encoding="utf-16")


def _with_byte_order_mark(folder: Path, family: Family) -> None:
    (folder / "chat_template.jinja").write_text(_template(folder), encoding="utf-8-sig")


def _without_template(folder: Path, family: Family) -> None:
    (folder / "chat_template.jinja").unlink()


def _empty_file(folder: Path, family: Family) -> None:
    (folder / "chat_template.jinja").write_text("", encoding="utf-8")
    _set(folder, "tokenizer_config.json", chat_template=family.template)


def _processor_of_its_own(folder: Path, family: Family) -> None:
    _set(folder, "processor_config.json", processor_class="Processor", chat_template=STALE)


def _processor_of_old(folder: Path, family: Family) -> None:
    _set(folder, "processor_config.json", processor_class="Processor")
    _set(folder, "chat_template.json", chat_template=STALE)


def _two_defaults(folder: Path, family: Family) -> None:
    """Of the two files the tokenizer takes the one in the folder, and the processor the other."""
    _set(folder, "processor_config.json", processor_class="Processor")
    (folder / "additional_chat_templates").mkdir()
    (folder / "additional_chat_templates" / "default.jinja").write_text(STALE, encoding="utf-8")


def _legacy_without_processor(folder: Path, family: Family) -> None:
    _set(folder, "chat_template.json", chat_template=STALE)


def _legacy_beside_named(folder: Path, family: Family) -> None:
    _set(folder, "processor_config.json", processor_class="Processor")
    _set(folder, "chat_template.json", chat_template=family.template)
    (folder / "additional_chat_templates").mkdir()
    (folder / "additional_chat_templates" / "tool_use.jinja").write_text(family.template, encoding="utf-8")


def _only_named(folder: Path, family: Family) -> None:
    (folder / "additional_chat_templates").mkdir()
    (folder / "chat_template.jinja").rename(folder / "additional_chat_templates" / "tool_use.jinja")


def _in_an_unread_folder(folder: Path, family: Family) -> None:
    (folder / "chat_templates").mkdir()
    (folder / "chat_templates" / "tool_use.jinja").write_text(family.template, encoding="utf-8")


def _with_another_suffix(folder: Path, family: Family) -> None:
    (folder / "chat_template.jinja").rename(folder / "chat_template.j2")


def _repeated_key(folder: Path, family: Family) -> None:
    (folder / "chat_template.jinja").unlink()
    path = folder / "tokenizer_config.json"
    first, second = (f'"chat_template": {json.dumps(text)},' for text in (STALE, family.template))
    path.write_text(path.read_text(encoding="utf-8").replace("{", f"{{{first}{second}", 1), encoding="utf-8")


def _ends_literally(family: Family) -> bool:
    """Whether one literal ends an answer; of two in a row nobody knows which is to stop the model."""
    return family.ends is not None and family.ends in family.template and "<|END_RESPONSE|>" not in family.special


def _stop_elsewhere(folder: Path, family: Family) -> None:
    """No file names the token that ends an answer: all of them name another one."""
    other = next(token for token in (*family.stops, *family.special) if token != family.ends)
    _set(folder, "tokenizer_config.json", eos_token=other)
    _stop_at(folder, family, other)


def _stop_at_eos_only(folder: Path, family: Family) -> None:
    _stop_at(folder, family, family.tokens["eos_token"])


def _stop_at(folder: Path, family: Family, token: str) -> None:
    ids = {"eos_token_id": token_ids(family)[token]}
    _set(folder, "generation_config.json", **ids)
    held = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    about_text = {"text_config": {**held["text_config"], **ids}} if "text_config" in held else ids
    _set(folder, "config.json", **about_text)


def _misspelt(text: str, family: Family) -> str:
    """The longest control token of a template with two letters swapped."""
    token = max((token for token in family.control if token in text), key=len)
    return text.replace(token, re.sub(r"([a-zA-Z])(?!\1)([a-zA-Z])(\w*\W*)$", r"\2\1\3", token, count=1))


def _reads_bos(family: Family) -> bool:
    return "{{- bos_token }}" in family.template


def _has_prompt(family: Family) -> bool:
    return "add_generation_prompt" in family.template


KNOWN = (
    Defect("template-syntax-error", "a block is closed that was never opened", _appended("{% endif %}")),
    Defect("template-render-error", "an attribute of nothing is read", _appended("{{ messages[0].nothing.more }}")),
    Defect("unreadable-template-config", "the configuration was cut off", _cut_configuration),
    Defect("unreadable-template-config", "the template is written in UTF-16", _in_utf_16),
    Defect("unreadable-template-config", "a named template has no text", _embed(lambda family: [{"name": "default"}])),
    Defect("no-chat-template", "the template was forgotten", _without_template),
    Defect(
        "bos-duplicated", "the beginning is written twice", _replaced("{{- bos_token }}", "{{- bos_token * 2 }}"), _reads_bos
    ),
    Defect("eos-duplicated", "the end is written twice", _appended("{{ eos_token * 2 }}")),
    Defect("undefined-special-token", "a token is read that nobody declared", _appended("{{ sep_token }}")),
    Defect("generation-prompt-missing", "the flag is never read", _replaced("add_generation_prompt", "false"), _has_prompt),
    Defect("generation-prompt-unconditional", "the flag is not asked", _replaced("add_generation_prompt", "true"), _has_prompt),
)
"""Defects whose rules exist."""

UPCOMING = (
    Defect(
        "parallel-calls-dropped",
        "only the first call of a turn is written",
        _replaced(EVERY_CALL, EVERY_CALL.replace("tool_calls", "tool_calls[:1]")),
        lambda family: EVERY_CALL in family.template,
    ),
    Defect("shadowed-template", "a stale copy stands in the configuration", _beside(lambda family: STALE)),
    Defect("named-templates-discarded", "the configuration has names", _beside(_named("default", "tool_use"))),
    Defect("no-default-template", "a list has no default", _embed(_named("tool_use", "rag"))),
    Defect("no-default-template", "only additional templates are there", _only_named),
    Defect("tokenizer-processor-mismatch", "the processor has a template of its own", _processor_of_its_own),
    Defect("tokenizer-processor-mismatch", "the processor has a stale legacy file", _processor_of_old),
    Defect("tokenizer-processor-mismatch", "two files are the default template", _two_defaults),
    Defect("legacy-json-conflict", "a legacy file stands beside named templates", _legacy_beside_named),
    Defect("empty-template-shadows", "an empty file hides a template", _empty_file),
    Defect("duplicate-template-name", "a list repeats a name", _embed(_repeated_name)),
    Defect("template-not-loaded", "named templates lie in a folder that is never read", _in_an_unread_folder),
    Defect("template-not-loaded", "the file has a suffix that is never read", _with_another_suffix),
    Defect(
        "template-not-loaded",
        "a legacy file stands in a model without processor",
        _legacy_without_processor,
        lambda family: family.processor is None,
    ),
    Defect("bom-in-template", "the file begins with a byte order mark", _with_byte_order_mark),
    Defect("duplicate-key", "the configuration has two templates", _repeated_key),
    Defect("stop-token-not-declared", "generation ends at another token", _stop_elsewhere, _ends_literally),
    Defect(
        "stop-token-not-declared",
        "only the end of sequence ends generation",
        _stop_at_eos_only,
        lambda family: family.ends not in (None, family.tokens["eos_token"]),
    ),
    Defect(
        "bos-missing",
        "the beginning is not written",
        _replaced("{{- bos_token }}", ""),
        lambda family: family.adds_bos and _reads_bos(family),
    ),
    Defect("control-literal-not-a-token", "a control token is misspelt", _rewritten(_misspelt)),
)
"""Defects whose rules are still to come; `DEFECTS` takes them in when they are there."""

DEFECTS = KNOWN + UPCOMING
