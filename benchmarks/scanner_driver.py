"""One of the other scanners, kept running: what benchmarks/scanners.py starts in the environment that has the scanners.

    python benchmarks/scanner_driver.py SCANNER

Reads one JSON list of paths a line, and answers each with one JSON object a line. Uses nothing but the standard library and the
scanner. The scanner cannot reach a network: a try is refused, and told in the answer.
"""

from __future__ import annotations

import importlib
import json
import os
import resource
import sys
from collections.abc import Callable, Iterable, Mapping
from enum import StrEnum
from typing import Any, NamedTuple

MEMORY = 4 << 30
NETWORK = frozenset(("socket.connect", "socket.getaddrinfo", "socket.gethostbyname", "socket.sendto", "socket.sendmsg"))


class Answer(StrEnum):
    """What a scanner makes of an input: `incomplete` where it says itself that it could not read or finish.

    Of several files of one input, the answer counts that stands furthest down here.
    """

    UNSEEN = "not looked at"
    CLEAN = "clean"
    INCOMPLETE = "incomplete"
    CRASH = "crash"
    TIMEOUT = "timeout"
    FLAGGED = "flagged"


class Judged(NamedTuple):
    """An answer, and in the scanner's words what it goes back to."""

    answer: Answer
    said: tuple[str, ...] = ()


Scan = Callable[[str], Judged]


def judge_pillar(verdict: str, templates: int, said: tuple[str, ...]) -> Judged:
    """`verdict` counts heuristics and classifier; a file in which no template was found is called clean, too."""
    if verdict == "clean" and not templates:
        return Judged(Answer.UNSEEN)
    known = {"clean": Answer.CLEAN, "error": Answer.INCOMPLETE, "suspicious": Answer.FLAGGED, "malicious": Answer.FLAGGED}
    return Judged(known[verdict], said)


def judge_modelaudit(issues: Iterable[tuple[str, str]], exit_code: int, scanners: int) -> Judged:
    """`issues` are severities and messages, `exit_code` is what its command line would end with: 2 for an incomplete scan."""
    told = tuple(f"{severity}: {message}" for severity, message in issues)
    serious = tuple(words for words in told if words.startswith(("warning:", "critical:")))
    if serious:
        return Judged(Answer.FLAGGED, serious)
    if not scanners:
        return Judged(Answer.UNSEEN, told)
    return Judged(Answer.INCOMPLETE if exit_code == 2 else Answer.CLEAN, told)


def judge_modelscan(report: Mapping[str, Any]) -> Judged:
    """Its lowest severity is LOW, so every issue counts."""
    said = tuple(str(issue.get("description")) for issue in report["issues"])
    if said:
        return Judged(Answer.FLAGGED, said)
    if report["errors"]:
        return Judged(Answer.INCOMPLETE, tuple(map(str, report["errors"])))
    return Judged(Answer.CLEAN if report["summary"]["scanned"]["total_scanned"] else Answer.UNSEEN)


def pillar() -> Scan:
    package = importlib.import_module("pillar_gguf_scanner")
    if not package.TemplateClassifier().is_available:
        raise SystemExit("the classifier of pillar-gguf-scanner is not there")
    scanner = package.GGUFTemplateScanner()

    def scan(path: str) -> Judged:
        result = scanner.scan_path(path, use_pillar=False)
        said = [f"{finding.severity.value}: {finding.rule_id}" for finding in result.findings]
        said += [f"classifier: {each.verdict.value} {each.confidence:.3f}" for each in result.classifier_results]
        said += [f"{error.code}: {error.message}" for error in result.errors]
        return judge_pillar(result.verdict.value, len(result.evidence.template_hashes), tuple(said))

    return scan


def modelaudit() -> Scan:
    core, results = (importlib.import_module(f"modelaudit.{name}") for name in ("core", "core_results"))

    def scan(path: str) -> Judged:
        result = core.scan_model_directory_or_file(path, cache_enabled=False)
        issues = [(issue.severity.value, issue.message) for issue in result.issues]
        return judge_modelaudit(issues, results.determine_exit_code(result), len(result.scanner_names))

    return scan


def modelscan() -> Scan:
    scanner = importlib.import_module("modelscan.modelscan").ModelScan()
    return lambda path: judge_modelscan(scanner.scan(path))


SCANNERS: Mapping[str, Callable[[], Scan]] = {"pillar": pillar, "modelaudit": modelaudit, "modelscan": modelscan}


def main() -> None:
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # what the scanners print is no answer
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    tries: list[str] = []
    sys.addaudithook(lambda event, _: refuse(event, tries) if event in NETWORK else None)
    scan = SCANNERS[sys.argv[1]]()
    print(json.dumps({"tried": tries}), file=answers, flush=True)
    for line in sys.stdin:
        tries.clear()
        judged = worst(judged_safely(scan, path) for path in json.loads(line))
        said = [words[:200] for words in judged.said[:10]]
        print(json.dumps({"answer": judged.answer, "said": said, "tried": tries}), file=answers, flush=True)


def refuse(event: str, tries: list[str]) -> None:
    tries.append(event)
    raise PermissionError(f"no network: {event}")


def judged_safely(scan: Scan, path: str) -> Judged:
    try:
        return scan(path)
    except Exception as error:  # whatever a scanner lets out is a result
        return Judged(Answer.CRASH, (f"{type(error).__name__}: {error}",))


def worst(judged: Iterable[Judged]) -> Judged:
    order = list(Answer)
    return max(judged, key=lambda each: order.index(each.answer))


if __name__ == "__main__":
    main()
