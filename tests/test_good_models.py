"""Whole model folders that are as they should be: transformers loads them as their authors mean them, and tpllint is silent."""

from __future__ import annotations

import json
from pathlib import PurePath
from typing import TYPE_CHECKING, Any

import pytest
from transformers import AutoTokenizer, GenerationConfig

import tpllint
from tests.command import Done
from tests.command import tpllint as command
from tests.live import Processor
from tests.model_folders.families import FAMILIES, Family
from tests.model_folders.folders import FOLDERS, LAYOUTS, has_names, has_processor, token_ids, write_folder

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

CALL = {"type": "function", "id": "a1b2c3d4e", "function": {"name": "weather", "arguments": {"city": "Oslo", "days": 2}}}
TOOL = {
    "type": "function",
    "function": {
        "name": "weather",
        "description": "The weather of a city.",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}, "days": {"type": "integer"}}},
    },
}
QUESTION = {"role": "user", "content": "Na\u00efve <b>question</b>?"}
ANSWER = {"role": "assistant", "content": " \u4f60\u597d,\n\nthe answer.", "reasoning_content": "Hm."}
CASES: dict[str, dict[str, Any]] = {
    "a question": {"messages": [QUESTION], "add_generation_prompt": True},
    "a second question": {
        "messages": [{"role": "system", "content": "Be brief."}, QUESTION, ANSWER, QUESTION],
        "add_generation_prompt": True,
    },
    "an answer": {"messages": [QUESTION, ANSWER]},
    "tools": {"messages": [QUESTION], "tools": [TOOL], "add_generation_prompt": True},
    "a tool loop": {
        "messages": [
            {"role": "system", "content": "Be brief."},
            QUESTION,
            {"role": "assistant", "content": "", "tool_calls": [CALL]},
            {"role": "tool", "name": "weather", "tool_call_id": "a1b2c3d4e", "content": '{"sky": "grey"}'},
        ],
        "tools": [TOOL],
        "add_generation_prompt": True,
    },
}

FOLDER_NAMES = [f"{family.name}-{layout}" for family, layout in FOLDERS]
each_folder = pytest.mark.parametrize(("family", "layout"), [pytest.param(*it, id=f"{it[0].name}-{it[1]}") for it in FOLDERS])
each_family = pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.name)


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("models")
    for family, layout in FOLDERS:
        write_folder(root / f"{family.name}-{layout}", family, layout)
    return root


@pytest.fixture(scope="module")
def checked(models: Path) -> Done:
    return command("check", *FOLDER_NAMES, "--profile", "default", "--no-config", "--output-format", "json", cwd=models)


def _loaded(models: Path, family: Family, layout: str) -> Any:
    made: Any = AutoTokenizer
    return made.from_pretrained(models / f"{family.name}-{layout}", local_files_only=True)


def test_there_are_enough_of_them() -> None:
    assert len(FOLDERS) == len(FAMILIES) * len(LAYOUTS) >= 30


@each_folder
def test_nothing_is_said_about_a_model_that_is_as_it_should_be(checked: Done, family: Family, layout: str) -> None:
    report = checked.json()
    assert [finding for finding in report["findings"] if finding["target"] == f"{family.name}-{layout}"] == []


@each_folder
def test_every_template_of_it_is_examined(checked: Done, family: Family, layout: str) -> None:
    (target,) = [one for one in checked.json()["targets"] if one["target"] == f"{family.name}-{layout}"]
    assert target["templates"] == (["default", "tool_use"] if has_names(family, layout) else ["default"])
    assert target["fully_analysed"]


def test_a_run_over_all_of_them_succeeds(checked: Done) -> None:
    assert (checked.code, checked.err) == (0, "")


@each_folder
def test_transformers_finds_the_tokens_that_are_meant(models: Path, family: Family, layout: str) -> None:
    tokenizer = _loaded(models, family, layout)
    assert dict(tokenizer.special_tokens_map) == dict(family.tokens)
    assert {token: tokenizer.convert_tokens_to_ids(token) for token in token_ids(family)} == token_ids(family)
    assert all(tokenizer.tokenize(f"x{token}x")[1] == token for token in (*family.special, *family.added))
    begins = [token_ids(family)[family.tokens["bos_token"]]] if family.adds_bos else []
    plain = tokenizer("x", add_special_tokens=False).input_ids
    assert tokenizer("x").input_ids == begins + plain
    assert tokenizer.decode(tokenizer(QUESTION["content"], add_special_tokens=False).input_ids) == QUESTION["content"]


@each_folder
def test_generation_ends_at_the_tokens_that_are_meant(models: Path, family: Family, layout: str) -> None:
    made: Any = GenerationConfig
    stops = made.from_pretrained(models / f"{family.name}-{layout}", local_files_only=True).eos_token_id
    tokenizer = _loaded(models, family, layout)
    assert tuple(tokenizer.convert_ids_to_tokens(stops if isinstance(stops, list) else [stops])) == family.stops


@pytest.fixture(scope="module")
def rendered(models: Path) -> Mapping[tuple[str, str, str], str]:
    """Every conversation through every template, by folder, template and conversation."""
    options = []
    for name, case in CASES.items():
        (models / f"{name}.json").write_text(json.dumps(case), encoding="utf-8")
        options += ["--conversation", f"{name}.json"]
    done = command("render", *FOLDER_NAMES, *options, "--output-format", "json", cwd=models)
    records = done.json()["renders"]
    return {(it["target"], it["template"], PurePath(it["conversation"]).stem): it["text"] for it in records}


def _prompt(tokenizer: Any, case: Mapping[str, Any]) -> str:
    """What transformers makes of a conversation."""
    rest = {key: value for key, value in case.items() if key != "messages"}
    prompt: str = tokenizer.apply_chat_template(case["messages"], **rest, tokenize=False)
    return prompt


def _cases(family: Family, layout: str) -> Iterator[tuple[str, Mapping[str, Any], str]]:
    """The conversations that a folder is for, each with its name and that of the template which transformers takes for it."""
    for name, case in CASES.items():
        if family.has_tools or "tools" not in case:
            yield name, case, "tool_use" if has_names(family, layout) and "tools" in case else "default"


@each_folder
def test_every_prompt_is_that_of_transformers(
    models: Path, rendered: Mapping[tuple[str, str, str], str], family: Family, layout: str
) -> None:
    tokenizer = _loaded(models, family, layout)
    for name, case, template in _cases(family, layout):
        expected = _prompt(tokenizer, case)
        assert rendered[f"{family.name}-{layout}", template, name] == expected
        assert all(message["content"] in expected for message in case["messages"] if message["role"] in ("user", "system"))


@each_folder
def test_python_gets_the_prompt_of_transformers(models: Path, family: Family, layout: str) -> None:
    tokenizer = _loaded(models, family, layout)
    *_, (_, case, template) = _cases(family, layout)
    assert tpllint.render(models / f"{family.name}-{layout}", **case, template=template) == _prompt(tokenizer, case)


@each_folder
def test_the_last_answer_ends_at_a_token_that_ends_generation(models: Path, family: Family, layout: str) -> None:
    tokenizer = _loaded(models, family, layout)
    after, following = (
        _prompt(tokenizer, CASES[name]).partition("the answer.")[2] for name in ("an answer", "a second question")
    )
    assert after.endswith((f"{family.ends}", f"{family.ends}\n")) if family.ends else after == ""
    assert family.ends in family.stops if family.ends else following.startswith(family.stops)


@each_folder
def test_every_control_word_of_a_prompt_is_one_token(models: Path, family: Family, layout: str) -> None:
    tokenizer = _loaded(models, family, layout)
    prompt = _prompt(tokenizer, CASES["a second question"])
    ids = tokenizer(prompt, add_special_tokens=False).input_ids
    assert sum(prompt.count(token) for token in family.special) == sum(
        ids.count(token_ids(family)[it]) for it in family.special
    )
    assert any(token in prompt for token in family.special)


@pytest.mark.parametrize(
    ("family", "layout"), [pytest.param(*it, id=f"{it[0].name}-{it[1]}") for it in FOLDERS if has_processor(*it)]
)
def test_a_processor_has_the_template_of_its_tokenizer(models: Path, family: Family, layout: str) -> None:
    made: Any = Processor
    processor = made.from_pretrained(models / f"{family.name}-{layout}", local_files_only=True)
    assert processor.chat_template == _loaded(models, family, layout).chat_template == family.template


@each_family
def test_a_folder_is_the_same_each_time(tmp_path: Path, family: Family) -> None:
    for layout in LAYOUTS:
        one, other = (write_folder(tmp_path / layout / which, family, layout) for which in "ab")
        files = [path.relative_to(one) for path in sorted(one.rglob("*")) if path.is_file()]
        assert files
        assert all((one / file).read_bytes() == (other / file).read_bytes() for file in files)
