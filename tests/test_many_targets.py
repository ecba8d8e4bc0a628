"""Many targets in one run: in order, each by itself, a few at a time."""

from __future__ import annotations

import contextlib
import gc
import json
import os
import pty
import resource
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.command import tpllint
from tests.local_hub import LocalHub
from tpllint.checking import Check, check, checked
from tpllint.pool import Answers, Order, Pool
from tpllint.remembered import Remembered
from tpllint.selection import Selection
from tpllint.sources.files import ModelFile
from tpllint.targets import BATCH_TARGETS, Request, batches

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

TURNS = (
    "{% for m in messages %}<|{{ m.role }}|>{{ m.content }}</s>{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>{% endif %}"
)
SOURCES = (
    TURNS,
    TURNS + "{% include 'x' %}",
    "{{ messages | nope }}",
    "{{ raise_exception('not today') }}",
    TURNS + "{# tpllint: ignore[loader-statement] #}{% import 'y' as y %}",
)
OPTIONS = ("--no-config", "--no-progress", "--fail-on", "info")


def models(folder: Path, number: int, sources: int = 40) -> list[str]:
    """So many model folders that share so many templates; every seventh is missing and every eleventh broken."""
    names = [f"model-{index:04}" for index in range(number)]
    for index, name in enumerate(names):
        if index % 7 == 3:
            continue
        (folder / name).mkdir()
        kind = index % sources
        held = {"eos_token": "</s>", "chat_template": f"{{# {kind} #}}{SOURCES[kind % len(SOURCES)]}"}
        text = json.dumps(held) if index % 11 else "{"
        (folder / name / "tokenizer_config.json").write_text(text)
    return names


def listed(folder: Path, names: Sequence[str]) -> str:
    (folder / "list").write_text("\n".join(names))
    return "list"


def arguments_of(lines: Any) -> list[str]:
    return [target["target"] for target in lines]


def test_hundreds_of_targets_are_reported_in_order_and_each_as_if_it_were_alone(tmp_path: Path) -> None:
    names = models(tmp_path, 300)
    run = ("check", *OPTIONS, "--from-file", listed(tmp_path, names), "--output-format")
    done = tpllint(*run, "jsonl", cwd=tmp_path)
    assert done.code == 2
    lines = [json.loads(line) for line in done.out.splitlines()]
    assert [target["target"] for line in lines for target in line["targets"]] == names
    assert sum(line["targets"][0]["error"] is not None for line in lines) == len(range(3, 300, 7))
    for index in (0, 1, 2, 3, 4, 11, 80, 299):
        assert lines[index] == tpllint("check", *OPTIONS, names[index], "--output-format", "json", cwd=tmp_path).json()
    whole = tpllint(*run, "json", cwd=tmp_path).json()
    for key in ("targets", "findings", "skipped", "crashes"):
        assert whole[key] == [item for line in lines for item in line[key]]
    assert whole["summary"] == {key: sum(line["summary"][key] for line in lines) for key in whole["summary"]}
    text = tpllint(*run, "text", cwd=tmp_path)
    shown = [f"{finding['severity']}[{finding['rule']}]: {finding['message']}" for finding in whole["findings"]]
    assert [line for line in text.out.splitlines() if line.startswith(("error[", "warning[", "info["))] == shown
    assert text.out.count("error: no such file or folder") == len(range(3, 300, 7))


@pytest.mark.parametrize("output_format", ["text", "json", "jsonl", "github", "sarif"])
def test_a_report_in_parts_is_the_report_in_one_piece(tmp_path: Path, output_format: str) -> None:
    """Both are the same bytes: in one run all targets fit together, in the other the files of each are a batch."""
    names = models(tmp_path, 20)
    program = (
        "import sys\nfrom tpllint import targets\nfrom tpllint.cli import run\n"
        "targets.FIRST_BATCH = targets.BATCH_TARGETS = int(sys.argv.pop(1))\nsys.exit(run())\n"
    )
    command = [sys.executable, "-c", program]
    options = ["check", *OPTIONS, *names, "--output-format", output_format]
    one, many = (
        subprocess.run([*command, size, *options], cwd=tmp_path, capture_output=True, check=False, timeout=60)
        for size in ("1", "1000")
    )
    assert one.returncode == many.returncode == 2
    assert one.stdout == many.stdout
    assert one.stdout.count(b"\n") >= 20


def test_no_more_files_are_held_than_those_of_the_targets_at_hand(tmp_path: Path) -> None:
    names = models(tmp_path, 400, sources=5)
    held = []
    with contextlib.chdir(tmp_path), Pool() as pool:
        for report in checked(names, pool, Check()):
            assert len(report.targets) <= BATCH_TARGETS
            held.append(sum(isinstance(found, ModelFile) for found in gc.get_objects()))
    assert len(held) >= 400 / BATCH_TARGETS
    assert max(held) <= 2 * BATCH_TARGETS


def test_the_first_are_told_of_soon_and_no_group_grows_beyond_its_bound(tmp_path: Path) -> None:
    names = models(tmp_path, 200)
    with contextlib.chdir(tmp_path):
        assert [len(batch.targets) for batch in batches(names, Request())] == [8, 16, 32, 64, 64, 16]


def test_of_large_files_fewer_are_held(tmp_path: Path) -> None:
    for number in range(6):
        (tmp_path / f"{number}").mkdir()
        (tmp_path / f"{number}" / "tokenizer_config.json").write_bytes(b"{}".ljust(12_000_000))
    with contextlib.chdir(tmp_path):
        assert [len(batch.targets) for batch in batches([str(number) for number in range(6)], Request())] == [3, 3]


def test_a_list_of_models_on_the_hub_is_answered_in_its_order(tmp_path: Path) -> None:
    names = [f"org/model-{number}" for number in range(20)]
    with LocalHub() as hub:
        for name in names:
            if name != "org/model-5":
                hub.add(name, {"chat_template.jinja": SOURCES[2].encode()})
        env = {"HF_ENDPOINT": hub.url, "HF_HOME": str(tmp_path / "home")}
        run = ("check", *OPTIONS, "--from-file", listed(tmp_path, names), "--output-format", "jsonl")
        done = tpllint(*run, cwd=tmp_path, env=env)
    lines = [json.loads(line) for line in done.out.splitlines()]
    assert [line["targets"][0]["target"] for line in lines] == names
    errors = [line["targets"][0]["error"] for line in lines]
    assert [error and error["kind"] for error in errors] == [None] * 5 + ["no-such-repository"] + [None] * 14
    assert [line["summary"]["errors"] for line in lines] == [1] * 5 + [0] + [1] * 14


class Counting(Pool):
    """Real workers; tells how many jobs they were given."""

    jobs = 0

    def run(self, orders: Sequence[Order], on_done: Callable[[int], None] = lambda _: None) -> list[Answers]:
        self.jobs += len(orders)
        return super().run(orders, on_done)


def test_identical_templates_are_analysed_once_however_far_apart(tmp_path: Path) -> None:
    names = models(tmp_path, 200, sources=5)
    pool = Counting()
    with contextlib.chdir(tmp_path), pool:
        report = check([*names, *names], pool, Check())
    assert arguments_of([result._asdict() for result in report.targets]) == names
    broken = 200 // 7  # what is wrong with a file is told with its path
    assert pool.jobs <= 5 + broken


def test_progress_counts_every_target_and_ends_with_all(tmp_path: Path) -> None:
    names = models(tmp_path, 100, sources=30)
    told: list[tuple[int, int]] = []
    with contextlib.chdir(tmp_path), Pool() as pool:
        check(names, pool, Check(), lambda *heard: told.append(heard))
    done = [number for number, _ in told]
    assert done == sorted(done)
    assert told[-1] == (100, 100)
    assert {all_ for _, all_ in told} == {100}
    assert len(set(done)) > 30


def test_files_of_one_folder_are_one_target_also_where_others_stand_between_them(tmp_path: Path) -> None:
    (tmp_path / "m").mkdir()
    (tmp_path / "m" / "chat_template.jinja").write_text("{% include 'x' %}")
    (tmp_path / "m" / "tokenizer_config.json").write_text(json.dumps({"eos_token": "</s>"}))
    others = models(tmp_path, 200, sources=2)
    typed = ["m/chat_template.jinja", *others, "m/processor_config.json", "m/tokenizer_config.json"]
    done = tpllint("check", *OPTIONS, "--from-file", listed(tmp_path, typed), "--output-format", "json", cwd=tmp_path)
    told = arguments_of(done.json()["targets"])
    assert told == ["m/chat_template.jinja m/tokenizer_config.json", *others, "m/processor_config.json"]


def test_where_no_more_workers_can_be_started_the_targets_that_are_left_are_errors(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for index in range(40):
        (tmp_path / f"{index}.jinja").write_text("be killed" if index == 20 else f"{index}")
    names = [f"{index}.jinja" for index in range(40)]
    with contextlib.chdir(tmp_path), Pool(["tests.packs.obeys"], size=1) as pool:
        reports = checked(names, pool, Check(selection=Selection(select=("obey",))))
        first = next(reports)
        monkeypatch.setattr(sys, "executable", "/no/such/python")
        results = [result for report in (first, *reports) for result in report.targets]
    assert [result.target for result in results] == names
    kinds = [result.error.kind if result.error else None for result in results]
    assert kinds == [None] * 8 + ["no-worker"] * 32


def test_workers_are_called_up_by_the_work_of_all_batches() -> None:
    with Pool(["tests.packs.obeys"], size=3) as pool:
        orders = [[order(f"{batch} {number}") for number in range(4)] for batch in range(10)]
        processes = {message["message"] for batch in orders for said in pool.run(batch) for message in said.messages}
    assert 1 < len(processes) <= 3


def order(source: str) -> Order:
    from tpllint.job import Job, Variant

    return Order("local", Job((Variant("default", source),), {}, tokens_known=False, rules=("obey",)))


def test_answers_that_were_not_asked_for_in_a_while_make_room() -> None:
    remembered = Remembered(max_size=10_000)
    answers = [Answers([{"kind": "problem", "message": "x" * 2000}]) for _ in range(5)]
    for number, given in enumerate(answers):
        remembered.keep(str(number), given)
        assert remembered.get("0") is answers[0]
    kept = [number for number in range(5) if remembered.get(str(number))]
    assert kept == [0, 3, 4]
    remembered.keep("too large", Answers([{"message": "x" * 20_000}]))
    assert remembered.get("too large") is None
    assert remembered.get("4") is answers[4]


@contextlib.contextmanager
def running(folder: Path, *options: str, **streams: Any) -> Iterator[subprocess.Popen[bytes]]:
    """A check of the list, as a group of processes of its own, as a shell starts it."""
    command = [sys.executable, "-m", "tpllint", "check", "--no-config", "--from-file", "list", *options]
    with subprocess.Popen(command, cwd=folder, start_new_session=True, **streams) as process:
        try:
            yield process
        finally:
            process.kill()


def alive(group: int) -> bool:
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return True


@pytest.mark.parametrize("group", [True, False], ids=["all processes hear it", "only the parent hears it"])
@pytest.mark.parametrize("output_format", ["jsonl", "json"])
def test_an_interrupted_run_leaves_whole_lines_and_no_process(tmp_path: Path, output_format: str, group: bool) -> None:
    os.mkfifo(tmp_path / "list")
    with running(tmp_path, "--output-format", output_format, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        listed(tmp_path, models(tmp_path, 2000, sources=2000))  # waits for the run to read it
        begun = process.stdout.readline() if output_format == "jsonl" else b""
        os.kill(-process.pid if group else process.pid, signal.SIGINT)
        out, err = process.stdout.read(), process.stderr.read()
        # Python 3.11 with -m ends by the signal itself where it came while code was made; a shell tells 130 of both.
        assert process.wait(timeout=30) in (130, -signal.SIGINT)
        assert err.strip() == b"interrupted"
        assert not alive(process.pid)
    lines = (begun + out).decode().splitlines(keepends=True)
    assert all(json.loads(line) and line.endswith("\n") for line in lines)
    assert (0 < len(lines) < 2000) if output_format == "jsonl" else not lines


TORN = """
import os, signal
from tpllint import spawn
try:
    with spawn._uninterrupted():
        os.kill(os.getpid(), signal.SIGINT)
        number = spawn.spawn().pid
except KeyboardInterrupt:
    print("interrupted")
    os.kill(number, 0)
spawn.end_all()
try:
    os.kill(number, 0)
except ProcessLookupError:
    print("gone")
"""


def test_no_process_is_left_that_an_interruption_tore_from_its_owner() -> None:
    done = subprocess.run([sys.executable, "-c", TORN], capture_output=True, text=True, check=True, timeout=30)
    assert done.stdout.split() == ["interrupted", "gone"]


@pytest.mark.parametrize("output_format", ["jsonl", "text", "github"])
def test_a_reader_that_has_seen_enough_ends_the_run_without_a_word(tmp_path: Path, output_format: str) -> None:
    listed(tmp_path, models(tmp_path, 2000, sources=2000))
    with running(tmp_path, "--output-format", output_format, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stdout.readline()
        process.stdout.close()
        assert process.stderr.read() == b""
        assert process.wait(timeout=30) != 0
        assert not alive(process.pid)


@pytest.mark.parametrize("output_format", ["json", "sarif", "text"])
def test_a_disk_without_room_for_what_is_kept_is_told(tmp_path: Path, output_format: str) -> None:
    """The limit on the size of a file stands for the full disk. What is kept of each target is more than all of it."""
    path = "/".join(["missing" * 30] * 12)
    listed(tmp_path, [f"{path}/{index}" for index in range(600)])
    run = ("check", "--no-config", "--from-file", "list", "--output-format", output_format)
    limit = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, limit[1]))
    try:
        done = tpllint(*run, cwd=tmp_path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limit)
    assert done.code == 2
    assert done.err == (
        "error: no temporary file can be written: file too large\n  help: make room, or name another folder in TMPDIR\n"
    )


def test_a_report_of_many_megabytes_is_whole(tmp_path: Path) -> None:
    path = "/".join(["missing" * 30] * 12)
    names = [f"{path}/{index}" for index in range(600)]
    done = tpllint("check", "--from-file", listed(tmp_path, names), "--output-format", "json", cwd=tmp_path)
    assert len(done.out) > 2_000_000
    assert arguments_of(done.json()["targets"]) == names


def on_terminal(folder: Path, *options: str, out_too: bool) -> tuple[str, str]:
    """What a run writes to the terminal, and what it writes to standard output where that is another place."""
    ours, theirs = pty.openpty()
    with (folder / "out").open("wb") as out:
        environment = {**os.environ, "TERM": "xterm", "COLUMNS": "100", "NO_COLOR": "1"}
        with running(folder, *options, stdout=theirs if out_too else out, stderr=theirs, env=environment) as process:
            os.close(theirs)
            written = bytearray()
            with contextlib.suppress(OSError):  # Linux tells so that the other end is closed
                while data := os.read(ours, 1 << 16):
                    written += data
            process.wait(timeout=60)
    os.close(ours)
    return written.decode().replace("\r\n", "\n"), (folder / "out").read_text()


def test_a_terminal_shows_how_far_it_is_and_other_places_only_the_report(tmp_path: Path) -> None:
    listed(tmp_path, models(tmp_path, 60, sources=60))
    terminal, out = on_terminal(tmp_path, "--output-format", "jsonl", out_too=False)
    assert "checking" in terminal
    assert "%" in terminal
    assert len([json.loads(line) for line in out.splitlines()]) == 60
    assert on_terminal(tmp_path, "--output-format", "jsonl", "--no-progress", out_too=False) == ("", out)


def test_a_report_on_the_same_terminal_is_not_mixed_with_the_bar(tmp_path: Path) -> None:
    listed(tmp_path, models(tmp_path, 60, sources=60))
    _, out = on_terminal(tmp_path, "--output-format", "jsonl", out_too=False)
    terminal, nothing = on_terminal(tmp_path, "--output-format", "jsonl", out_too=True)
    assert nothing == ""
    assert "checking" in terminal
    for line in out.splitlines():
        assert f"{line}\n" in terminal
