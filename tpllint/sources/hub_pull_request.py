"""The door to what a pull request on the Hub changes: the model as it was where it branched off, and as it proposes it."""

from __future__ import annotations

from typing import NamedTuple

from tpllint.sources.files import ModelFiles
from tpllint.sources.hub import fetch, tip
from tpllint.sources.hub_discussions import BaseOf, Discussion, base_commit, discussion, number_ref
from tpllint.sources.hub_failures import failure
from tpllint.sources.hub_target import HubTarget


class PullRequest(NamedTuple):
    """A pull request, and both sides of it: nothing that others have changed since on its branch stands between them."""

    discussion: Discussion
    base: BaseOf
    before: ModelFiles
    after: ModelFiles


def open_pull_request(target: HubTarget, number: int, *, token: str | None = None) -> PullRequest:
    """Both sides of a pull request. Every failure is a RepairableError.

    Four requests where its branch has not moved since, at most six more where it has, and one for each file of each side.
    """
    found = discussion(target, number, token)
    if found.base is None:
        raise failure("no-such-pull-request", target._replace(revision=number_ref(number)))
    last = tip(target._replace(revision=found.base, file=None), token=token)
    base = base_commit(target, number, found.base, token, tip=last)
    after = open_revision(target, number_ref(number), shown=f"pr/{number}", token=token)
    return PullRequest(found, base, open_revision(target, base.commit, token=token), after)


def open_revision(target: HubTarget, revision: str, *, shown: str | None = None, token: str | None = None) -> ModelFiles:
    """The files of a model at a revision, past the cache. Every failure is a RepairableError."""
    name = f"{target.repository}@{shown or revision}"
    return fetch(name, target._replace(revision=revision, file=None), token=token, kept=False)
