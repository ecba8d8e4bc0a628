"""Applies suppression comments: which findings they cover, and which of them cover nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from tpllint.names import nearest
from tpllint.quoting import quoted
from tpllint.rule import RuleInfo
from tpllint.selection import fits

UNUSED = "unused-suppression"
NEVER = "security"
"""The category that no comment covers: a stranger wrote the comment too."""
FORM = "{# tpllint: ignore[rule] reason #}"

Message = Mapping[str, Any]


@dataclass
class _Comment:
    """One suppression comment of a template, and the words in it that have covered something."""

    message: Message
    used: set[str] = field(default_factory=set)

    @property
    def words(self) -> Sequence[str]:
        return self.message["words"] or ()

    def covers(self, problem: Message) -> bool:
        if problem.get("template") != self.message["template"] or problem.get("file") is not None:
            return False
        place = problem.get("place")
        line, column, end_line, end_column = self.message["holds"]
        inside = place is not None and (line, column) <= (place[0], place[1]) <= (end_line, end_column)
        return inside or bool(self.message["whole"])


class Suppressions:
    """The suppression comments in one target's templates."""

    def __init__(self, messages: Iterable[Message], rules: Mapping[str, RuleInfo]) -> None:
        self._rules = rules
        self._comments = [_Comment(message) for message in messages if message["kind"] == "suppression"]
        self._uncovered: set[tuple[str, str | None]] = set()

    def cover(self, problem: Message) -> bool:
        """Whether a comment covers a problem; it counts as used from then on."""
        rule = self._rules[problem["rule"]]
        covered = False
        for comment in self._comments:
            words = [word for word in comment.words if fits(word, rule) and rule.category != NEVER]
            if words and comment.covers(problem):
                comment.used.update(words)
                covered = True
        if not covered:
            self._uncovered.add((rule.name, problem.get("template")))
        return covered

    def unused(self, decided: Callable[[RuleInfo, str], bool]) -> Iterator[Message]:
        """A problem for every word that covered nothing; `decided` tells whether a rule has judged the whole of a template."""
        if UNUSED not in self._rules:
            return
        for comment in self._comments:
            if comment.message["words"] is None:
                said = f"{quoted(comment.message['says'])} is no suppression"
                yield self._problem(comment, said, f"write {FORM}, or take the comment out")
            for word in dict.fromkeys(comment.words):
                if word not in comment.used:
                    yield from self._idle(comment, word, decided)

    def _idle(self, comment: _Comment, word: str, decided: Callable[[RuleInfo, str], bool]) -> Iterator[Message]:
        named = [rule for rule in self._rules.values() if fits(word, rule)]
        judging = [rule for rule in named if rule.category != NEVER and rule.name != UNUSED]
        if not named:
            near = nearest(word, [name for rule in self._rules.values() for name in (rule.name, rule.code)])
            meant = f"write {quoted(near)}" if near else "take it out"
            yield self._problem(comment, f"{quoted(word)} is no rule", f"{meant}; tpllint rules lists them all")
        elif all(rule.category == NEVER for rule in named):
            said = f"no comment suppresses {quoted(word)}, which is about security"
            yield self._problem(comment, said, "take it out; where it has to be left out, run with --ignore")
        elif judging and all(decided(rule, comment.message["template"]) for rule in judging):
            yield self._problem(comment, f"ignore[{word}] suppresses nothing", self._remedy(comment, word, judging))

    def _remedy(self, comment: _Comment, word: str, judging: Iterable[RuleInfo]) -> str:
        if any((rule.name, comment.message["template"]) in self._uncovered for rule in judging):
            return f"put {FORM} on the line before the finding, or at the top of the template"
        return f"take {quoted(word)} out of the comment"

    def _problem(self, comment: _Comment, message: str, help: str) -> Message:
        template, place = comment.message["template"], comment.message["place"]
        return {"rule": UNUSED, "template": template, "message": message, "help": help, "place": place}
