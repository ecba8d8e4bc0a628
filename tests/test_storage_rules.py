"""What is said about templates that are stored wrongly: one finding for one defect, at its exact place, and nothing else."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.command import tpllint
from tests.live import Processor
from tests.small_tokenizer import tokenizer_json
from tpllint.checking import Check, check
from tpllint.pool import Pool
from tpllint.selection import Selection
from tpllint.sources.files import ModelFile, ModelFiles
from tpllint.testing import write_model

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from tpllint.finding import Finding, RelatedPlace

transformers: Any = pytest.importorskip("transformers", minversion="5.23")

GOOD = (
    "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
OTHER = GOOD.replace("im_end", "stop")
REWORDED = GOOD.replace("for m in", "for  m  in")
STORAGE = ("TPL00", "TPL01", "duplicate-key")
JINJA, CONFIG, LEGACY, PROCESSOR = "chat_template.jinja", "tokenizer_config.json", "chat_template.json", "processor_config.json"
DEFAULT, TOOL_USE = "additional_chat_templates/default.jinja", "additional_chat_templates/tool_use.jinja"
TEXT_MODEL = {"config.json": '{"model_type": "llama"}'}


def holds(template: object, **more: object) -> str:
    return json.dumps({**more, "chat_template": template})


def named(**templates: str) -> list[dict[str, str]]:
    return [{"name": name, "template": text} for name, text in templates.items()]


@pytest.fixture(scope="module")
def pool() -> Iterator[Pool]:
    with Pool() as pool:
        yield pool


def said(pool: Pool, folder: Path, files: Mapping[str, str], *rules: str) -> list[Finding]:
    write_model(folder, files)
    report = check([str(folder)], pool, Check(selection=Selection(select=rules or STORAGE)))
    assert report.crashes == ()
    return list(report.findings)


def summary(findings: list[Finding]) -> list[tuple[str, str]]:
    """What is said at the levels that are shown by default."""
    return [(finding.rule, str(finding.severity)) for finding in findings if finding.severity != "info"]


QUIET: dict[str, dict[str, str]] = {
    "one file": {JINJA: GOOD},
    "one configuration": {CONFIG: holds(GOOD)},
    "a file and its copy": {JINJA: GOOD, CONFIG: holds(GOOD)},
    "a file and its copy without the last line end": {JINJA: GOOD + "\n", CONFIG: holds(GOOD)},
    "a file with other line ends than its copy": {JINJA: GOOD.replace("\n", "\r\n"), CONFIG: holds(GOOD)},
    "a list of one": {CONFIG: holds(named(default=GOOD))},
    "a list with a template for tools": {CONFIG: holds(named(default=GOOD, tool_use=OTHER))},
    "an object of templates": {CONFIG: holds({"default": GOOD, "rag": OTHER})},
    "files with names": {JINJA: GOOD, TOOL_USE: OTHER},
    "files with names and their copies": {JINJA: GOOD, TOOL_USE: OTHER, CONFIG: holds(named(default=GOOD, tool_use=OTHER))},
    "a processor with one file": {JINJA: GOOD, PROCESSOR: '{"processor_class": "P"}'},
    "a processor with copies everywhere": {
        JINJA: GOOD,
        CONFIG: holds(GOOD),
        LEGACY: holds(GOOD),
        PROCESSOR: holds(GOOD, processor_class="P"),
    },
    "a processor of old, with both copies": {CONFIG: holds(GOOD), LEGACY: holds(GOOD), "preprocessor_config.json": "{}"},
    "a processor of old, whose tokenizer has none": {CONFIG: "{}", LEGACY: holds(GOOD), "preprocessor_config.json": "{}"},
    "a tokenizer beside an image processor of old": {CONFIG: holds(GOOD), "preprocessor_config.json": "{}"},
    "a processor whose code comes with the model": {CONFIG: holds(GOOD), PROCESSOR: '{"auto_map": {"AutoProcessor": "a.B"}}'},
    "a processor whose words differ and not what they say": {JINJA: GOOD, PROCESSOR: holds(REWORDED)},
    "a model with models in its folders": {
        JINJA: GOOD,
        CONFIG: "{}",
        "draft/chat_template.jinja": OTHER,
        "draft/config.json": "{}",
        "assets/chat_template.jinja": GOOD,
        "templates/alternative.jinja": OTHER,
    },
    "a copy in a legacy file of a model of text": {**TEXT_MODEL, JINJA: GOOD + "\n", LEGACY: holds(GOOD)},
    "a key twice with one value": {JINJA: GOOD, CONFIG: '{"eos_token": "a", "eos_token": "a"}'},
    "a key in two objects": {JINJA: GOOD, CONFIG: '{"a": {"eos_token": "b"}, "eos_token": "c"}'},
    "a key of the model's configuration twice": {JINJA: GOOD, "config.json": '{"hidden_size": 1, "hidden_size": 2}'},
    "a name twice with one text": {CONFIG: holds([*named(default=GOOD), *named(default=GOOD)])},
    "an empty list beside a file": {JINJA: GOOD, CONFIG: holds([])},
}


@pytest.mark.parametrize("files", QUIET.values(), ids=QUIET)
def test_nothing_is_said_where_all_readers_agree(pool: Pool, tmp_path: Path, files: dict[str, str]) -> None:
    assert summary(said(pool, tmp_path, files)) == []


POINTER = f"version https://git-lfs.github.com/spec/v1\noid sha256:{64 * '0'}\nsize 11\n"

LOUD: dict[str, tuple[dict[str, str], tuple[str, str]]] = {
    "a stale copy": ({JINJA: GOOD, CONFIG: holds(OTHER)}, ("shadowed-template", "error")),
    "a copy in other words": ({JINJA: GOOD, CONFIG: holds(REWORDED)}, ("shadowed-template", "warning")),
    "a copy that does not compile": ({JINJA: GOOD, CONFIG: holds("{% if %}")}, ("shadowed-template", "error")),
    "a list of one, stale": ({JINJA: GOOD, CONFIG: holds(named(default=OTHER))}, ("shadowed-template", "error")),
    "a stale copy of what tools get": (
        {JINJA: GOOD, TOOL_USE: GOOD, CONFIG: holds(named(default=GOOD, tool_use=OTHER))},
        ("shadowed-template", "error"),
    ),
    "a pointer of Git LFS": ({JINJA: POINTER}, ("unreadable-template-config", "error")),
    "a configuration that is a pointer of Git LFS": ({JINJA: GOOD, CONFIG: POINTER}, ("unreadable-template-config", "error")),
    "two default files": ({JINJA: OTHER, DEFAULT: GOOD}, ("shadowed-template", "error")),
    "a legacy file that may be a processor's": ({JINJA: GOOD, LEGACY: holds(OTHER)}, ("shadowed-template", "error")),
    "a stale copy that neither loads": (
        {JINJA: GOOD, CONFIG: holds(OTHER), LEGACY: holds(GOOD), PROCESSOR: "{}"},
        ("shadowed-template", "error"),
    ),
    "a legacy file that the processor passes over": (
        {JINJA: GOOD, LEGACY: holds(OTHER), PROCESSOR: holds(GOOD)},
        ("shadowed-template", "error"),
    ),
    "lost names": (
        {JINJA: GOOD, CONFIG: holds(named(default=OTHER, tool_use=OTHER))},
        ("named-templates-discarded", "error"),
    ),
    "lost names that say the same": (
        {JINJA: GOOD, CONFIG: holds(named(default=GOOD, tool_use=GOOD))},
        ("named-templates-discarded", "warning"),
    ),
    "a list without a default": ({CONFIG: holds(named(tool_use=GOOD, rag=OTHER))}, ("no-default-template", "error")),
    "files without a default": ({TOOL_USE: GOOD}, ("no-default-template", "error")),
    "files without a default, of a model with a processor": (
        {TOOL_USE: GOOD, PROCESSOR: "{}"},
        ("no-default-template", "error"),
    ),
    "files that hide the default": (
        {TOOL_USE: GOOD, CONFIG: holds(named(default=GOOD, rag=GOOD))},
        ("no-default-template", "error"),
    ),
    "a processor of its own mind": ({JINJA: GOOD, PROCESSOR: holds(OTHER)}, ("tokenizer-processor-mismatch", "error")),
    "a legacy file that the processor prefers": (
        {JINJA: GOOD, LEGACY: holds(OTHER), PROCESSOR: "{}"},
        ("tokenizer-processor-mismatch", "error"),
    ),
    "a legacy file, and its copy for the tokenizer that is passed over": (
        {JINJA: GOOD, CONFIG: holds(OTHER), LEGACY: holds(OTHER), PROCESSOR: "{}"},
        ("tokenizer-processor-mismatch", "error"),
    ),
    "two default files of a model with a processor": (
        {JINJA: OTHER, DEFAULT: GOOD, PROCESSOR: "{}"},
        ("tokenizer-processor-mismatch", "error"),
    ),
    "configurations of old that differ": (
        {CONFIG: holds(GOOD), LEGACY: holds(OTHER), "preprocessor_config.json": "{}"},
        ("tokenizer-processor-mismatch", "error"),
    ),
    "a processor without a template": ({CONFIG: holds(GOOD), PROCESSOR: "{}"}, ("tokenizer-processor-mismatch", "warning")),
    "a legacy file beside names": (
        {JINJA: GOOD, TOOL_USE: GOOD, LEGACY: holds(GOOD), PROCESSOR: "{}"},
        ("legacy-json-conflict", "error"),
    ),
    "an empty file over a good copy": ({JINJA: " \n", CONFIG: holds(GOOD)}, ("empty-template-shadows", "error")),
    "an empty file over names": (
        {JINJA: "", CONFIG: holds(named(default=GOOD, rag=OTHER))},
        ("empty-template-shadows", "error"),
    ),
    "an empty file alone": ({JINJA: ""}, ("empty-template-shadows", "error")),
    "an empty file of a model with a processor": ({JINJA: "", PROCESSOR: "{}"}, ("empty-template-shadows", "error")),
    "an empty text": ({CONFIG: holds("")}, ("empty-template-shadows", "error")),
    "nothing for tools": ({JINJA: GOOD, TOOL_USE: ""}, ("empty-template-shadows", "error")),
    "a name twice": ({CONFIG: holds([*named(default=OTHER), *named(default=GOOD)])}, ("duplicate-template-name", "error")),
    "a template twice": (
        {CONFIG: f'{{"chat_template": {json.dumps(OTHER)}, "chat_template": {json.dumps(GOOD)}}}'},
        ("duplicate-key", "warning"),
    ),
    "a token twice": ({JINJA: GOOD, CONFIG: '{"a": 1, "eos_token": "a", "eos_token": "b"}'}, ("duplicate-key", "warning")),
    "a name twice in an object": (
        {CONFIG: '{"chat_template": {"default": "", "default": ' + json.dumps(GOOD) + "}}"},
        ("duplicate-key", "warning"),
    ),
    "a base model twice": (
        {JINJA: GOOD, "adapter_config.json": '{"base_model_name_or_path": "a/b", "base_model_name_or_path": "c/d"}'},
        ("duplicate-key", "warning"),
    ),
    "the folder's old name": ({JINJA: GOOD, "chat_templates/rag.jinja": GOOD}, ("template-not-loaded", "warning")),
    "another suffix": ({CONFIG: "{}", "chat_template.jinja2": GOOD}, ("template-not-loaded", "warning")),
    "another suffix in the folder": (
        {JINJA: GOOD, "additional_chat_templates/rag.j2": GOOD},
        ("template-not-loaded", "warning"),
    ),
    "a name that is nearly right": ({CONFIG: "{}", "chat-template.jinja": GOOD}, ("template-not-loaded", "warning")),
    "a folder of templates": (
        {"one/chat_template.jinja": GOOD, "two/chat_template.jinja": GOOD},
        ("no-chat-template", "warning"),
    ),
    "another folder": ({CONFIG: "{}", "assets/chat_template.jinja": GOOD}, ("template-not-loaded", "warning")),
    "a legacy file of a model of text": ({**TEXT_MODEL, LEGACY: holds(GOOD)}, ("template-not-loaded", "warning")),
    "a legacy file of a model of text, beside its template": (
        {**TEXT_MODEL, JINJA: GOOD, LEGACY: holds(OTHER)},
        ("template-not-loaded", "warning"),
    ),
    "a byte order mark": ({JINJA: "\ufeff" + GOOD}, ("bom-in-template", "error")),
    "a byte order mark in a configuration's text": ({CONFIG: holds("\ufeff" + GOOD)}, ("bom-in-template", "error")),
    "a byte order mark before the configuration": ({JINJA: GOOD, CONFIG: "\ufeff{}"}, ("unreadable-template-config", "error")),
    "a legacy file without the key": ({JINJA: GOOD, LEGACY: "{}"}, ("unreadable-template-config", "error")),
    "a list for the processor": (
        {JINJA: GOOD, PROCESSOR: holds(named(default=GOOD))},
        ("unreadable-template-config", "error"),
    ),
    "an adapter": ({"adapter_config.json": '{"base_model_name_or_path": "a/b"}'}, ("no-chat-template", "warning")),
    "a model in one of its folders": (
        {"draft/config.json": "{}", "draft/chat_template.jinja": ""},
        ("no-chat-template", "warning"),
    ),
}


@pytest.mark.parametrize(("files", "finding"), LOUD.values(), ids=LOUD)
def test_one_defect_is_one_finding(pool: Pool, tmp_path: Path, files: dict[str, str], finding: tuple[str, str]) -> None:
    assert summary(said(pool, tmp_path, files)) == [finding]


def test_what_is_empty_is_not_said_to_drop_messages_as_well(pool: Pool, tmp_path: Path) -> None:
    assert [finding.rule for finding in said(pool, tmp_path, {JINJA: ""}, "ALL")] == ["empty-template-shadows"]


def place(folder: Path, where: Finding | RelatedPlace) -> tuple[str, str]:
    """The file that a finding points into, and what stands there up to the end of the line."""
    assert where.span is not None
    file = folder / where.path.removeprefix(f"{folder}/")
    line = file.read_text(encoding="utf-8").split("\n")[where.span.start.line - 1]
    return file.name, line[where.span.start.column - 1 :]


def test_a_copy_is_placed_where_it_begins_and_the_difference_where_it_is_written(pool: Pool, tmp_path: Path) -> None:
    config = json.dumps({"a": "ö😀", "chat_template": OTHER}, indent=2, ensure_ascii=False)
    (finding,) = said(pool, tmp_path, {JINJA: GOOD, CONFIG: config}, "shadowed-template")
    assert place(tmp_path, finding) == (CONFIG, json.dumps(OTHER)[1:])
    here, there = finding.related
    assert place(tmp_path, here)[1].startswith("<|stop|>")
    assert place(tmp_path, there) == (JINJA, "{{ m.content }}<|im_end|>"[15:])
    assert finding.template == f"{CONFIG}:default"
    assert finding.evidence.conversation == "user"


def test_lost_names_are_placed_each_where_its_text_begins(pool: Pool, tmp_path: Path) -> None:
    config = json.dumps({"chat_template": named(default=GOOD, rag="{{ 1 }}", tool_use="{{ 2 }}")}, indent=1)
    (finding,) = said(pool, tmp_path, {JINJA: GOOD, CONFIG: config}, "named-templates-discarded")
    assert place(tmp_path, finding) == (CONFIG, '{{ 1 }}"')
    assert [place(tmp_path, related) for related in finding.related] == [(CONFIG, '{{ 2 }}"')]


def test_a_name_is_placed_where_it_is_given_again(pool: Pool, tmp_path: Path) -> None:
    entries = [*named(default="a"), *named(rag="b"), *named(default="c"), *named(default="d")]
    (finding,) = said(pool, tmp_path, {CONFIG: json.dumps({"chat_template": entries}, indent=1)}, "duplicate-template-name")
    (before,) = finding.related
    assert finding.message == f'{CONFIG} gives the name "default" to entries 0, 2 and 3 of its list: the last one wins'
    assert finding.span is not None
    assert (finding.span.start.line, before.span.start.line) == (16, 4)
    assert place(tmp_path, finding) == place(tmp_path, before) == (CONFIG, '"default",')


@pytest.mark.parametrize(
    "config",
    [
        '{"x": {"eos_token": "0"},\n "eos_token" : "1" , "y": [{"z": "}"}],\n  "eos_token":{"content": "2"}}',
        '{"added": [1, {"deep": {"a": 1,\n "eos_token": "\\"1\\""}, "b": {\n"eos_token":1,\n  "eos_token": null}}]}',
        '{"\\u0065os_token": "1",\n  "eos_token": "2"}',
    ],
)
def test_a_key_is_placed_where_it_stands_again(pool: Pool, tmp_path: Path, config: str) -> None:
    (finding,) = said(pool, tmp_path, {JINJA: GOOD, CONFIG: config}, "duplicate-key")
    (before,) = finding.related
    assert finding.message == f'{CONFIG} repeats the key "eos_token" with another value'
    assert place(tmp_path, finding)[1] == config.rsplit("\n", maxsplit=1)[-1][2:]
    assert place(tmp_path, before)[1].startswith(('"eos_token"', '"\\u0065os_token"'))
    assert before.span.start < finding.span.start if finding.span else False


def test_repeated_keys_without_end_are_told_up_to_a_bound(pool: Pool, tmp_path: Path) -> None:
    config = "{" + ",".join(f'"k{number}": 1, "k{number}": 2' for number in range(5000)) + "}"
    assert len(said(pool, tmp_path, {JINJA: GOOD, CONFIG: config}, "duplicate-key")) == 10


def test_repeated_keys_in_a_file_too_large_to_search_are_told_without_a_place(pool: Pool, tmp_path: Path) -> None:
    config = json.dumps({"a": "x" * 2_000_000})[:-1] + ', "eos_token": "a", "eos_token": "b"}'
    (finding,) = said(pool, tmp_path, {JINJA: GOOD, CONFIG: config}, "duplicate-key")
    assert finding.related == ()


@pytest.mark.parametrize(
    ("held", "begins"),
    [(7, "7"), ([1, "x"], "1"), ([{"name": "a", "template": "b"}, {"name": "c"}], '{"name": "c"}'), ({"a": [1]}, "[1]")],
)
def test_a_value_of_a_wrong_type_is_placed(pool: Pool, tmp_path: Path, held: object, begins: str) -> None:
    config = json.dumps({"a": "b", "chat_template": held})
    (finding,) = said(pool, tmp_path, {CONFIG: config}, "unreadable-template-config")
    assert place(tmp_path, finding)[1].startswith(begins)


def test_a_finding_about_a_copy_that_a_limit_stops_claims_nothing_of_it(pool: Pool, tmp_path: Path) -> None:
    endless = "{% macro m(n) %}{{ m(n) }}{% endmacro %}{{ m(0) }}"
    (finding,) = said(pool, tmp_path, {JINJA: GOOD, CONFIG: holds(endless)}, "shadowed-template")
    assert finding.message == f"{CONFIG} holds another template than {JINJA}, which is loaded instead"
    assert finding.severity == "warning"


def test_only_the_files_that_are_named_are_compared(pool: Pool, tmp_path: Path) -> None:
    write_model(tmp_path, {JINJA: GOOD, CONFIG: holds(OTHER), "chat_templates/x.jinja": GOOD})
    paths = [str(tmp_path / name) for name in (JINJA, CONFIG)]
    asked = Check(selection=Selection(select=STORAGE))
    assert summary(list(check(paths[:1], pool, asked).findings)) == []
    assert summary(list(check(paths, pool, asked).findings)) == [("shadowed-template", "error")]


HUB_FILES = {JINJA: GOOD, CONFIG: holds(OTHER) + "\n", "special_tokens_map.json": '{"eos_token": "a", "eos_token": "b"}'}


def test_a_model_on_the_hub_is_told_the_same_with_its_commit(pool: Pool) -> None:
    commit = "1" * 40
    files = {name: ModelFile(name, f"org/m@{commit}:{name}", text.encode()) for name, text in HUB_FILES.items()}
    listing = (*HUB_FILES, "chat_templates/rag.jinja")
    model = ModelFiles("org/m", files, origin="org/m", commit=commit, listing=listing)
    findings = check([model], pool, Check(selection=Selection(select=STORAGE))).findings
    assert [(finding.rule, finding.path) for finding in findings if finding.severity != "info"] == [
        ("template-not-loaded", f"org/m@{commit}:chat_templates/rag.jinja"),
        ("duplicate-key", f"org/m@{commit}:special_tokens_map.json"),
        ("shadowed-template", f"org/m@{commit}:{CONFIG}"),
    ]
    assert findings[1].message == 'special_tokens_map.json repeats the key "eos_token" with another value'


@pytest.mark.parametrize(
    ("base", "words", "help"),
    [
        ("org/base", 'its chats take the template of "org/base"', "check the base model: tpllint check org/base"),
        ("/home/me/model", 'its chats take the template of "/home/me/model"', "check the base model"),
        ("a/b; rm -rf x", 'its chats take the template of "a/b; rm -rf x"', "check the base model"),
        (7, "its chats take the template of its base model", "check the base model"),
    ],
)
def test_an_adapter_names_the_model_whose_template_is_used(
    pool: Pool, tmp_path: Path, base: object, words: str, help: str
) -> None:
    files = {"adapter_config.json": json.dumps({"base_model_name_or_path": base}), "README.md": ""}
    (finding,) = said(pool, tmp_path, files)
    assert (finding.message, finding.help) == (f"no chat template: this is an adapter, and {words}", help)


def test_an_adapter_with_a_template_is_a_model_like_others(pool: Pool, tmp_path: Path) -> None:
    files = {"adapter_config.json": '{"base_model_name_or_path": "a/b"}', JINJA: GOOD}
    assert said(pool, tmp_path, files) == []


@pytest.mark.parametrize(
    ("name", "what"),
    [
        (CONFIG, "transformers cannot load the tokenizer as it is"),
        (PROCESSOR, "transformers cannot load the processor as it is"),
        ("config.json", "transformers cannot load the model as it is"),
        (
            "generation_config.json",
            "transformers loads the model without it, and its stop tokens and sampling settings are lost",
        ),
        ("adapter_config.json", "peft cannot load the adapter as it is"),
    ],
)
def test_a_broken_file_is_told_with_what_it_breaks(pool: Pool, tmp_path: Path, name: str, what: str) -> None:
    (finding,) = said(pool, tmp_path, {JINJA: GOOD, name: "{"}, "unreadable-template-config")
    assert finding.help == f"repair the file; {what}"


class Loaded:
    """What the installed transformers makes of a folder."""

    def __init__(self, folder: Path, files: Mapping[str, str]) -> None:
        self.folder = folder
        write_model(folder, {"tokenizer.json": tokenizer_json(), "config.json": '{"model_type": "llama"}', **files})

    def tokenizer(self) -> Any:
        return transformers.PreTrainedTokenizerFast.from_pretrained(self.folder, local_files_only=True)

    def processor(self) -> Any:
        made: Any = Processor
        return made.from_pretrained(self.folder, local_files_only=True)


CHAT = [{"role": "user", "content": "hello"}]


def test_transformers_renders_nothing_from_an_empty_file(tmp_path: Path) -> None:
    tokenizer = Loaded(tmp_path, {JINJA: "", CONFIG: holds(GOOD)}).tokenizer()
    assert tokenizer.apply_chat_template(CHAT, tokenize=False) == ""


def test_transformers_has_no_default_where_only_files_with_names_are(tmp_path: Path) -> None:
    tokenizer = Loaded(tmp_path, {TOOL_USE: GOOD, CONFIG: holds(GOOD)}).tokenizer()
    with pytest.raises(ValueError, match="tool_use"):
        tokenizer.apply_chat_template(CHAT, tokenize=False)
    assert tokenizer.apply_chat_template(CHAT, tools=[], tokenize=False)


def test_transformers_renders_a_lost_name_letter_by_letter(tmp_path: Path) -> None:
    tokenizer = Loaded(tmp_path, {JINJA: GOOD, CONFIG: holds(named(default=GOOD, rag=GOOD))}).tokenizer()
    assert tokenizer.apply_chat_template(CHAT, chat_template="rag", tokenize=False) == "rag"


def test_transformers_keeps_the_last_of_two_templates_with_one_name(tmp_path: Path) -> None:
    tokenizer = Loaded(tmp_path, {CONFIG: holds([*named(default="first"), *named(default="last")])}).tokenizer()
    assert tokenizer.apply_chat_template(CHAT, tokenize=False) == "last"


def test_transformers_loads_no_processor_from_a_legacy_file_beside_names(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="conflicting files"):
        Loaded(tmp_path, {LEGACY: holds(GOOD), TOOL_USE: GOOD, PROCESSOR: "{}"}).processor()


def test_transformers_gives_a_processor_nothing_of_the_tokenizers_configuration(tmp_path: Path) -> None:
    assert Loaded(tmp_path, {CONFIG: holds(GOOD), PROCESSOR: "{}"}).processor().chat_template is None


def test_transformers_renders_a_byte_order_mark(tmp_path: Path) -> None:
    tokenizer = Loaded(tmp_path, {JINJA: "\ufeff" + GOOD}).tokenizer()
    assert tokenizer.apply_chat_template(CHAT, tokenize=False).startswith("\ufeff")


def test_transformers_refuses_a_byte_order_mark_in_a_configuration(tmp_path: Path) -> None:
    with pytest.raises(json.JSONDecodeError):
        Loaded(tmp_path, {JINJA: GOOD, CONFIG: "\ufeff{}"}).tokenizer()


def test_transformers_takes_a_broken_generation_configuration_for_a_missing_one(tmp_path: Path) -> None:
    Loaded(tmp_path, {"generation_config.json": "{"})
    with pytest.raises(OSError, match="not a valid JSON file"):  # which from_pretrained of a model catches
        transformers.GenerationConfig.from_pretrained(tmp_path, local_files_only=True)


def test_of_very_many_names_the_first_are_told(tmp_path: Path) -> None:
    folder = tmp_path / "model" / "additional_chat_templates"
    folder.mkdir(parents=True)
    for number in range(40):
        (folder / f"t{number:02}.jinja").write_text(GOOD)
    (found,) = tpllint("check", "model", "--output-format", "json", cwd=tmp_path).json()["findings"]
    assert found["message"].endswith('"t08", "t09" and 30 others')
