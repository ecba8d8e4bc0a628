"""Token ids and what encoding adds: folders of every kind, and the tokenizer that transformers makes of them beside."""

from __future__ import annotations

import io
import itertools
import json
from typing import TYPE_CHECKING, Any

import pytest
from tokenizers import processors
from transformers import AutoTokenizer

from tests.small_tokenizer import tokenizer
from tpllint.job import Vocabulary
from tpllint.sources import open_target
from tpllint.storage import resolve
from tpllint.tokenizer_head import MAX_BYTES, Head, read_head

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

BOS, EOS = "<b>", "<e>"


def _template(token: str, number: int) -> Any:
    return processors.TemplateProcessing(single=f"{token} $A", pair=f"{token} $A $B", special_tokens=[(token, number)])


def _post_processor(kind: str) -> Any:
    bos, eos = (BOS, 256), (EOS, 257)
    after = processors.TemplateProcessing(single=f"$A {EOS}", pair="$A $B", special_tokens=[eos])
    return {
        "none": None,
        "bytes": processors.ByteLevel(trim_offsets=True),
        "template": _template(*bos),
        "sequence": processors.Sequence([processors.ByteLevel(trim_offsets=True), _template(*bos)]),
        "at the end": after,
        "another": _template(*eos),
        "roberta": processors.RobertaProcessing(eos, bos),
        "bert": processors.BertProcessing(eos, bos),
    }[kind]


POST_PROCESSORS = ("none", "bytes", "template", "sequence", "at the end", "another", "roberta", "bert")
CLASSES = ("PreTrainedTokenizerFast", "LlamaTokenizer", "Qwen2Tokenizer", "GemmaTokenizerFast", "GPTNeoXTokenizerFast")


def _folder(folder: Path, kind: str, config: Mapping[str, Any], **files: Mapping[str, Any]) -> Path:
    made = tokenizer(BOS, EOS)
    post_processor = _post_processor(kind)
    if post_processor is not None:
        made.post_processor = post_processor
    made.save(str(folder / "tokenizer.json"))
    for name, held in {"tokenizer_config": {"bos_token": BOS, "eos_token": EOS, **config}, **files}.items():
        (folder / f"{name}.json").write_text(json.dumps(held), encoding="utf-8")
    return folder


def _told(folder: Path) -> Vocabulary:
    return resolve(open_target(str(folder))).vocabulary


@pytest.mark.parametrize(("kind", "named"), list(itertools.product(POST_PROCESSORS, CLASSES)))
@pytest.mark.parametrize("declared", [None, True, False])
def test_what_encoding_adds_is_what_the_loaded_tokenizer_adds(
    tmp_path: Path, kind: str, named: str, declared: bool | None
) -> None:
    switch = {} if declared is None else {"add_bos_token": declared}
    loaded = AutoTokenizer.from_pretrained(_folder(tmp_path, kind, {"tokenizer_class": named, **switch}))
    adds = loaded("a")["input_ids"][:1] == [loaded.bos_token_id]
    undecided = named.startswith("GPTNeoX") or declared is (not adds)
    assert _told(tmp_path).adds_bos is (None if undecided else adds)


@pytest.mark.parametrize("named", CLASSES)
@pytest.mark.parametrize(
    "config",
    [
        {},
        {"added_tokens_decoder": {"256": {"content": BOS, "special": True}, "257": {"content": EOS, "special": True}}},
        {"extra_special_tokens": [EOS]},
    ],
    ids=["tokenizer.json", "both", "extra"],
)
def test_ids_are_those_of_the_loaded_tokenizer(tmp_path: Path, named: str, config: Mapping[str, Any]) -> None:
    loaded = AutoTokenizer.from_pretrained(_folder(tmp_path, "none", {"tokenizer_class": named, **config}))
    told = _told(tmp_path)
    assert told.told
    assert told.ids == {BOS: 256, EOS: 257}
    assert told.ids == {token: loaded.get_added_vocab()[token] for token in told.ids}


def test_legacy_added_tokens_have_the_ids_of_the_loaded_tokenizer(tmp_path: Path) -> None:
    folder = _folder(tmp_path, "none", {"tokenizer_class": "PreTrainedTokenizerFast"}, added_tokens={"<x>": 258})
    loaded = AutoTokenizer.from_pretrained(folder)
    assert loaded.convert_tokens_to_ids("<x>") == 258
    assert _told(folder).ids == {BOS: 256, EOS: 257}, "a token that tokenizer.json does not have gets the next free id"


@pytest.mark.parametrize("declared", [None, True, False])
def test_without_a_tokenizer_json_the_switch_counts(tmp_path: Path, declared: bool | None) -> None:
    vocabulary = json.loads(tokenizer().to_str())["model"]["vocab"]
    (tmp_path / "vocab.json").write_text(json.dumps({**vocabulary, BOS: 256}), encoding="utf-8")
    (tmp_path / "merges.txt").write_text("#version: 0.2\n")
    config = {"tokenizer_class": "Qwen2Tokenizer", "bos_token": BOS} | ({} if declared is None else {"add_bos_token": declared})
    (tmp_path / "tokenizer_config.json").write_text(json.dumps(config))
    loaded = AutoTokenizer.from_pretrained(tmp_path)
    told = _told(tmp_path).adds_bos
    assert told is declared, "without the switch the class decides"
    assert told in (None, loaded("a")["input_ids"][:1] == [loaded.bos_token_id])


def test_without_a_tokenizer_the_configuration_tells(tmp_path: Path) -> None:
    (tmp_path / "tokenizer_config.json").write_text(
        json.dumps({"bos_token": BOS, "add_bos_token": True, "added_tokens_decoder": {"5": {"content": BOS}, "x": {}, "7": 1}})
    )
    told = _told(tmp_path)
    assert (told.ids, told.told, told.adds_bos) == ({BOS: 5}, True, True)


@pytest.mark.parametrize(
    ("generation", "config", "stops", "stops_in"),
    [
        ('{"eos_token_id": 1}', '{"eos_token_id": 2}', (1,), "generation_config.json"),
        ('{"eos_token_id": [1, 3]}', None, (1, 3), "generation_config.json"),
        ('{"eos_token_id": null}', '{"eos_token_id": 2}', (2,), "config.json"),
        ("{}", None, (), "generation_config.json"),
        (None, '{"text_config": {"eos_token_id": [4]}}', (4,), "config.json"),
        (None, '{"model_type": "llama"}', None, None),
        (None, '{"eos_token_id": true, "text_config": []}', None, None),
        ("{", None, None, None),
        (None, None, None, None),
    ],
)
def test_where_the_model_stops(
    tmp_path: Path, generation: str | None, config: str | None, stops: tuple[int, ...] | None, stops_in: str | None
) -> None:
    for name, held in (("generation_config.json", generation), ("config.json", config)):
        if held is not None:
            (tmp_path / name).write_text(held)
    told = _told(tmp_path)
    assert (told.stops, told.stops_in) == (stops, stops_in)


class _Counted(io.BytesIO):
    """A stream that knows how far it was read."""

    def __init__(self, data: bytes) -> None:
        super().__init__(data)
        self.furthest = 0

    def read(self, size: int | None = -1, /) -> bytes:
        data = super().read(size)
        self.furthest = max(self.furthest, self.tell())
        return data


def test_the_vocabulary_is_not_read() -> None:
    held = json.loads(tokenizer(BOS, EOS).to_str())
    held["model"]["vocab"] |= {f"word{number}": 1000 + number for number in range(200_000)}
    for indent in (None, 2):
        stream = _Counted(json.dumps(held, indent=indent).encode())
        assert read_head(stream) == Head({BOS: 256, EOS: 257}, "")
        assert stream.furthest < 300_000 < len(stream.getvalue())


def test_a_long_head_is_read_piece_by_piece() -> None:
    held = {"added_tokens": [{"id": number, "content": f"<\u00e9{number}>"} for number in range(30_000)], "model": {}}
    head = read_head(io.BytesIO(json.dumps(held, ensure_ascii=False).encode()))
    assert head.added is not None
    assert len(head.added) == 30_000
    assert head.first is None, "no post-processor is told"


@pytest.mark.parametrize(
    "written",
    [
        b"",
        b"[]",
        b"\xff",
        b'{"added_tokens": [',
        b'{"added_tokens": [1], "model": {}}',
        b'{"added_tokens": {}, "model": {}}',
        b'{"added_tokens" []}',
        b'{"model": {}, "added_tokens": []}',
        b"[" * 200_000,
        b'{"x": ' + b"[" * 200_000,
        b'{"x": "' + b"a" * (MAX_BYTES + 1) + b'", "added_tokens": []}',
        b'{"version": 1' + b"1" * 5000 + b', "added_tokens": []}',
    ],
)
def test_an_odd_file_tells_nothing(written: bytes) -> None:
    assert read_head(io.BytesIO(written)).added is None
