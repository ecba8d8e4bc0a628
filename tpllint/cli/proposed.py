"""What the command line of `tpllint review` names: a pull request, two revisions, two targets."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

from tpllint.errors import RepairableError
from tpllint.reviewing import Change, pull_request, revisions
from tpllint.sources.hub_target import REVISION, HubTarget, parse_hub_target
from tpllint.sources.listed import STDIN

PULL_REQUEST = re.compile(r"refs/pr/(?P<number>[0-9]{1,9})")


class Proposed(NamedTuple):
    """A model on the Hub with a pull request or two revisions, or nothing but two targets."""

    targets: Sequence[str]
    model: HubTarget | None = None
    number: int | None = None
    revisions: tuple[str, str] | None = None


def proposed(targets: Sequence[str], number: int | None, before: str | None, after: str | None, *, offline: bool) -> Proposed:
    """What is to be reviewed. Raises RepairableError."""
    chosen = any(each is not None for each in (number, before, after))
    if len(targets) > 2 or (len(targets) == 2 and chosen):
        raise contradiction(
            "a review has one model with --pr or --from and --to, or two targets", "name one model, or two targets"
        )
    if len(targets) == 2:
        if targets.count(STDIN) > 1:
            raise contradiction("standard input cannot be two sides", "write one of the two into a file")
        return Proposed(targets)
    model = _on_the_hub(targets[0])
    if offline:
        raise contradiction("a pull request or a revision is asked for at the Hub", "drop --offline, or name two folders")
    number = _number(targets[0], model, number)
    if number is not None and (before is not None or after is not None):
        raise contradiction("--pr excludes --from and --to", "drop one of the two")
    if number is not None:
        return Proposed(targets, model, number)
    if before is None:
        raise RepairableError(
            "missing-change", "there is nothing to review", "write --pr N, or --from REV --to REV, or two targets"
        )
    until = model.revision or "main" if after is None else _revision(after)
    return Proposed(targets, model, revisions=(_revision(before), until))


def require_sendable(named: Proposed, *, commented: bool, suggested: bool, dry_run: bool) -> None:
    """Where something is to be sent, there is a place for it. Raises RepairableError."""
    if dry_run and not (commented or suggested):
        raise contradiction("--dry-run prints what --comment or --suggest would send", "add one of them")
    for option, is_asked in (("--comment", commented), ("--suggest", suggested)):
        if is_asked and named.number is None:
            raise contradiction(f"{option} needs a pull request on the Hub", f"add --pr N, or drop {option}")


def change_of(named: Proposed, token: str | None) -> Change:
    """Both sides of it. Raises RepairableError."""
    if named.model is None:
        left, right = named.targets
        return Change(left, right)
    if named.number is not None:
        return pull_request(named.model, named.number, token)
    assert named.revisions is not None
    return revisions(named.model, *named.revisions, token)


def contradiction(message: str, hint: str) -> RepairableError:
    """The error of arguments that do not go together."""
    return RepairableError("contradiction", message, hint)


def _on_the_hub(argument: str) -> HubTarget:
    model = parse_hub_target(argument)
    if model is None:
        message = f"not a model on the Hub: {argument}"
        raise RepairableError("missing-change", message, "write org/model --pr N, or two targets to compare")
    if model.file is not None:
        message = f"a review of the Hub is about a whole model, not one file: {argument}"
        raise contradiction(message, f"write {model.repository}, or name the file on both sides: two targets")
    return model


def _number(argument: str, model: HubTarget, number: int | None) -> int | None:
    """The number of a pull request, by --pr or by the name of the model. Raises RepairableError."""
    named = PULL_REQUEST.fullmatch(model.revision or "")
    if number is None and named is not None:
        return int(named["number"])
    if number is not None and model.revision not in (None, f"refs/pr/{number}"):
        raise contradiction(f"--pr {number} and {argument} name different things", "drop one of the two")
    return number


def _revision(word: str) -> str:
    """A revision as the Hub takes it. Raises RepairableError."""
    if REVISION.fullmatch(word) is None:
        raise RepairableError(
            "bad-revision", f"no revision can have this name: {word}", "name a branch, a tag, a commit or pr/N"
        )
    return f"refs/{word}" if PULL_REQUEST.fullmatch(f"refs/{word}") else word
