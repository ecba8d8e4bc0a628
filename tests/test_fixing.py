"""The verb `fixing`: a fix is applied where it holds what it promises, and nowhere else."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.in_process import every_rule
from tests.test_plugins import FINDS, RAISES, RULE
from tpllint.checking import Check
from tpllint.errors import RepairableError
from tpllint.fixing import Fixed, every_fix, fixes
from tpllint.pool import Pool
from tpllint.rule import Bad
from tpllint.selection import Selection
from tpllint.sources import open_target
from tpllint.sources.files import ModelFile, ModelFiles
from tpllint.targets import Request
from tpllint.testing import write_model

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

MARK = "\ufeff"
BOM, PROMPT, MOVE = "bom-in-template", "generation-prompt-missing", "legacy-template-storage"
TURNS = "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"
BLOCK = "{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}"
GOOD = TURNS + BLOCK
TOKENS = {"bos_token": "<s>", "eos_token": "<|im_end|>"}
CONFIG, ROOT, LEGACY, PROCESSOR = "tokenizer_config.json", "chat_template.jinja", "chat_template.json", "processor_config.json"


@pytest.fixture(scope="module")
def pool() -> Iterator[Pool]:
    with Pool(rooms=("side",)) as started:
        yield started


def model(**files: Any) -> ModelFiles:
    """The files of a whole folder: `root`, `config`, `legacy`, `processor`, and others by their names with `_` for `.`."""
    names = {
        "root": ROOT,
        "config": CONFIG,
        "legacy": LEGACY,
        "processor": PROCESSOR,
        "preprocessor": "preprocessor_config.json",
    }
    held = {}
    for key, content in files.items():
        name = names.get(key) or f"additional_chat_templates/{key}.jinja"
        data = content if isinstance(content, bytes) else _as_text(content).encode()
        held[name] = ModelFile(name, f"model/{name}", data)
    known = {name: file for name, file in held.items() if name != "preprocessor_config.json"}
    return ModelFiles("model", known, listing=tuple(sorted(held)), folder="model")


def _as_text(content: Any) -> str:
    return content if isinstance(content, str) else json.dumps({**TOKENS, **content})


def fixed(pool: Pool, files: ModelFiles, *rules: str, request: Request | None = None) -> Fixed:
    """What these rules fix; all three, where none is named."""
    asked = Check(request or Request(offline=True), Selection(select=rules or (BOM, PROMPT, MOVE)))
    return fixes(files, pool, asked)


def after(done: Fixed) -> dict[str, bytes | None]:
    return {change.name: change.after for change in done.changes}


def applied(done: Fixed) -> list[str]:
    assert done.refused == ()
    return [finding.rule for finding in done.applied]


def why(done: Fixed) -> list[str]:
    assert (done.applied, done.changes) == ((), ())
    return [refusal.why for refusal in done.refused]


FIXABLE = [
    (rule.name, example)
    for rule in every_rule().values()
    for example in rule.examples
    if rule.name in (BOM, PROMPT, MOVE) and isinstance(example, Bad) and "never read" not in example.says
]


@pytest.mark.parametrize(("rule", "example"), FIXABLE)
def test_the_fix_of_an_example_is_its_repair(pool: Pool, tmp_path: Path, rule: str, example: Bad) -> None:
    write_model(tmp_path, example.folder)
    files = open_target(str(tmp_path))
    done = fixed(pool, files, rule)
    assert applied(done) == [rule]
    held = {name: file.data for name, file in files.files.items()} | after(done)
    assert held == {name: text.encode() for name, text in example.better_folder.items()}


@pytest.mark.parametrize(
    "template",
    [
        GOOD,
        GOOD + "\n",
        GOOD.replace("\n", "\r\n") + "\r\n",
        GOOD.replace("\n{{", "\r{{", 1),
        "{# \\ \" ' \U0001f600 \u2028 \x7f é <b> / #}" + GOOD,
        MARK + GOOD,
        "{{ '\\n\\\\' }}" + GOOD + "\t \n",
    ],
)
def test_a_template_moves_byte_for_byte(pool: Pool, template: str) -> None:
    done = fixed(pool, model(config={"chat_template": template, "é": [1.50, "\\"]}), MOVE)
    assert applied(done) == [MOVE]
    assert after(done)[ROOT] == template.encode()
    assert json.loads(after(done)[CONFIG] or b"") == {**TOKENS, "é": [1.50, "\\"]}


ODD = '{ "\\u0063hat_template" :%s,\t"eos_token":"<|im_end|>", "n":1e2,\r\n "x": "\\u00e9\\/"}\n\n'


@pytest.mark.parametrize(
    ("before", "expected"),
    [
        (ODD, '{ "eos_token":"<|im_end|>", "n":1e2,\r\n "x": "\\u00e9\\/"}\n\n'),
        ('{"eos_token":"<|im_end|>"\t,\n\t"chat_template": %s\n}', '{"eos_token":"<|im_end|>"\n}'),
        ('{"chat_template": %s}', "{}"),
    ],
)
def test_the_json_stays_as_it_is_written(pool: Pool, before: str, expected: str) -> None:
    done = fixed(pool, model(config=before % json.dumps(GOOD)), MOVE)
    assert applied(done) == [MOVE]
    assert after(done) == {ROOT: GOOD.encode(), CONFIG: expected.encode()}


def test_named_templates_move_to_files_of_their_names(pool: Pool) -> None:
    entries = [{"name": "default", "template": GOOD}, {"name": "tool_use", "template": GOOD + "{# é #}"}]
    done = fixed(pool, model(config={"chat_template": entries}), MOVE)
    inner = "additional_chat_templates/tool_use.jinja"
    assert after(done) == {ROOT: GOOD.encode(), inner: (GOOD + "{# é #}").encode(), CONFIG: json.dumps(TOKENS).encode()}
    shown = {change.name: change.shown for change in done.changes}
    assert shown[inner] == f"model/{inner}"


def test_a_copy_for_the_processor_goes_with_it_and_an_empty_file_is_deleted(pool: Pool) -> None:
    files = model(config={"chat_template": GOOD}, legacy=json.dumps({"chat_template": GOOD}))
    done = fixed(pool, files, MOVE)
    assert applied(done) == [MOVE, MOVE]
    assert after(done) == {ROOT: GOOD.encode(), CONFIG: json.dumps(TOKENS).encode(), LEGACY: None}
    more = fixed(pool, model(config={"chat_template": GOOD}, legacy={"chat_template": GOOD}), MOVE)
    assert list(after(more)) == [ROOT, CONFIG]
    (refusal,) = more.refused
    assert refusal.why == "loading the processor would raise: chat_template.json holds no chat_template"


OTHER = GOOD.replace("im_start", "start")


@pytest.mark.parametrize(
    ("files", "reason"),
    [
        (
            {"config": {"chat_template": GOOD}, "preprocessor": "{}"},
            "the processor, which loads no template now, would load chat_template.jinja",
        ),
        (
            {"legacy": {"chat_template": GOOD}, "config": {}},
            "the tokenizer, which loads no template now, would load chat_template.jinja",
        ),
        (
            {"root": GOOD, "legacy": {"chat_template": GOOD + " "}},
            "chat_template.jinja stands there already and holds something else",
        ),
        (
            {"config": {"chat_template": [{"name": "default", "template": GOOD}]}},
            "the tokenizer would load something else than now",
        ),
        (
            {"config": {"chat_template": [{"name": "file", "template": GOOD}, {"name": "rag", "template": GOOD}]}},
            "the tokenizer would load something else than now",
        ),
        (
            {"config": {"chat_template": [{"name": "default", "template": GOOD}, {"name": "../x", "template": GOOD}]}},
            '"../x" is no safe name of a file',
        ),
        (
            {"config": {"chat_template": {"default": GOOD, "a b": GOOD, "": GOOD}}},
            '"a b" and "" is no safe name of a file',
        ),
        (
            {"config": {"chat_template": {"rag": GOOD, "RAG": OTHER, "default": GOOD}}},
            'tokenizer_config.json has more than one template of the name "rag"',
        ),
        (
            {"config": f'{{"chat_template": "x", "chat_template": {json.dumps(GOOD)}}}'},
            "tokenizer_config.json repeats a key of its templates, and readers disagree on which counts",
        ),
        (
            {"config": f'{{"chat_template": {{"default": "x", "default": {json.dumps(GOOD)}}}}}'},
            "tokenizer_config.json repeats a key of its templates, and readers disagree on which counts",
        ),
        (
            {"config": {"chat_template": GOOD + "{# \ud800 #}"}},
            "its text holds half of a surrogate pair, which no file can hold",
        ),
        (
            {"config": {"chat_template": GOOD}, "legacy": {"chat_template": {"default": GOOD, "rag": GOOD}}},
            "the tokenizer would load something else than now",
        ),
    ],
)
def test_a_template_stays_where_it_is(pool: Pool, files: dict[str, Any], reason: str) -> None:
    done = fixed(pool, model(**files), MOVE)
    assert [refusal.why for refusal in done.refused] == [reason]


def test_a_file_that_could_not_be_read_is_not_replaced(pool: Pool) -> None:
    files = model(config={"chat_template": [{"name": "default", "template": GOOD}, {"name": "rag", "template": GOOD}]})
    taken = files._replace(listing=(*files.listing, "additional_chat_templates/rag.jinja"))
    assert why(fixed(pool, taken, MOVE)) == [
        "additional_chat_templates/rag.jinja stands there already and holds something else"
    ]


def test_nothing_moves_where_only_a_file_was_named(pool: Pool, tmp_path: Path) -> None:
    (tmp_path / CONFIG).write_text(json.dumps({"chat_template": GOOD}))
    files = open_target(str(tmp_path / CONFIG))
    assert why(fixed(pool, files, MOVE)) == ["what else stands in the model's folder decides: name the folder"]


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({"root": MARK + GOOD}, {ROOT: GOOD}),
        ({"root": MARK + MARK + GOOD.replace("\n", "\r\n")}, {ROOT: GOOD.replace("\n", "\r\n")}),
        ({"config": {"chat_template": MARK + GOOD}}, None),
        ({"config": json.dumps({"chat_template": MARK + MARK + GOOD + "{# \U0001f600\r\n #}"}).replace("feff", "FEFF")}, None),
        ({"config": json.dumps({"a": "é", "chat_template": MARK + GOOD}, ensure_ascii=False)}, None),
    ],
)
def test_a_byte_order_mark_goes_and_nothing_else(pool: Pool, files: dict[str, Any], expected: dict[str, str] | None) -> None:
    given = model(**files)
    done = fixed(pool, given, BOM)
    assert applied(done) == [BOM]
    if expected is None:
        text = given.files[CONFIG].data.decode()
        expected = {CONFIG: text.replace("\\ufeff", "").replace("\\uFEFF", "").replace(MARK, "")}
    assert after(done) == {name: text.encode() for name, text in expected.items()}


def test_every_copy_of_a_template_is_repaired(pool: Pool) -> None:
    bad = MARK + GOOD
    files = model(root=bad.replace("\n", "\r\n"), config={"chat_template": bad}, legacy={"chat_template": bad}, rag=bad)
    done = fixed(pool, files._replace(files={name: file for name, file in files.files.items() if "rag" not in name}), BOM)
    assert applied(done) == [BOM]
    assert after(done)[ROOT] == GOOD.replace("\n", "\r\n").encode()
    for name in (CONFIG, LEGACY):
        assert json.loads(after(done)[name] or b"")["chat_template"] == GOOD


def test_each_named_template_is_repaired_by_itself(pool: Pool) -> None:
    done = fixed(pool, model(root=MARK + GOOD, tool_use=MARK + GOOD, rag=TURNS))
    assert sorted(applied(done)) == [BOM, BOM, PROMPT]
    assert after(done) == {
        ROOT: GOOD.encode(),
        "additional_chat_templates/tool_use.jinja": GOOD.encode(),
        "additional_chat_templates/rag.jinja": (TURNS + "\n" + BLOCK).encode(),
    }


def test_of_the_templates_only_the_one_that_was_asked_for_is_repaired(pool: Pool) -> None:
    files = model(root=MARK + GOOD, tool_use=MARK + GOOD)
    done = fixed(pool, files, request=Request(offline=True, template="tool_use"))
    assert list(after(done)) == ["additional_chat_templates/tool_use.jinja"]


ONE_LINE = "{% for m in messages %}<|{{ m.role }}|>{{ m.content }}<|end|>{% endfor %}"
INDENTED = ONE_LINE.replace("<|{{", "   <|{{")
ONE_BLOCK = "{% if add_generation_prompt %}{{ '<|assistant|>' }}{% endif %}"


@pytest.mark.parametrize(
    ("before", "expected"),
    [
        (ONE_LINE, ONE_LINE + ONE_BLOCK),
        (ONE_LINE + "\n", ONE_LINE + ONE_BLOCK + "\n"),
        (ONE_LINE + "\n\n", ONE_LINE + "\n" + ONE_BLOCK + "\n"),
        (INDENTED + "\n   ", INDENTED + "\n   " + ONE_BLOCK.replace("{%", "{%+", 1)),
        (ONE_LINE + "{{ '' }}\n", ONE_LINE + "{{ '' }}" + ONE_BLOCK + "\n"),
        (TURNS + "\n", TURNS + "\n" + BLOCK + "\n"),
        (TURNS.replace("\n", "\r\n") + "\r\n", TURNS.replace("\n", "\r\n") + "\r\n" + BLOCK + "\r\n"),
        (TURNS.replace("%}", "-%}") + "\n\n", TURNS.replace("%}", "-%}") + "\n" + BLOCK + "\n"),
        (TURNS + "{# end #}", TURNS + "{# end #}" + BLOCK),
        (TURNS + "{# end -#}\n \n", TURNS + "{# end -#}\n " + BLOCK.replace("{%", "{%+", 1) + "\n"),
    ],
)
def test_the_generation_prompt_is_appended_so_that_the_rest_stays(pool: Pool, before: str, expected: str) -> None:
    done = fixed(pool, model(root=before, config={"eos_token": "<|end|>"}), PROMPT)
    assert applied(done) == [PROMPT]
    assert after(done) == {ROOT: expected.encode()}


HEADERS = [
    "<|it's|>assistant: ",
    '<"assistant">\n',
    "\\n<assistant>\t",
    "</é\U0001f600>\n\n",
    "{%assistant%}",
    "<\u2028assistant>",
]


@pytest.mark.parametrize("header", HEADERS)
@pytest.mark.parametrize("place", ["root", "config", "ascii"])
def test_any_header_is_written_as_jinja_reads_it(pool: Pool, header: str, place: str) -> None:
    literal = "'" + header.replace("\\", "\\\\").replace("'", "\\'").replace("\n", "\\n").replace("\t", "\\t") + "'"
    spoken = f"{{% if m.role == 'assistant' %}}{{{{ {literal} }}}}{{% else %}}<|{{{{ m.role }}}}|>{{% endif %}}"
    template = f"{{% for m in messages %}}{spoken}{{{{ m.content }}}}<|end|>{{% endfor %}}"
    stored = {"eos_token": "<|end|>", "chat_template": template}
    if place == "root":
        files = model(root=template, config={"eos_token": "<|end|>"})
    else:
        files = model(config=json.dumps(stored, ensure_ascii=place == "ascii"))
    done = fixed(pool, files, PROMPT)
    block = f"{{% if add_generation_prompt %}}{{{{ {literal.replace(': ', ':')} }}}}{{% endif %}}"
    assert applied(done) == [PROMPT]
    if place == "root":
        assert after(done) == {ROOT: (template + block).encode()}
    else:
        text = (after(done)[CONFIG] or b"").decode()
        assert text == json.dumps({**stored, "chat_template": template + block}, ensure_ascii=place == "ascii")


def test_fixes_compose_and_leave_nothing_to_do(pool: Pool) -> None:
    files = model(config={"chat_template": MARK + TURNS}, legacy=json.dumps({"chat_template": MARK + TURNS}))
    done = fixed(pool, files)
    assert sorted(applied(done)) == [BOM, PROMPT, MOVE, MOVE]
    assert after(done) == {ROOT: (TURNS + "\n" + BLOCK).encode(), CONFIG: json.dumps(TOKENS).encode(), LEGACY: None}
    again = model(root=after(done)[ROOT], config=after(done)[CONFIG])
    assert fixed(pool, again) == Fixed("model", "model")


def test_a_fix_that_would_change_another_prompt_is_refused(pool: Pool) -> None:
    (reason,) = why(fixed(pool, model(root=MARK + "  {% if true %}" + GOOD + "{% endif %}"), BOM))
    assert reason.startswith("it would change the prompt of ")
    assert reason.endswith(" generation prompt in another way than it should")


IF_PROMPTED = "if 'add_generation_prompt' in template.text:\n            "


@pytest.mark.parametrize(
    ("level", "does", "reasons"),
    [
        ("WARNING", FINDS, ["it would bring about shouting"]),
        ("WARNING", RAISES + "\n            yield", ["the rule shouting would raise"]),
        ("INFO", FINDS, []),
    ],
)
def test_a_fix_that_would_bring_about_something_else_is_refused(
    tmp_path: Path, level: str, does: str, reasons: list[str]
) -> None:
    rule = RULE.format(body=IF_PROMPTED + does).replace("Severity.WARNING", f"Severity.{level}")
    (tmp_path / "shouting.py").write_text(rule)
    with Pool([str(tmp_path)], rooms=("side",)) as started:
        done = fixed(started, model(root=TURNS), PROMPT)
    assert [refusal.why for refusal in done.refused] == reasons
    assert len(done.applied) == 1 - len(reasons)


def test_a_rule_of_somebody_else_can_offer_what_cannot_be_done(tmp_path: Path) -> None:
    offers = 'from tpllint import OwnFile; yield Problem("it shouts", help="whisper", fix=OwnFile())'
    (tmp_path / "shouting.py").write_text(RULE.format(body=offers))
    with Pool([str(tmp_path)], rooms=("side",)) as started:
        assert why(fixed(started, model(root=GOOD), "shouting")) == ["it has a file of its own"]


def test_what_cannot_be_rendered_whole_is_not_touched(pool: Pool) -> None:
    loops = "{% for i in range(99999) %}" * 2 + "{% endfor %}" * 2
    endless = f"{{% if messages | length > 2 %}}{loops}{{% endif %}}"
    (reason,) = why(fixed(pool, model(config={"chat_template": endless + GOOD}), MOVE))
    assert reason.startswith("what it would change cannot be told: ")


@pytest.mark.parametrize("origin", ["local", "stranger/model"])
def test_what_a_comment_suppresses_is_not_fixed(pool: Pool, origin: str) -> None:
    files = model(root=TURNS + f"{{# tpllint: ignore[{PROMPT}] trained like this #}}")._replace(origin=origin)
    commented = model(root=f"{{# tpllint: ignore[{PROMPT}] trained like this #}}" + TURNS)._replace(origin=origin)
    assert applied(fixed(pool, files, PROMPT)) == [PROMPT]
    assert applied(fixed(pool, commented, PROMPT)) == ([] if origin == "local" else [PROMPT])


def test_infos_are_fixed_only_where_they_are_told(pool: Pool) -> None:
    files = model(config={"chat_template": GOOD})
    assert fixes(files, pool, Check(Request(offline=True))).changes == ()
    assert applied(fixes(files, pool, Check(Request(offline=True), Selection(profile="all")))) == [MOVE]
    ignoring = Selection(profile="all", ignore=(MOVE,))
    assert fixes(files, pool, Check(Request(offline=True), ignoring)).changes == ()


def test_a_gguf_file_is_not_written(pool: Pool) -> None:
    files = model(root=TURNS, config={})._replace(from_gguf=True)
    assert why(fixed(pool, files, PROMPT)) == ["it is stored in a GGUF file, which tpllint does not write"]


def test_a_model_on_the_hub_is_fixed_without_a_folder(pool: Pool) -> None:
    files = model(config={"chat_template": MARK + GOOD})._replace(origin="org/model", commit="0" * 40, folder=None)
    done = fixed(pool, files)
    assert (done.folder, applied(done)) == (None, [BOM, MOVE])
    assert after(done) == {ROOT: GOOD.encode(), CONFIG: json.dumps(TOKENS).encode()}


def test_what_cannot_be_had_is_an_error(pool: Pool) -> None:
    with pytest.raises(RepairableError, match="no such file or folder: nope"):
        fixes("nope", pool, Check())
    (done,) = every_fix(["nope"], pool, Check())
    assert done.error is not None
    assert done.error.kind == "no-such-path"


def test_a_large_configuration_is_edited_in_good_time(pool: Pool) -> None:
    filler = {f"<|{number}|>": {"content": "é" * 20, "id": number} for number in range(50_000)}
    text = json.dumps({"added": filler, "chat_template": MARK + GOOD, **TOKENS}, indent=1)
    done = fixed(pool, model(config=text))
    assert applied(done) == [BOM, MOVE]
    assert json.loads(after(done)[CONFIG] or b"") == {"added": filler, **TOKENS}
