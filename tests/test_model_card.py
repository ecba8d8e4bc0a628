"""What a model card says a model was made from."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tpllint.sources import open_target
from tpllint.sources.files import ModelFile
from tpllint.sources.model_card import CARD, base_models

if TYPE_CHECKING:
    from pathlib import Path


def told(card: bytes) -> tuple[str, ...]:
    return base_models(ModelFile(CARD, CARD, card))


@pytest.mark.parametrize(
    ("front_matter", "models"),
    [
        ("base_model: org/base", ("org/base",)),
        ("license: mit\nbase_model: org/base  # the one\ntags:\n- x", ("org/base",)),
        ("base_model:\n- org/base\n- org/other\ntags: [x]", ("org/base", "org/other")),
        ("base_model:\n\n  - org/base\n  - org/base\n", ("org/base",)),
        ("base_model: ['org/base', \"gpt2\"]", ("org/base", "gpt2")),
        ("'base_model': org/base\r\nlicense: mit\r", ("org/base",)),
        ("base_model_relation: quantized", ()),
        ("model-index:\n  base_model: org/base", ()),
        ("description: |\n  base_model: org/base", ()),
        ("base_model:", ()),
        ("base_model: 3", ()),
        ("base_model: {name: org/base}", ()),
        ("base_model: [[org/base], 3, null, org/good]", ("org/good",)),
        ("base_model: https://huggingface.co/org/base", ()),
        ("base_model: ../../etc/passwd", ()),
        ("base_model: hf:org/base", ()),
        ("base_model: org/base@main", ()),
        ('base_model: "org/base\\e[31m"', ()),
        ("base_model: &a [*a]", ()),
        ("base_model: *a", ()),
        ("base_model: !!python/object/apply:os.getcwd []", ()),
        ("base_model: 2001-99-99", ()),
        ("base_model: [", ()),
        ("base_model: " + "[" * 3000, ()),
        ("base_model: " + "[" * 1_000_000, ()),
        ("base_model:" + "\n- org/base" * 1000, ()),
        ("base_model: \x00", ()),
    ],
)
def test_the_base_models_are_those_that_a_card_names_by_id(front_matter: str, models: tuple[str, ...]) -> None:
    assert told(f"---\n{front_matter}\n---\n# Model\nbase_model: text/only\n".encode()) == models


@pytest.mark.parametrize(
    "card",
    [
        b"",
        b"# Model\n---\nbase_model: org/base\n---\n",
        b"---\nbase_model: org/base\n",
        b"---\nbase_model: \xff\n---\n",
        b"---\n---\n",
    ],
)
def test_a_card_without_usable_front_matter_names_nothing(card: bytes) -> None:
    assert told(card) == ()


def test_at_most_ten_base_models_count() -> None:
    listed = "".join(f"\n- org/model-{number}" for number in range(20))
    assert len(told(f"---\nbase_model:{listed}\n---\n".encode())) == 10


def test_the_card_of_a_folder_is_read_where_it_is_asked_for(tmp_path: Path) -> None:
    card = b"---\nbase_model: org/base\n---\n"
    (tmp_path / CARD).write_bytes(card)
    assert base_models(open_target(str(tmp_path), more=(CARD,)).files[CARD]) == ("org/base",)
    assert base_models(None) == ()
