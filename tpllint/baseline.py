"""The baseline file: findings that are known and not to be told again, so that a check fails for new ones only.

A finding is known by what its fingerprint is made of: rule, template, file and message, not by its place. The file is named
from the folder of the baseline, and on the Hub without its commit. Of findings that are alike, so many are known as were
recorded of one target.
"""

from __future__ import annotations

import json
import os
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from tpllint.errors import RepairableError
from tpllint.finding import Finding, Report
from tpllint.lock import RULE as LOCKED
from tpllint.lock import files_of
from tpllint.selection import Selection
from tpllint.severity import Severity
from tpllint.sources.files import TEMPLATE_FOLDER
from tpllint.sources.hub_target import parse_hub_target
from tpllint.sources.listed import STDIN
from tpllint.sources.own_file import FormError, own_bytes, own_json
from tpllint.sources.stdin import SHOWN

SCHEMA = "tpllint-baseline-v1"
MAX_BYTES = 32_000_000
MOST_ALIKE = 1_000_000
"""No target has so many findings."""
BROKEN = "restore it, or write it anew with --write-baseline"

_ON_HUB = re.compile(r"(?P<repository>[^@]+)@[0-9a-f]{40}:(?P<file>.+)", re.DOTALL)


class Key(NamedTuple):
    """What a finding is known by; `template` is empty where it is about none."""

    path: str
    template: str
    rule: str
    message: str


class Known(NamedTuple):
    """How many findings of a target are alike, and how bad they were when they were recorded."""

    times: int
    severity: Severity


class Baseline(NamedTuple):
    """What a baseline file holds; `path` is as the user named the file."""

    path: str
    findings: Mapping[Key, Known] = {}

    def as_text(self) -> str:
        """The file's text, with one finding on each line. Raises RepairableError where no file of that size would be read."""
        lines = ",".join(f"\n  {json.dumps(_as_json(key, self.findings[key]))}" for key in sorted(self.findings))
        text = f'{{\n "schema": "{SCHEMA}",\n "findings": [{lines}\n ]\n}}\n'
        if len(text) > MAX_BYTES:
            raise _too_large(self.path, "would be larger")
        return text


class Recording:
    """The findings of a run, on their way into a baseline."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._names = _Names(path)
        self._findings: dict[Key, Known] = {}

    def rest(self, report: Report) -> Report:
        """Record the findings of a report; what is left of it is what a baseline never holds."""
        recorded = [finding for finding in report.findings if is_recorded(finding)]
        alike = Counter((finding.target, self._names.key(finding)) for finding in recorded)
        for finding in recorded:
            key = self._names.key(finding)
            before = self._findings.get(key, Known(0, finding.severity))
            self._findings[key] = Known(max(before.times, alike[finding.target, key]), finding.severity)
        return report._replace(findings=tuple(finding for finding in report.findings if not is_recorded(finding)))

    def baseline(self) -> Baseline:
        """What was recorded."""
        return Baseline(self._path, self._findings)


class Sieve:
    """Holds back the findings of a run that a baseline holds, and tells in the end which it holds without need."""

    def __init__(self, baseline: Baseline, selection: Selection, *, every_template: bool) -> None:
        """Where a run looks at `every_template` of its targets, what it does not find is there no more."""
        self._baseline = baseline
        self._selection = selection
        self._every_template = every_template
        self._names = _Names(baseline.path)
        self._by_place = _by_place(baseline.findings)
        self._seen: Counter[Key] = Counter()
        self._due: set[Key] = set()

    def left(self, report: Report) -> Report:
        """The report without what is known, which is counted."""
        if self._every_template:
            self._note_due(report)
        told, alike = self._told(report)
        hidden: Counter[str] = Counter()
        for (target, key), times in alike.items():
            self._seen[key] = max(self._seen[key], times)
            hidden[target] += times
        targets = tuple(result._replace(baselined=hidden[result.target]) for result in report.targets)
        return report._replace(findings=told, targets=targets)

    def without_known(self, report: Report) -> Report:
        """The same of a report that is not told; nothing is counted."""
        told, _ = self._told(report)
        return report._replace(findings=told)

    def stale(self) -> int:
        """How many findings it holds that no longer occur where targets were examined whole."""
        return sum(max(0, self._baseline.findings[key].times - self._seen[key]) for key in self._due)

    def _told(self, report: Report) -> tuple[tuple[Finding, ...], Counter[tuple[str, Key]]]:
        """The findings that are not known, and how many are that are alike, by target."""
        alike: Counter[tuple[str, Key]] = Counter()
        return tuple(finding for finding in report.findings if not self._holds(finding, alike)), alike

    def _holds(self, finding: Finding, alike: Counter[tuple[str, Key]]) -> bool:
        """Whether a finding is known; it is counted."""
        key = self._names.key(finding)
        known = self._baseline.findings.get(key)
        if known is None or not is_recorded(finding) or alike[finding.target, key] >= known.times:
            return False
        alike[finding.target, key] += 1
        return True

    def _note_due(self, report: Report) -> None:
        """Note which of the known findings a report would have told."""
        telling = {rule.name: not self._selection.quiet(rule) for rule in report.rules}
        skipped = {(one.target, one.rule) for one in report.skipped}
        whole = [result.target for result in report.targets if result.fully_analysed and not result.error]
        for name, key in ((target, key) for target in whole for key in self._about(target)):
            is_info = self._baseline.findings[key].severity is Severity.INFO
            if key.rule in telling and (telling[key.rule] or not is_info) and (name, key.rule) not in skipped:
                self._due.add(key)

    def _about(self, target: str) -> Iterator[Key]:
        for place in self._names.places(target):
            yield from self._by_place.get(place, ())


def is_recorded(finding: Finding) -> bool:
    """Whether a baseline may hold a finding: what --locked tells is accepted by locking again."""
    return finding.rule != LOCKED


def read_baseline(path: str) -> Baseline:
    """The baseline in a file. Raises RepairableError."""
    try:
        takes = "--baseline takes a file of --write-baseline"
        data = own_bytes(path, MAX_BYTES, takes=takes, too_large=_too_large(path, "is larger"))
        return Baseline(path, _findings(own_json(data)))
    except FileNotFoundError as error:
        raise RepairableError("no-such-path", f"no such file: {path}", f"run with --write-baseline {path} first") from error
    except FormError as error:
        raise RepairableError("bad-baseline", f"{path} is no baseline: {error}", BROKEN) from error


class _Names:
    """How files and targets are named in a baseline."""

    def __init__(self, path: str) -> None:
        self._folder = os.path.dirname(os.path.abspath(path))
        self._known: dict[tuple[str, str], str] = {}

    def key(self, finding: Finding) -> Key:
        """What a finding is known by."""
        asked = finding.target, finding.path
        if asked not in self._known:
            self._known[asked] = self._path(*asked)
        return Key(self._known[asked], finding.template or "", finding.rule, finding.message)

    def places(self, target: str) -> list[str]:
        """The files and folders that a target is, under which `_by_place` has what is known of it."""
        if target == STDIN:
            return [SHOWN]
        if os.path.lexists(target):
            return [self._local(target)]
        files = files_of(target)
        return [self._local(file) for file in files] if os.path.lexists(files[0]) else [_on_hub(target)]

    def _path(self, target: str, path: str) -> str:
        if target == STDIN:
            return SHOWN
        if os.path.lexists(path):
            return self._local(path)
        if match := _ON_HUB.fullmatch(path):
            return f"{match['repository']}:{match['file']}"
        if path == target:
            return _on_hub(path)
        # A file that is not there is told by its name in the model.
        place = self.places(target)[0]
        return os.path.join(place if os.path.isdir(target) else os.path.dirname(place), path)

    def _local(self, path: str) -> str:
        return os.path.relpath(os.path.abspath(path), self._folder)


def _on_hub(target: str) -> str:
    """A model on the Hub without its revision, and the file in it that the user pointed at, if any."""
    found = parse_hub_target(target)
    if found is None:
        return target
    return found.repository if found.file is None else f"{found.repository}:{found.file}"


def _by_place(keys: Iterable[Key]) -> Mapping[str, list[Key]]:
    """The keys by their files, and by the model folders or repositories that these files are in."""
    found: dict[str, list[Key]] = defaultdict(list)
    for key in keys:
        for place in {key.path, _home(key.path)}:
            found[place].append(key)
    return found


def _home(path: str) -> str:
    repository, colon, _ = path.partition(":")
    if colon and parse_hub_target(f"hf:{repository}"):
        return repository
    folder, name = os.path.split(os.path.dirname(path))
    return folder if name == TEMPLATE_FOLDER else os.path.dirname(path)


def _as_json(key: Key, known: Known) -> dict[str, Any]:
    return {**key._asdict(), "severity": known.severity.value, "count": known.times}


def _too_large(path: str, how: str) -> RepairableError:
    hint = "use several files of --baseline, each for some of the targets"
    return RepairableError("too-large", f"{path} {how} than {MAX_BYTES // 1_000_000} MB", hint)


def _findings(loaded: Any) -> dict[Key, Known]:
    match loaded:
        case {"schema": str(schema), "findings": list(entries), **others} if not others:
            if schema != SCHEMA:
                raise FormError(f'its schema is not "{SCHEMA}"')
        case _:
            raise FormError("it is not an object of schema and findings")
    found: dict[Key, Known] = {}
    for number, entry in enumerate(entries, 1):
        key, known = _finding(number, entry)
        if key in found:
            raise FormError(f"finding {number} stands there twice")
        found[key] = known
    return found


def _finding(number: int, entry: Any) -> tuple[Key, Known]:
    match entry:
        case {
            "path": str(path),
            "template": str(template),
            "rule": str(rule),
            "message": str(message),
            "severity": "error" | "warning" | "info" as severity,
            "count": int(count),
            **others,
        } if not others and not isinstance(count, bool) and 0 < count <= MOST_ALIKE:
            return Key(path, template, rule, message), Known(count, Severity(severity))
    raise FormError(f"finding {number} has not the form of one")
