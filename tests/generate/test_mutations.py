"""A trained model and its template: the right one passes, and what people break is found by what the model then says."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.tiny_model import MODEL, ROWS
from tpllint.asking import Asked
from tpllint.checking import Check
from tpllint.finding import Report
from tpllint.generating import Wanted, generated
from tpllint.generation.settings import Settings
from tpllint.generation.talker import Talker
from tpllint.pool import Pool
from tpllint.selection import Selection
from tpllint.severity import Severity
from tpllint.sources.conversations import read_prompts

RIGHT = (MODEL / "chat_template.jinja").read_text(encoding="utf-8")
OPENER, CLOSER = "'<|im_start|>' + message.role + '\\n'", "'<|im_end|>\\n'"
GENERATION_PROMPT = "'<|im_start|>assistant\\n'"
LOOP = "for message in messages"


def edited(before: str, after: str) -> Callable[[], str]:
    def edit() -> str:
        assert before in RIGHT, before
        return RIGHT.replace(before, after)

    return edit


def another(opener: str, closer: str, generation_prompt: str) -> Callable[[], str]:
    """A template of another family."""
    turns = f"{{% for m in messages %}}{opener}{{{{ m.content }}}}{closer}{{% endfor %}}"
    return lambda: f"{{{{ bos_token }}}}{turns}{{% if add_generation_prompt %}}{generation_prompt}{{% endif %}}"


MUTATIONS: dict[str, Callable[[], str]] = {
    "no generation prompt": lambda: RIGHT[: RIGHT.index("{%- if add_generation_prompt -%}")],
    "no line end in the generation prompt": edited(GENERATION_PROMPT, "'<|im_start|>assistant'"),
    "no line end between turns": edited(CLOSER, "'<|im_end|>'"),
    "no ends of turns": edited(CLOSER, "'\\n'"),
    "a renamed role": edited(OPENER, "'<|im_start|>' + (message.role | replace('user', 'human')) + '\\n'"),
    "a renamed assistant": edited(GENERATION_PROMPT, "'<|im_start|>model\\n'"),
    "a blank after the role": edited(OPENER, "'<|im_start|>' + message.role + '\\n '"),
    "dropped history": edited(LOOP, "for message in messages[-1:]"),
    "dropped system": edited(LOOP, "for message in messages if message.role != 'system'"),
    "doubled beginning": edited("{{- bos_token -}}", "{{- bos_token + bos_token -}}"),
    "role tokens": another("<|{{ m.role }}|>\n", "<|im_end|>\n", "<|assistant|>\n"),
    "instructions in brackets": lambda: (
        "{{ bos_token }}{% for m in messages %}{% if m.role == 'user' %}[INST] {{ m.content }} [/INST]"
        "{% else %} {{ m.content }} {% endif %}{% endfor %}"
    ),
    "plain names": another("{{ m.role | capitalize }}: ", "\n", "Assistant:"),
}


TOLD_BY = {"no generation prompt": "completion-opens-again", "doubled beginning": "double-bos-in-ids"}
"""What likelihood does not tell, or not first."""


@pytest.fixture(scope="module")
def pool() -> Iterator[Pool]:
    with Pool([], rooms=("description",)) as running:
        yield running


@pytest.fixture(scope="module")
def talker() -> Iterator[Talker]:
    with Talker(Settings()) as running:
        yield running


@pytest.fixture
def copied(tmp_path: Path) -> Path:
    return Path(shutil.copytree(MODEL, tmp_path / "model"))


def said(folder: Path, pool: Pool, talker: Talker) -> Report:
    """What the model's answers tell, and nothing else."""
    wanted = Wanted(Check(selection=Selection(select=("TPL95", "TPL96"))), Asked(read_prompts(str(ROWS)), 32))
    (report,) = generated([str(folder)], pool, wanted, talker, lambda doing, share: None)
    assert report.targets[0].error is None, report.targets[0].error
    assert not report.crashes, report.crashes
    return report


def test_the_right_template_passes(pool: Pool, talker: Talker) -> None:
    report = said(MODEL, pool, talker)
    assert report.findings == ()
    assert "answers of" in (report.targets[0].note or "")


@pytest.mark.parametrize("mutation", MUTATIONS)
def test_what_people_break_is_found(mutation: str, copied: Path, pool: Pool, talker: Talker) -> None:
    (copied / "chat_template.jinja").write_text(MUTATIONS[mutation](), encoding="utf-8")
    found = {finding.rule: finding.severity for finding in said(copied, pool, talker).findings}
    assert found[TOLD_BY.get(mutation, "template-does-not-fit")] is Severity.ERROR


def test_a_model_that_stops_at_another_token_is_found(copied: Path, pool: Pool, talker: Talker) -> None:
    path = copied / "generation_config.json"
    settings = json.loads(path.read_text(encoding="utf-8"))
    path.write_text(json.dumps({**settings, "eos_token_id": settings["bos_token_id"]}), encoding="utf-8")
    assert "completion-never-stops" in {finding.rule for finding in said(copied, pool, talker).findings}
