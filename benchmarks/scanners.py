"""The same inputs through tpllint and through other scanners, side by side: the table of docs/scanners.md.

    python benchmarks/scanners.py [--inputs FOLDER] [--templates FOLDER] [--json FILE] [--only [SCANNER ...]]

--inputs FOLDER    hostile cases and benign look-alikes: folders with the files of a model and a case.json, which tells `class`,
                   `expect` (report, survive, no-security-finding) and, for files that are made, `generate`
--templates FOLDER published templates: model folders with a chat_template.jinja
--json FILE        every verdict is written to FILE
--only SCANNER ... runs only these of pillar, modelaudit, modelscan and tpllint, or none; FILE tells what the others have said

The other scanners are installed, once, into .venv-scanners of the checkout, in the versions of PACKAGES. They run with default
settings, without a network and without telemetry, in one process each that is started again when it dies or is late.
"""

from __future__ import annotations

import argparse
import json
import os
import select
import signal
import statistics
import subprocess
import sys
import tempfile
import time
import venv
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, NamedTuple, Self

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks.scanner_driver import SCANNERS, Answer, Judged
from benchmarks.scanner_inputs import GROUPS, OTHER, Input, Prepared, hostile, prepare, real

HERE = Path(__file__).resolve().parent
PACKAGES = {"pillar": "pillar-gguf-scanner==0.1.2", "modelaudit": "modelaudit==0.2.54", "modelscan": "modelscan==0.8.8"}
BESIDES = ("jinja2==3.1.6",)
"""modelaudit renders templates in a sandbox where jinja2 happens to be there, but does not ask for it."""
ENVIRONMENT = HERE.parent / ".venv-scanners"
QUIET = {"PROMPTFOO_DISABLE_TELEMETRY": "1", "NO_ANALYTICS": "1", "HF_HUB_OFFLINE": "1", "DO_NOT_TRACK": "1"}
SECURITY, ANY = "tpllint", "tpllint, any category"
CHECK = (sys.executable, "-m", "tpllint", "check", "--offline", "--no-config", "--no-progress", "--output-format", "json")
LIMIT = 120.0
"""Seconds for one input, or for one batch."""
BATCH = 40
FAILED = frozenset((Answer.CRASH, Answer.TIMEOUT))


class Verdict(NamedTuple):
    """What one scanner said of one input."""

    scanner: str
    input: str
    answer: Answer
    seconds: float
    said: tuple[str, ...] = ()


class Row(NamedTuple):
    """A line of the table: which answers are counted over which inputs, and which others are added as "+n"."""

    title: str
    over: Callable[[Input], bool]
    answers: Collection[Answer] = (Answer.FLAGGED,)
    added: Collection[Answer] = ()
    alarm: bool = False
    """Is a flag here a false alarm?"""


def main() -> None:
    options = arguments()
    inputs = [*(hostile(options.inputs) if options.inputs else ()), *(real(options.templates) if options.templates else ())]
    known = [] if options.only is None or not options.json else read(options.json)
    wanted = (*SCANNERS, "tpllint") if options.only is None else options.only
    verdicts = joined(known, list(run(inputs, wanted)))
    if options.json:
        write(options.json, verdicts)
    print("\n".join(table(inputs, verdicts)))


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("--inputs", "--templates", "--json"):
        parser.add_argument(name, type=Path)
    parser.add_argument("--only", nargs="*", choices=(*SCANNERS, "tpllint"))
    return parser.parse_args()


def read(path: Path) -> list[Verdict]:
    if not path.exists():
        return []
    held = json.loads(path.read_text(encoding="utf-8"))
    if held["packages"] != PACKAGES:
        raise SystemExit(f"{path} holds what other versions said: run every scanner again")
    return [Verdict(**{**row, "answer": Answer(row["answer"]), "said": tuple(row["said"])}) for row in held["verdicts"]]


def write(path: Path, verdicts: Sequence[Verdict]) -> None:
    rows = [verdict._asdict() for verdict in verdicts]
    path.write_text(json.dumps({"packages": PACKAGES, "verdicts": rows}, indent=1) + "\n", encoding="utf-8")


def joined(known: Sequence[Verdict], new: Sequence[Verdict]) -> list[Verdict]:
    """What is new replaces what the same scanner said before."""
    again = {verdict.scanner for verdict in new}
    kept = [verdict for verdict in known if verdict.scanner not in again]
    order = (*SCANNERS, SECURITY, ANY)
    return sorted([*kept, *new], key=lambda verdict: (order.index(verdict.scanner), verdict.input))


def run(inputs: Sequence[Input], wanted: Collection[str]) -> Iterator[Verdict]:
    others = [name for name in SCANNERS if name in wanted]
    if others:
        yield from run_others(inputs, others)
    if "tpllint" in wanted:
        for batch in batches(inputs):
            yield from run_tpllint(batch)


def run_others(inputs: Sequence[Input], names: Sequence[str]) -> Iterator[Verdict]:
    python, script = str(environment()), str(HERE / "scanner_driver.py")
    with ExitStack() as stack:
        home = stack.enter_context(tempfile.TemporaryDirectory())
        drivers = {name: stack.enter_context(Driver((python, script, name), home)) for name in names}
        for given in inputs:
            with tempfile.TemporaryDirectory() as scratch:
                ready = prepare(given, Path(scratch))
                yield from [asked(name, driver, given, ready) for name, driver in drivers.items()]


def environment() -> Path:
    """The interpreter that has the scanners, which are installed when one is missing."""
    python = ENVIRONMENT / "bin" / "python"
    mark = ENVIRONMENT / "installed"
    wanted = (*PACKAGES.values(), *BESIDES)
    if not mark.is_file() or mark.read_text(encoding="utf-8").split() != list(wanted):
        venv.create(ENVIRONMENT, with_pip=True)
        pip = (str(python), "-m", "pip", "--disable-pip-version-check", "--quiet", "install")
        subprocess.run((*pip, *wanted), check=True, stdout=sys.stderr)
        mark.write_text("\n".join(wanted), encoding="utf-8")
    return python


class Driver:
    """A process that answers for one scanner; another one is started where it has died or was late."""

    def __init__(self, command: Sequence[str], home: str, limit: float = LIMIT) -> None:
        self._command = command
        self._limit = limit
        self._environment = {"PATH": os.defpath, "HOME": home, **QUIET}
        self._process: subprocess.Popen[str] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._end()

    def ask(self, paths: Sequence[Path]) -> tuple[Judged, float]:
        process = self._process or self._start()
        started = time.perf_counter()
        judged = self._answer(process, json.dumps([str(path) for path in paths]))
        seconds = time.perf_counter() - started
        if judged.answer in FAILED and (judged.answer is Answer.TIMEOUT or process.poll() is not None):
            self._end()
        return judged, seconds

    def _start(self) -> subprocess.Popen[str]:
        self._process = subprocess.Popen(
            self._command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=self._environment,
            start_new_session=True,
            text=True,
            encoding="utf-8",
        )
        if not _line(self._process, LIMIT):
            raise SystemExit(f"{self._command[-1]} does not start")
        return self._process

    def _answer(self, process: subprocess.Popen[str], request: str) -> Judged:
        assert process.stdin
        try:
            print(request, file=process.stdin, flush=True)
        except BrokenPipeError:
            return _died(process)
        line = _line(process, self._limit)
        if line is None:
            return Judged(Answer.TIMEOUT)
        return _understood(line) if line else _died(process)

    def _end(self) -> None:
        if self._process:
            if self._process.poll() is None:
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.communicate()
        self._process = None


def _line(process: subprocess.Popen[str], limit: float) -> str | None:
    """What it says next: nothing where it has died, None where it is late."""
    assert process.stdout
    return process.stdout.readline() if select.select([process.stdout], [], [], limit)[0] else None


def _died(process: subprocess.Popen[str]) -> Judged:
    return Judged(Answer.CRASH, (f"the process ended with {process.wait()}",))


def _understood(line: str) -> Judged:
    told = json.loads(line)
    tried = [f"tried to reach a network: {event}" for event in sorted(set(told["tried"]))]
    return Judged(Answer(told["answer"]), (*told["said"], *tried))


def asked(name: str, driver: Driver, given: Input, ready: Prepared) -> Verdict:
    paths = ready.ggufs if name == "pillar" else (ready.folder,)
    judged, seconds = driver.ask(paths) if paths else (Judged(Answer.UNSEEN), 0.0)
    return Verdict(name, given.name, judged.answer, round(seconds, 4), judged.said)


def batches(inputs: Sequence[Input]) -> Iterator[Sequence[Input]]:
    """Published templates many at a time, since most of a run on one is the start of the program; hostile inputs alone."""
    yield from ([given] for given in inputs if given.expect != "real")
    published = [given for given in inputs if given.expect == "real"]
    yield from (published[start : start + BATCH] for start in range(0, len(published), BATCH))


def run_tpllint(batch: Sequence[Input]) -> Iterator[Verdict]:
    """Two verdicts for each input: by security findings alone, and by findings of any category."""
    with tempfile.TemporaryDirectory() as scratch:
        targets = [target(given, Path(scratch) / str(number)) for number, given in enumerate(batch)]
        output, exit_code, seconds = checked(targets, Path(scratch))
        if len(batch) > 1 and (output is None or exit_code == 3):  # one must not hide the others
            yield from (verdict for given in batch for verdict in run_tpllint([given]))
            return
        for given, path in zip(batch, targets, strict=True):
            for scanner, category in ((SECURITY, "security"), (ANY, None)):
                judged = judge_tpllint(output, exit_code, path, category)
                yield Verdict(scanner, given.name, judged.answer, round(seconds / len(batch), 4), judged.said)


def target(given: Input, scratch: Path) -> str:
    scratch.mkdir()
    model = prepare(given, scratch).folder
    return str(next(iter(sorted(model.rglob("*.gguf"))), model))


def checked(targets: Sequence[str], folder: Path) -> tuple[bytes | None, int, float]:
    """The report (None: it is late), the exit code and the seconds of one run."""
    started = time.perf_counter()
    quiet = subprocess.DEVNULL
    with subprocess.Popen(
        (*CHECK, *targets), cwd=folder, stdin=quiet, stdout=subprocess.PIPE, stderr=quiet, start_new_session=True
    ) as process:
        try:
            output: bytes | None = process.communicate(timeout=LIMIT)[0]
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            output = None
    return output, process.returncode, time.perf_counter() - started


def judge_tpllint(output: bytes | None, exit_code: int, target: str, category: str | None) -> Judged:
    if output is None:
        return Judged(Answer.TIMEOUT)
    try:
        report = json.loads(output)
    except ValueError:
        return Judged(Answer.CRASH, (f"no report, exit code {exit_code}",))
    findings = [finding for finding in report["findings"] if finding["target"] == target]
    serious = [finding for finding in findings if finding["severity"] in ("warning", "error")]
    said = sorted({finding["rule"] for finding in serious if category in (None, finding["category"])})
    if said:
        return Judged(Answer.FLAGGED, tuple(said))
    unread = [str(each["error"]["kind"]) for each in report["targets"] if each["error"] and each["target"] == target]
    return Judged(Answer.CRASH if exit_code == 3 else Answer.INCOMPLETE if unread else Answer.CLEAN, tuple(unread))


def table(inputs: Sequence[Input], verdicts: Sequence[Verdict]) -> Iterator[str]:
    """Markdown; a scanner that has not seen every input is left out."""
    said: dict[str, dict[str, Verdict]] = {}
    for verdict in verdicts:
        said.setdefault(verdict.scanner, {})[verdict.input] = verdict
    scanners = [name for name, of in said.items() if all(given.name in of for given in inputs)]
    yield line("", scanners)
    yield line("---", ["---:"] * len(scanners))
    for row in rows():
        over = [given for given in inputs if row.over(given)]
        if over:
            yield line(f"{row.title} (of {len(over)})", [cell(row, over, name, said[name]) for name in scanners])
    yield line("seconds for an input, median", [f"{median(inputs, said[name]):.3f}" for name in scanners])


def rows() -> Iterator[Row]:
    yield Row("hostile inputs flagged", to_report, added=(Answer.INCOMPLETE,))
    for group in (*GROUPS, OTHER):
        yield Row(f"&emsp;{group}", of_group(group), added=(Answer.INCOMPLETE,))
    yield Row("hostile inputs not looked at", to_report, (Answer.UNSEEN,))
    yield Row("benign look-alikes flagged", lambda given: given.expect == "lookalike", alarm=True)
    yield Row("published templates flagged", lambda given: given.expect == "real", alarm=True)
    yield Row("&emsp;those that are the publisher's own", lambda given: given.official, alarm=True)
    yield Row("look-alikes and published templates not or not fully looked at", harmless, (Answer.UNSEEN, Answer.INCOMPLETE))
    yield Row("crashes and timeouts", lambda given: True, FAILED)


def to_report(given: Input) -> bool:
    return given.expect == "report"


def of_group(group: str) -> Callable[[Input], bool]:
    return lambda given: to_report(given) and given.group == group


def harmless(given: Input) -> bool:
    return given.expect in ("lookalike", "real")


def cell(row: Row, over: Sequence[Input], scanner: str, said: Mapping[str, Verdict]) -> str:
    """Findings that are not about security are no false alarms, so nothing is counted there."""
    if row.alarm and scanner == ANY:
        return ""
    answers = [said[given.name].answer for given in over]
    counted, added = (sum(answer in wanted for answer in answers) for wanted in (row.answers, row.added))
    return f"{counted} +{added}" if added else str(counted)


def median(inputs: Sequence[Input], said: Mapping[str, Verdict]) -> float:
    return statistics.median(said[given.name].seconds for given in inputs)


def line(title: str, cells: Sequence[Any]) -> str:
    return f"| {' | '.join((title, *map(str, cells)))} |"


if __name__ == "__main__":
    main()
