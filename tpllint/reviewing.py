"""The verb `review`: a proposed change in, what it does to callers and to findings out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from tpllint.difference.review import Proposal, Review, told
from tpllint.diffing import Wanted, compared, examined_sides, side, told_apart, with_tokens
from tpllint.errors import RepairableError
from tpllint.fixing import Fixed, fixes
from tpllint.pool import Pool
from tpllint.sources.files import ModelFiles
from tpllint.sources.hub_discussions import Discussion, Posted, Proposed, propose, put_comment, require_open, writer
from tpllint.sources.hub_pull_request import open_pull_request, open_revision
from tpllint.sources.hub_target import HubTarget
from tpllint.targets import Argument

MARKER = "<!-- tpllint-review -->"
"""What tells a comment of a review from others; nobody sees it."""
SUGGESTION = "<!-- tpllint-suggestion -->"
TITLE = "Repair the chat template"


class Change(NamedTuple):
    """What is to be reviewed: two sides, and the pull request that they come from; `target` is its model on the Hub."""

    left: Argument
    right: Argument
    proposal: Proposal | None = None
    target: HubTarget | None = None
    discussion: Discussion | None = None
    base: str | None = None


def pull_request(target: HubTarget, number: int, token: str | None) -> Change:
    """What a pull request on the Hub changes. Raises RepairableError."""
    opened = open_pull_request(target, number, token=token)
    found = opened.discussion
    proposal = Proposal(found.repository, number, found.title, found.status, opened.base.is_exact)
    return Change(opened.before, opened.after, proposal, target, found, found.base)


def revisions(target: HubTarget, before: str, after: str, token: str | None) -> Change:
    """What lies between two revisions of a model on the Hub. Raises RepairableError."""
    left, right = (open_revision(target, revision, token=token) for revision in (before, after))
    return Change(left, right, target=target)


def review(change: Change, pool: Pool, wanted: Wanted) -> Review:
    """Check both sides and compare them. Raises RepairableError where one of them cannot be had.

    Where they cannot be compared, the findings are told all the same.
    """
    wanted = told_apart(wanted)
    targets = with_tokens([side(argument, wanted.check.request) for argument in (change.left, change.right)])
    found = examined_sides(targets, pool, wanted.check)
    before, after = found.report.by_target()
    names = [target.argument for target in targets]
    try:
        diff = compared(targets, found, pool, wanted)
    except RepairableError as error:
        return Review(names[0], names[1], before, after, None, told(error), change.proposal)
    return Review(names[0], names[1], before, after, diff, proposal=change.proposal)


def sender(change: Change, token: str | None, *, comments: bool, suggests: bool) -> str:
    """The name of whoever is to send what a review finds; asked before there is one. One request.

    Raises RepairableError where it is known already that nothing can be sent.
    """
    assert change.target is not None
    assert change.discussion is not None
    if comments:
        require_open(change.target, change.discussion)
    if suggests and change.proposal is not None and not change.proposal.is_exact:
        message = f"where pull request {change.proposal.number} branched off was not found, so nothing can be put on top of it"
        raise RepairableError("unknown-base", message, "bring it up to date with its branch, or fix a copy on this machine")
    return writer(change.target, token)


def comment(change: Change, user: str, body: str, token: str | None) -> Posted:
    """Let the body stand in the discussion of a pull request, in place of what an earlier review of this user has said there.

    Raises RepairableError.
    """
    assert change.target is not None
    assert change.discussion is not None
    return put_comment(change.target, change.discussion, user, MARKER, body, token)


def suggestion(change: Change, pool: Pool, wanted: Wanted) -> Fixed:
    """The fixes of what the right side has. Raises RepairableError."""
    return fixes(change.right, pool, wanted.check)


def suggest(change: Change, user: str, fixed: Fixed, token: str | None) -> Proposed | None:
    """Open a pull request with what another makes of the files that tpllint reads, and the fixes. Raises RepairableError.

    It is made of the commit that the other one branched off: what that proposes beside these files stays there alone. None
    where the fixes make these files what they are in that commit.
    """
    assert change.target is not None
    assert isinstance(change.left, ModelFiles)
    assert isinstance(change.right, ModelFiles)
    assert change.left.commit is not None
    changes = list(changed_files(change.left, change.right, fixed).items())
    if not changes:
        return None
    marker = SUGGESTION if change.proposal is None else SUGGESTION.replace(" -->", f" {change.proposal.number} -->")
    target = change.target._replace(revision=change.base)
    description = description_of(fixed, change.proposal, marker)
    return propose(target, change.left.commit, changes, TITLE, description, token, user=user, marker=marker)


def changed_files(left: ModelFiles, right: ModelFiles, fixed: Fixed) -> dict[str, bytes | None]:
    """What becomes of each file that is not what it was on the left; None where it is deleted.

    What is only not read on the right, for it is too large, is left alone.
    """
    after: dict[str, bytes | None] = {name: None for name in left.files if name not in right.listing}
    after |= {name: file.data for name, file in right.files.items()}
    after |= {change.name: change.after for change in fixed.changes}
    before = {name: file.data for name, file in left.files.items()}
    there = frozenset((*left.files, *left.listing))
    return {name: data for name, data in after.items() if before.get(name) != data and (data is not None or name in there)}


def description_of(fixed: Fixed, proposal: Proposal | None, marker: str) -> str:
    """What the pull request says of itself, in words of our own: names of rules and nothing of a stranger's."""
    lines = [f"- `{finding.rule}`" for finding in fixed.applied]
    about = "" if proposal is None else f" on top of pull request {proposal.number}"
    return "\n".join([marker, f"Fixes{about}; every other prompt stays the same:", "", *_distinct(lines)])


def _distinct(lines: Sequence[str]) -> list[str]:
    return list(dict.fromkeys(lines))
