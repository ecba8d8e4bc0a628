"""Which rules run and how bad their findings are: codes, prefixes, names and ALL."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from tpllint.errors import RepairableError
from tpllint.rule import RuleInfo
from tpllint.severity import Severity


@dataclass(frozen=True)
class Selection:
    """What the user asked for; an empty `select` means every rule, with info findings silent unless `tells_infos`."""

    select: tuple[str, ...] = ()
    ignore: tuple[str, ...] = ()
    severity: Mapping[str, Severity] = field(default_factory=dict)
    tells_infos: bool = False

    def chosen(self, rules: Sequence[RuleInfo]) -> tuple[RuleInfo, ...]:
        """The rules that run. Raises RepairableError for a word that fits none."""
        for word in (*self.select, *self.ignore, *self.severity):
            _require(word, rules)
        return tuple(
            rule
            for rule in rules
            if (not self.select or any(_fits(word, rule) for word in self.select))
            and not any(_fits(word, rule) for word in self.ignore)
        )

    def level(self, rule: RuleInfo, found: Severity) -> Severity:
        """The severity a finding of this rule gets; the last word that fits the rule wins."""
        levels = [level for word, level in self.severity.items() if _fits(word, rule)]
        return levels[-1] if levels else found

    def shows(self, severity: Severity) -> bool:
        """Whether findings of this severity are told."""
        return severity is not Severity.INFO or self.tells_infos or bool(self.select)


def _fits(word: str, rule: RuleInfo) -> bool:
    return word in ("ALL", rule.name) or (bool(word) and rule.code.startswith(word))


def _require(word: str, rules: Sequence[RuleInfo]) -> None:
    if not any(_fits(word, rule) for rule in rules):
        raise _unknown(word, rules)


def _unknown(word: str, rules: Sequence[RuleInfo]) -> RepairableError:
    known = [name for rule in rules for name in (rule.name, rule.code)]
    near = difflib.get_close_matches(word, known, n=1)
    guess = f'did you mean "{near[0]}"? ' if near else ""
    return RepairableError("unknown-rule", f'unknown rule "{word}"', f"{guess}tpllint rules lists them all")


def find_rule(word: str, rules: Sequence[RuleInfo]) -> RuleInfo:
    """The one rule of this name or code. Raises RepairableError with the nearest name."""
    for rule in rules:
        if word in (rule.name, rule.code):
            return rule
    raise _unknown(word, rules)
