"""What a fix makes of a model's files: edits of a template's text where it is stored, or files of the templates' own."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

from tpllint.finding import Finding
from tpllint.quoting import listed, quoted
from tpllint.rule import OwnFile, Rewrite
from tpllint.sources.files import LEGACY_TEMPLATE, TEMPLATE, TEMPLATE_FOLDER, ModelFile, ModelFiles
from tpllint.span import NEWLINE, Place, json_members, json_string_at, offset_at, offset_in_json_string, position_at
from tpllint.storage import Resolved
from tpllint.storage.reading import DEFAULT, Stored, Unreadable, embedded, json_of
from tpllint.storage.repeats import Repetitions
from tpllint.text_edit import Replacement, in_json, replaced, without_key

KEY = "chat_template"
SAFE_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,199}")
"""Names of templates that are names of files everywhere."""


class Refused(Exception):
    """A fix is not applied; the message is a clause that says why."""


class FileChange(NamedTuple):
    """What becomes of one file. `before` is None where there is none yet, `after` where there is none any more.

    `name` is its POSIX path inside the model, `shown` the path that findings print.
    """

    name: str
    shown: str
    before: bytes | None
    after: bytes | None


def changes(before: ModelFiles, after: ModelFiles) -> tuple[FileChange, ...]:
    """What tells one state of a model's files from another, by the files' names."""
    return tuple(_changes(before.files, after.files))


def _changes(before: Mapping[str, ModelFile], after: Mapping[str, ModelFile]) -> Iterator[FileChange]:
    for name in sorted({*before, *after}):
        old, new = before.get(name), after.get(name)
        if old != new:
            shown = (before if name in before else after)[name].shown
            yield FileChange(name, shown, None if old is None else old.data, None if new is None else new.data)


def repaired(model: ModelFiles, resolved: Resolved, finding: Finding) -> ModelFiles:
    """The model's files after the fix that a finding offers. Raises Refused."""
    stored = next((stored for stored in resolved.stored if stored.label == finding.template), None)
    if model.from_gguf:
        raise Refused("it is stored in a GGUF file, which tpllint does not write")
    if stored is None or stored.file.name not in model.files:
        raise Refused("it is not in a file of the model")
    if isinstance(finding.fix, OwnFile):
        return _moved(model, stored)
    assert isinstance(finding.fix, Rewrite)
    return _rewritten(model, stored, copies(resolved, stored), finding.fix)


def plain(source: str) -> str:
    """A template's source with the line ends that Jinja reads."""
    return NEWLINE.sub("\n", source)


def copies(resolved: Resolved, stored: Stored) -> list[Stored]:
    """The templates that are the same in another place, and this one: a repair is of all of them, or they would differ."""
    source = plain(stored.source)
    return [other for other in resolved.stored if other.name == stored.name and plain(other.source) == source]


def _rewritten(model: ModelFiles, stored: Stored, places: Sequence[Stored], fix: Rewrite) -> ModelFiles:
    files = dict(model.files)
    for name in {place.file.name for place in places} & set(files):
        edits = [edit for place in places if place.file.name == name for edit in _in_file(place, stored.source, fix)]
        files[name] = replace(files[name], data=_encoded(replaced(_text(files[name]), edits)))
    return model._replace(files=files)


def _text(file: ModelFile) -> str:
    return file.data.decode("utf-8")


def _encoded(text: str) -> bytes:
    try:
        return text.encode("utf-8")
    except UnicodeEncodeError as error:
        raise Refused("its text holds half of a surrogate pair, which no file can hold") from error


def _in_file(stored: Stored, source: str, fix: Rewrite) -> Iterator[Replacement]:
    """A rewrite of `source` as edits of the file in which the same template is stored, perhaps with other line ends."""
    for edit in fix.edits:
        start, end = (position_at(source, offset) for offset in edit.place)
        text = edit.text.replace("\n", "\r\n") if stored.has_carriage_returns else edit.text
        file = _text(stored.file)
        if not stored.keys:
            yield Replacement(Place(offset_at(file, start), offset_at(file, end)), text)
            continue
        quote = json_string_at(file, stored.keys) or 0
        begin, stop = (offset_in_json_string(file, quote, offset_at(stored.source, at)) for at in (start, end))
        yield Replacement(Place(begin, stop), in_json(text, ascii_only=file.isascii()))


def _moved(model: ModelFiles, stored: Stored) -> ModelFiles:
    """Each template of the file in a file of its own, and the file without them."""
    if not stored.keys:
        raise Refused("it has a file of its own")
    if model.focus:
        raise Refused("what else stands in the model's folder decides: name the folder")
    file = model.files[stored.file.name]
    held = {member.key for member in json_members(_text(file))}
    made = {name: ModelFile(name, model.shown(name), data) for name, data in _own_files(model, file)}
    files = {**model.files, **made}
    listing = {*model.listing, *made} if model.listing else set()
    if file.name == LEGACY_TEMPLATE and held == {KEY}:
        del files[file.name]
        listing.discard(file.name)
    else:
        files[file.name] = replace(file, data=_encoded(without_key(_text(file), KEY)))
    return model._replace(files=files, listing=tuple(sorted(listing)))


def _own_files(model: ModelFiles, file: ModelFile) -> Iterator[tuple[str, bytes]]:
    """The names of the files to be and what they hold; one that has it already stays as it is."""
    taken = {*model.files, *model.listing, *(unread.name for unread in model.unread)}
    for stored in _entries(file):
        name = TEMPLATE if stored.name == DEFAULT else f"{TEMPLATE_FOLDER}/{stored.name}.jinja"
        data = _encoded(stored.source)
        if name in model.files and model.files[name].data == data:
            continue
        if name in taken:
            raise Refused(f"{name} stands there already and holds something else")
        yield name, data


def _entries(file: ModelFile) -> tuple[Stored, ...]:
    """The templates of a JSON file, where it leaves no doubt of them and of their names."""
    text = _text(file)
    held = [member for member in json_members(text) if member.key == KEY]
    repetitions = Repetitions()
    json.JSONDecoder(object_pairs_hook=repetitions).raw_decode(text, held[-1].value)
    if held[1:] or repetitions.keys:
        raise Refused(f"{file.name} repeats a key of its templates, and readers disagree on which counts")
    try:
        entries = tuple(embedded(file, json_of(file)[KEY]))
    except Unreadable as error:
        raise Refused(f"{file.name} {error}") from error
    names = Counter(stored.name.casefold() for stored in entries)
    repeated = [quoted(name) for name, count in names.items() if count > 1]
    if repeated:
        raise Refused(f"{file.name} has more than one template of the name {listed(repeated)}")
    unsafe = [quoted(stored.name) for stored in entries if not SAFE_NAME.fullmatch(stored.name)]
    if unsafe:
        raise Refused(f"{listed(unsafe)} is no safe name of a file")
    return entries
