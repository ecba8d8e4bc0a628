"""Which rules run and how bad their findings are: codes, prefixes, names and ALL, and the profiles."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator, Mapping, Sequence
from fnmatch import fnmatchcase
from typing import NamedTuple

from tpllint.errors import RepairableError
from tpllint.names import nearest, unknown
from tpllint.rule import PROFILES, RuleInfo
from tpllint.severity import Severity

VETTING = ("storage", "syntax", "security")
"""The categories that the profile `security` runs, with the rules that say they vet: what a user of a download has to know."""


class PathIgnores(NamedTuple):
    """Rules that are silent about some files. `globs` are matched from the folder `root`; `here` is the working directory."""

    globs: Mapping[str, tuple[str, ...]] = {}
    root: str = ""
    here: str = ""

    def words(self, path: str, *, local: bool) -> Iterator[str]:
        """What is ignored in the file that findings print as `path`; a glob fits its name, or its path from `root`."""
        if not self.globs:
            return
        full = posixpath.relpath(posixpath.join(self.here, path), self.root) if local else path
        for glob, words in self.globs.items():
            if fnmatchcase(full, glob) or fnmatchcase(posixpath.basename(path), glob):
                yield from words


class Selection(NamedTuple):
    """What the user asked for; an empty `select` means every rule, with info findings silent unless `tells_infos`.

    `asked` are the names of rules that another option asks for: they run beside what is selected, and their infos are told.
    """

    select: tuple[str, ...] = ()
    ignore: tuple[str, ...] = ()
    severity: Mapping[str, Severity] = {}
    tells_infos: bool = False
    profile: str = "default"
    per_path: PathIgnores = PathIgnores()
    asked: tuple[str, ...] = ()

    def chosen(self, rules: Sequence[RuleInfo]) -> tuple[RuleInfo, ...]:
        """The rules that run. Raises RepairableError for a word that fits none, and for a rule both asked for and ignored."""
        if self.profile not in PROFILES:
            raise unknown("unknown-profile", "profile", self.profile, PROFILES)
        in_paths = (word for words in self.per_path.globs.values() for word in words)
        for word in (*self.select, *self.ignore, *self.severity, *in_paths):
            require_rule(word, rules)
        for rule in rules:
            if rule.name in self.asked and self._ignores(rule):
                raise RepairableError("contradiction", f"{rule.name} is asked for and ignored", "drop one of the two")
        return tuple(rule for rule in rules if self._selects(rule) and not self._ignores(rule))

    def _ignores(self, rule: RuleInfo) -> bool:
        return any(fits(word, rule) for word in self.ignore)

    def _selects(self, rule: RuleInfo) -> bool:
        if rule.name in self.asked:
            return True
        if self.select:
            return any(fits(word, rule) for word in self.select)
        return self.profile != "security" or rule.category in VETTING or rule.vets

    def level(self, rule: RuleInfo, found: Severity) -> Severity:
        """The severity a finding of this rule gets: the last word that fits the rule wins, then what the profile raises."""
        levels = [level for word, level in self.severity.items() if fits(word, rule)]
        if levels:
            return levels[-1]
        return rule.raised_by.get(self.profile, found) if found is Severity.INFO else found

    def shows(self, rule: RuleInfo, severity: Severity, path: str, *, local: bool) -> bool:
        """Whether a finding of this severity in this file is told."""
        if any(fits(word, rule) for word in self.per_path.words(path, local=local)):
            return False
        return severity is not Severity.INFO or self._shows_infos(rule)

    def quiet(self, rule: RuleInfo) -> bool:
        """Whether nobody is told what a rule has to say as an info."""
        return not self._shows_infos(rule) and self.level(rule, Severity.INFO) is Severity.INFO

    def asks_for(self, rule: RuleInfo) -> bool:
        """Whether the user has asked for this rule, and not just for what there is."""
        named = rule.name in self.asked or any(fits(word, rule) for word in (*self.select, *self.severity))
        return named or self.profile == "all" or self.profile in rule.raised_by

    def _shows_infos(self, rule: RuleInfo) -> bool:
        return self.tells_infos or bool(self.select) or self.profile == "all" or rule.name in self.asked


def fits(word: str, rule: RuleInfo) -> bool:
    """Whether a word names a rule: its name, its code, the beginning of its code, or ALL."""
    return word in ("ALL", rule.name) or (bool(word) and rule.code.startswith(word))


def require_rule(word: str, rules: Sequence[RuleInfo], where: str = "") -> None:
    """Raise RepairableError for a word that fits no rule; `where` says who wrote it."""
    if not any(fits(word, rule) for rule in rules):
        raise _unknown(word, rules, where)


def _unknown(word: str, rules: Sequence[RuleInfo], where: str = "") -> RepairableError:
    near = nearest(word, [name for rule in rules for name in (rule.name, rule.code)])
    guess = f'did you mean "{near}"? ' if near else ""
    return RepairableError("unknown-rule", f'{where}unknown rule "{word}"', f"{guess}run tpllint rules for all names and codes")


def find_rule(word: str, rules: Sequence[RuleInfo]) -> RuleInfo:
    """The one rule of this name or code. Raises RepairableError with the nearest name and all known ones."""
    for rule in rules:
        if word in (rule.name, rule.code):
            return rule
    raise _unknown(word, rules)
