"""GGUF files as targets: real files written by llama.cpp's package, and files that are cut, lie or are odd."""

from __future__ import annotations

import io
import json
import os
import struct
from typing import TYPE_CHECKING, Any

import pytest
from gguf import GGUFReader, GGUFValueType
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.command import tpllint
from tests.gguf_model import CHATML, IDS, VOCABULARY, write_gguf
from tpllint.sources import open_target
from tpllint.sources.files import CONFIG, TEMPLATE
from tpllint.sources.gguf import MAX_HEADER_BYTES, read_metadata
from tpllint.sources.gguf_files import comes_beside
from tpllint.storage import resolve

if TYPE_CHECKING:
    from pathlib import Path

TEMPLATE_KEY = "tokenizer.chat_template"
NO_PROMPT = "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"
TEXT, ARRAY = 8, 9


def text(value: bytes) -> bytes:
    return struct.pack("<Q", len(value)) + value


def entry(key: bytes, kind: int, value: bytes) -> bytes:
    return text(key) + struct.pack("<I", kind) + value


def header(*entries: bytes, count: int | None = None, version: int = 3) -> bytes:
    """A GGUF file by hand, for what no honest writer writes."""
    return b"GGUF" + struct.pack("<IQQ", version, 0, len(entries) if count is None else count) + b"".join(entries)


TEMPLATE_ENTRY = entry(TEMPLATE_KEY.encode(), TEXT, text(CHATML.encode()))


def findings(folder: Path, *words: str | Path) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = tpllint("check", *words, "--output-format", "json", cwd=folder).json()["findings"]
    return found


def damage(data: bytes) -> tuple[str, ...]:
    return read_metadata(io.BytesIO(data)).damage


def test_a_finding_stands_at_a_place_inside_the_template(tmp_path: Path) -> None:
    write_gguf(tmp_path / "model.gguf", NO_PROMPT.replace("{{ m.content }}", "\n{{ m.content | nope }}"))
    (found,) = (one for one in findings(tmp_path, "model.gguf") if one["rule"] == "unknown-filter-or-test")
    assert (found["path"], found["line"], found["column"]) == ("model.gguf", 3, 16)
    shown = tpllint("check", "model.gguf", cwd=tmp_path).out
    assert "--> model.gguf:3:16" in shown
    assert "3 | {{ m.content | nope }}<|im_end|>" in shown


def test_named_templates_are_told_apart(tmp_path: Path) -> None:
    write_gguf(tmp_path / "model.gguf", CHATML, {"tool_use": "{% include 'a' %}", "rag": "{% include 'b' %}"})
    found = findings(tmp_path, "model.gguf", "--select", "loader-statement")
    assert [(one["template"], one["path"]) for one in found] == [
        ("rag", "model.gguf:tokenizer.chat_template.rag"),
        ("tool_use", "model.gguf:tokenizer.chat_template.tool_use"),
    ]


def test_a_named_template_that_no_list_mentions_is_read_all_the_same(tmp_path: Path) -> None:
    write_gguf(tmp_path / "model.gguf", CHATML, entries={f"{TEMPLATE_KEY}.hidden": "{% include 'a' %}"})
    assert [one["template"] for one in findings(tmp_path, "model.gguf")] == ["hidden"]


@pytest.mark.parametrize("big_endian", [False, True])
@pytest.mark.parametrize("ids_first", [False, True])
def test_templates_and_tokens_are_byte_exact(tmp_path: Path, *, big_endian: bool, ids_first: bool) -> None:
    source = "{{ bos_token }}\r\né\u2028<\uff5cx\uff5c>{{ messages }}\n\n"
    path = write_gguf(tmp_path / "m.gguf", source, ids_first=ids_first, big_endian=big_endian)
    model = open_target(str(path))
    assert model.files[TEMPLATE].data == source.encode()
    assert model.facts == ()
    config = json.loads(model.files[CONFIG].data)
    assert {name: config[name] for name in config if name.endswith("_token")} == {
        "bos_token": "<s>",
        "eos_token": "<|im_end|>",
        "unk_token": "<unk>",
    }
    special = {int(number): token["content"] for number, token in config["added_tokens_decoder"].items()}
    assert special == {number: token for number, token in enumerate(VOCABULARY) if token != "hello"}


def test_a_prompt_has_the_tokens_of_the_file(tmp_path: Path) -> None:
    write_gguf(tmp_path / "m.gguf", "{{ bos_token }}{{ messages[0].content }}{{ eos_token }}")
    done = tpllint("render", "m.gguf", cwd=tmp_path)
    assert done.out.startswith("<s>")
    assert done.out.rstrip("\n").endswith("<|im_end|>")


@pytest.mark.parametrize(
    ("entries", "told"),
    [
        ({"tokenizer.ggml.add_bos_token": False, "tokenizer.ggml.add_eos_token": True}, (False, True)),
        ({"tokenizer.ggml.model": "llama"}, (True, None)),
        ({}, (None, None)),
    ],
)
def test_what_the_tokenizer_adds_is_known(tmp_path: Path, entries: dict[str, object], told: tuple[object, object]) -> None:
    path = write_gguf(tmp_path / "m.gguf", entries=entries, vocabulary=())
    config = json.loads(open_target(str(path)).files[CONFIG].data)
    assert (config.get("add_bos_token"), config.get("add_eos_token")) == told


def test_an_id_that_is_no_token_is_no_token(tmp_path: Path) -> None:
    path = write_gguf(tmp_path / "m.gguf", entries={"tokenizer.ggml.padding_token_id": 2**32 - 1})
    model = open_target(str(path))
    assert "pad_token" not in json.loads(model.files[CONFIG].data)
    assert model.facts == ()


def test_the_base_model_is_remembered(tmp_path: Path) -> None:
    url = "https://huggingface.co/org/base"
    path = write_gguf(tmp_path / "m.gguf", entries={"general.base_model.0.repo_url": url})
    assert open_target(str(path)).base_models == (url,)


def test_a_template_behind_a_large_vocabulary_is_found(tmp_path: Path) -> None:
    many = [f"token number {number}" for number in range(150_000)]
    path = write_gguf(tmp_path / "m.gguf", NO_PROMPT, vocabulary=many, entries={"tokenizer.ggml.merges": many})
    assert path.stat().st_size > 6_000_000
    model = open_target(str(path))
    assert model.files[TEMPLATE].data == NO_PROMPT.encode()
    assert json.loads(model.files[CONFIG].data)["eos_token"] == "token number 5"


def test_a_file_without_a_template_is_a_warning_of_its_own(tmp_path: Path) -> None:
    write_gguf(tmp_path / "m.gguf", None)
    done = tpllint("check", "m.gguf", cwd=tmp_path)
    assert done.code == 0
    assert "warning[gguf-missing-template]: m.gguf holds no tokenizer.chat_template: llama.cpp falls back to ChatML" in done.out
    assert "no-chat-template" not in done.out


@pytest.mark.parametrize("name", ["MODEL.GGUF", "model.Gguf"])
def test_the_suffix_may_be_in_capitals(tmp_path: Path, name: str) -> None:
    write_gguf(tmp_path / name)
    assert tpllint("check", name, cwd=tmp_path).out == "no findings in 1 template\n"


@pytest.mark.parametrize(
    ("entries", "name", "words"),
    [
        ({"split.no": 1, "split.count": 3}, "big-00002-of-00003.gguf", "name big-00001-of-00003.gguf"),
        ({"split.no": 1, "split.count": 3}, "renamed.gguf", "name the first part"),
        ({"general.type": "mmproj"}, "mmproj-model.gguf", "name the .gguf file of the model"),
        ({"general.architecture": "clip"}, "projector.gguf", "name the .gguf file of the model"),
        ({"general.type": "adapter"}, "lora.gguf", "name the .gguf file of the model"),
    ],
)
def test_a_file_that_only_comes_beside_a_model_says_what_to_name(
    tmp_path: Path, entries: dict[str, object], name: str, words: str
) -> None:
    by_hand = [entry(key.encode(), TEXT, text(value.encode())) for key, value in entries.items() if isinstance(value, str)]
    by_hand += [entry(key.encode(), 4, struct.pack("<I", value)) for key, value in entries.items() if isinstance(value, int)]
    (tmp_path / name).write_bytes(header(*by_hand))
    done = tpllint("check", name, cwd=tmp_path)
    assert done.code == 2
    assert "holds" in done.err + done.out
    assert words in done.err + done.out


def test_a_folder_whose_only_template_is_in_a_gguf_file_says_which_was_read(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{}")
    (tmp_path / "a-projector.gguf").write_bytes(header(entry(b"general.architecture", TEXT, text(b"clip"))))
    (tmp_path / "mmproj-f16.gguf").write_bytes(b"")
    for size in ("Q4", "Q8"):
        write_gguf(tmp_path / f"model-{size}.gguf")
    done = tpllint("check", ".", cwd=tmp_path)
    read = "note: .: the chat template was read from model-Q4.gguf, the first of 3 .gguf files\n"
    assert (done.code, done.out) == (0, f"{read}no findings in 1 template\n")
    report = tpllint("check", ".", "--output-format", "json", cwd=tmp_path).json()
    assert report["targets"][0]["note"] == "the chat template was read from model-Q4.gguf, the first of 3 .gguf files"
    assert tpllint("check", ".", "--quiet", cwd=tmp_path).out == ""


def test_what_is_described_of_a_gguf_file_is_said_to_come_from_no_other_file(tmp_path: Path) -> None:
    write_gguf(tmp_path / "model.gguf")
    named = tpllint("describe", "model.gguf", cwd=tmp_path)
    folder = tpllint("describe", ".", cwd=tmp_path)
    assert "chat_template.jinja" not in named.out + folder.out
    assert "note" not in named.out
    assert folder.out.splitlines()[1] == "  note                the chat template was read from model.gguf"
    (told,) = tpllint("describe", ".", "--output-format", "json", cwd=tmp_path).json()["descriptions"]
    assert (told["note"], told["storage"]) == ("the chat template was read from model.gguf", None)


@pytest.mark.parametrize("holder", [TEMPLATE, CONFIG])
def test_a_folder_with_another_template_is_not_judged_by_its_gguf_file(tmp_path: Path, holder: str) -> None:
    (tmp_path / holder).write_text(CHATML if holder == TEMPLATE else json.dumps({"chat_template": CHATML}))
    write_gguf(tmp_path / "model.gguf", "{% include 'a' %}")
    assert tpllint("check", ".", cwd=tmp_path).out == "no findings in 1 template\n"


def test_a_gguf_file_that_leads_out_of_a_folder_is_not_read(tmp_path: Path) -> None:
    write_gguf(tmp_path / "elsewhere.gguf", "{% include 'a' %}")
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "m.gguf").symlink_to(tmp_path / "elsewhere.gguf")
    assert [one["rule"] for one in findings(tmp_path, "model")] == ["no-chat-template"]
    assert [one["rule"] for one in findings(tmp_path, "model/m.gguf")] == ["loader-statement"]


def test_what_is_no_regular_file_is_told_at_once(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "m.gguf")
    done = tpllint("check", "m.gguf", cwd=tmp_path)
    assert (done.code, "not a regular file: m.gguf" in done.err + done.out) == (2, True)
    assert [one["rule"] for one in findings(tmp_path, ".")] == ["no-chat-template"]


def test_a_gguf_file_can_lend_its_template(tmp_path: Path) -> None:
    write_gguf(tmp_path / "m.gguf", "GGUF: {{ messages[0].content }}")
    (tmp_path / CONFIG).write_text("{}")
    done = tpllint("render", CONFIG, "--chat-template", "m.gguf", cwd=tmp_path)
    assert done.out.startswith("GGUF: ")


ODD = {
    "is too short for a GGUF file": b"",
    "is not a GGUF file: it does not begin with GGUF": b"GGUX" + header()[4:],
    "is a pointer of Git LFS and not the file itself, which `git lfs pull` brings": b"version https://git-lfs.github.com/spec/v1",
    "ends inside its first bytes": header()[:12],
    "is a GGUF file of version 1, which llama.cpp reads no more either": header(version=1),
    "is a GGUF file of the unknown version 4": header(version=4),
    "ends inside entry 2 of 1152921504606846976 of its metadata": header(TEMPLATE_ENTRY, count=2**60),
    "claims a name of 65,536 bytes for entry 1 of 1 of its metadata": header(struct.pack("<Q", 65_536)),
    "claims 4,611,686,018,427,387,904 bytes for the value of x, more than the 64 MB of a header": header(
        entry(b"x", TEXT, struct.pack("<Q", 2**62)), TEMPLATE_ENTRY
    ),
    "ends inside the value of tokenizer.chat_template": header(TEMPLATE_ENTRY)[:-9],
    "has the unknown type 99 in the value of x, so nothing behind it can be read": header(entry(b"x", 99, b""), TEMPLATE_ENTRY),
    "has the unknown type 13 in the value of y, so nothing behind it can be read": header(
        entry(b"y", ARRAY, struct.pack("<IQ", 13, 1)), TEMPLATE_ENTRY
    ),
    "claims 9,000,000,000 items for the value of x, more than fit into the 64 MB of a header": header(
        entry(b"x", ARRAY, struct.pack("<IQ", 4, 9_000_000_000)), TEMPLATE_ENTRY
    ),
    "claims 9,000,000 items for the value of x, more than fit into the 64 MB of a header": header(
        entry(b"x", ARRAY, struct.pack("<IQ", TEXT, 9_000_000)), TEMPLATE_ENTRY
    ),
    "nests arrays more than 4 deep in the value of x": header(
        entry(b"x", ARRAY, struct.pack("<IQ", ARRAY, 1) * 20_000), TEMPLATE_ENTRY
    ),
    "holds more than 100,000 arrays": header(
        entry(b"x", ARRAY, struct.pack("<IQ", ARRAY, 200_000) + struct.pack("<IQ", 4, 0) * 200_000), TEMPLATE_ENTRY
    ),
    "claims 100,001 entries of metadata, of which 100,000 were read": header(*[b"\0" * 13] * 100_001),
    "holds an array of arrays in the value of x, which llama.cpp refuses": header(
        TEMPLATE_ENTRY, entry(b"x", ARRAY, struct.pack("<IQ", ARRAY, 1) + struct.pack("<IQ", 4, 0))
    ),
    "holds tokenizer.chat_template more than once, and only the last one was looked at": header(TEMPLATE_ENTRY, TEMPLATE_ENTRY),
    "holds x\\u{0}y, which is another key for llama.cpp, where a NUL ends it": header(entry(b"x\0y", 0, b"1"), TEMPLATE_ENTRY),
    "holds a tokenizer.chat_template that is no text": header(entry(TEMPLATE_KEY.encode(), 4, b"\0" * 4)),
    "holds a tokenizer.chat_template larger than 2 MB": header(entry(TEMPLATE_KEY.encode(), TEXT, text(b"x" * 2_000_001))),
}
"""What is told, by the file that it is told of."""


@pytest.mark.parametrize("clause", ODD)
def test_what_is_wrong_with_metadata_is_said_exactly(clause: str) -> None:
    assert clause in damage(ODD[clause])


@pytest.mark.parametrize(
    ("data", "clause"),
    [
        (entry(TEMPLATE_KEY.encode(), TEXT, text(b"{{ \xff }}")), "holds a tokenizer.chat_template that is not UTF-8"),
        (
            entry(TEMPLATE_KEY.encode() + b".../x", TEXT, text(b"hi")),
            "holds tokenizer.chat_template.../x, which is no name for a template: at most 64 letters, digits, `_`, `-` and `.`",
        ),
    ],
)
def test_a_template_that_cannot_be_checked_is_told(tmp_path: Path, data: bytes, clause: str) -> None:
    (tmp_path / "m.gguf").write_bytes(header(data))
    found = findings(tmp_path, "m.gguf", "--select", "not-fully-analysed")
    assert [one["message"] for one in found] == [f"m.gguf {clause}"]


@pytest.mark.parametrize("clause", ["ends inside entry 2", "holds tokenizer.chat_template more than once"])
def test_what_was_read_before_the_damage_is_still_checked(tmp_path: Path, clause: str) -> None:
    bad = entry(TEMPLATE_KEY.encode(), TEXT, text(b"{% include 'a' %}"))
    data = {"ends": header(bad, count=2), "hold": header(TEMPLATE_ENTRY, bad)}[clause[:4]]
    (tmp_path / "m.gguf").write_bytes(data)
    done = tpllint("check", "m.gguf", "--output-format", "json", cwd=tmp_path)
    report = done.json()
    assert done.code == 1
    assert {one["rule"] for one in report["findings"]} == {"not-fully-analysed", "loader-statement"}
    assert any(clause in one["message"] for one in report["findings"])
    assert report["targets"][0]["fully_analysed"] is False


def test_a_damaged_file_is_not_told_to_lack_a_template(tmp_path: Path) -> None:
    (tmp_path / "m.gguf").write_bytes(header(TEMPLATE_ENTRY)[:-9])
    assert [one["rule"] for one in findings(tmp_path, "m.gguf")] == ["not-fully-analysed"]


@pytest.mark.parametrize("source", ["a\0b", CHATML + "{# \0 #}"])
@pytest.mark.parametrize("holder", ["m.gguf", CONFIG, TEMPLATE])
def test_a_nul_in_a_template_is_reported_wherever_it_is_stored(tmp_path: Path, source: str, holder: str) -> None:
    if holder == "m.gguf":
        write_gguf(tmp_path / holder, source)
    else:
        (tmp_path / holder).write_text(json.dumps({"chat_template": source}) if holder == CONFIG else source)
    told = [one["message"] for one in findings(tmp_path, holder) if one["rule"] == "invisible-characters"]
    assert told == ["the template holds a NUL, where it ends for programs written in C"]


class Endless:
    """A file that goes on for ever, and counts what is taken from it."""

    def __init__(self, begin: bytes, rest: bytes) -> None:
        self.taken = 0
        self._begin = begin
        self._rest = rest

    def read(self, size: int, /) -> bytes:
        begin, self._begin = self._begin[:size], self._begin[size:]
        part = begin or (self._rest * (size // len(self._rest) + 1))[:size]
        self.taken += len(part)
        return part


@pytest.mark.parametrize(
    ("begin", "rest"),
    [
        (header(count=2**63), b"\0"),
        (header(text(b"tokenizer.ggml.tokens") + struct.pack("<IIQ", ARRAY, TEXT, 7_999_000)), text(b"word")),
        (header(text(b"tokenizer.ggml.token_type") + struct.pack("<IIQ", ARRAY, 5, 15_999_000), count=999), b"\0"),
        (header(text(b"general.name") + struct.pack("<I", TEXT), count=9), struct.pack("<Q", 50_000_000)),
    ],
)
def test_no_more_is_read_than_a_header_may_have(begin: bytes, rest: bytes) -> None:
    file = Endless(begin, rest)
    assert not read_metadata(file).complete
    assert file.taken <= MAX_HEADER_BYTES


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    entries = {"general.tags": ["a", "b"], "x.flag": True, "x.number": 7}
    path = write_gguf(tmp_path_factory.mktemp("real") / "m.gguf", CHATML, {"tool_use": "hi"}, entries=entries)
    return path.read_bytes()


@settings(max_examples=400, deadline=None)
@given(st.data())
def test_any_cut_and_any_changed_byte_is_survived(
    real: bytes, tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    changed = bytearray(real)
    for _ in range(data.draw(st.integers(0, 3))):
        changed[data.draw(st.integers(0, len(real) - 1))] = data.draw(st.integers(0, 255))
    cut = bytes(changed[: data.draw(st.integers(0, len(real)))])
    file = Counting(cut)
    metadata = read_metadata(file)
    assert file.largest <= 262_144
    assert metadata.complete or metadata.damage
    kept = [value for value in metadata.values.values() if isinstance(value, bytes)]
    assert sum(map(len, kept)) <= len(cut)
    path = tmp_path_factory.mktemp("changed") / "m.gguf"
    path.write_bytes(cut)
    if not comes_beside(metadata):
        resolve(open_target(str(path)))


class Counting(io.BytesIO):
    """A file that remembers the largest piece that was asked for."""

    largest = 0

    def read(self, size: int | None = -1, /) -> bytes:
        self.largest = max(self.largest, size or 0)
        return super().read(size)


WORDS = st.text(st.characters(codec="utf-8"), max_size=20)
KEYS = st.from_regex(r"(general|tokenizer\.ggml|split|other)\.[a-z_]{1,12}(_token_id)?", fullmatch=True)
VALUES = WORDS | st.integers(0, 2**32 - 1) | st.booleans() | st.lists(WORDS, min_size=1, max_size=5)


@settings(max_examples=60, deadline=None)
@given(entries=st.dictionaries(KEYS, VALUES, max_size=8), template=WORDS, big_endian=st.booleans())
def test_good_files_are_read_as_the_reader_of_llama_cpp_reads_them(
    tmp_path_factory: pytest.TempPathFactory, entries: dict[str, Any], template: str, *, big_endian: bool
) -> None:
    own = {"general.architecture", "tokenizer.ggml.model", "tokenizer.ggml.tokens", "tokenizer.ggml.token_type", *IDS}
    further = {key: value for key, value in entries.items() if key not in own}
    path = write_gguf(tmp_path_factory.mktemp("good") / "m.gguf", template, entries=further, big_endian=big_endian)
    with path.open("rb") as file:
        metadata = read_metadata(file)
    assert (metadata.complete, metadata.damage) == (True, ())
    expected = {key: _value(field) for key, field in GGUFReader(path).fields.items() if not key.startswith("GGUF.")}
    kept = {key: value for key, value in expected.items() if not key.startswith("other.") and not isinstance(value, list)}
    assert {key: value.decode() if isinstance(value, bytes) else value for key, value in metadata.values.items()} == kept
    named = {
        value for key, value in kept.items() if key.endswith("_token_id") and type(value) is int and value < len(VOCABULARY)
    }
    assert metadata.tokens == {number: VOCABULARY[number] for number in named}


def _value(field: Any) -> Any:
    return [] if field.types[0] == GGUFValueType.ARRAY else field.contents()


def test_words_in_files_that_hold_no_template_hide_no_gguf_file(tmp_path: Path) -> None:
    write_gguf(tmp_path / "m.gguf")
    for name in ("tokenizer.json", "config.json"):
        (tmp_path / name).write_text('{"note": "see chat_template"}')
    done = tpllint("render", ".", "--canonical", "user", "--token-ids", cwd=tmp_path)
    assert "no tokenizer.json beside" in done.err, "it has a template, whose tokenizer is inside of it"
    assert tpllint("check", ".", cwd=tmp_path).out.splitlines()[-1] == "no findings in 1 template"
