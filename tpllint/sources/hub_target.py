"""How a model on the Hub is named on the command line: `org/model`, `org/model@revision`, `org/model@pr/3`, `hf:name`, URLs."""

from __future__ import annotations

import re
from typing import NamedTuple

DEFAULT_REVISION = "main"

_NAME = r"[A-Za-z0-9_][A-Za-z0-9._-]{0,95}"
_REVISION = r"[A-Za-z0-9_][A-Za-z0-9._+-]{0,99}(?:/[A-Za-z0-9_][A-Za-z0-9._+-]{0,99}){0,7}"
_FILE = r"[A-Za-z0-9_][A-Za-z0-9_.+=() -]{0,119}(?:/[A-Za-z0-9_][A-Za-z0-9_.+=() -]{0,119}){0,7}"

HUB_ID = re.compile(rf"(?P<prefix>hf:)?(?P<repository>(?:{_NAME}/)?{_NAME})(?:@(?P<revision>{_REVISION}))?")
"""The form of a model on the Hub; `parse_hub_target` also decides whether it is meant."""

REVISION = re.compile(_REVISION)
PLAIN_FILE = re.compile(rf"(?=.{{1,300}}\Z){_FILE}")
"""The names of files in a repository that are taken from a server: nothing that leads elsewhere or needs care to print."""

COMMIT = re.compile(r"[0-9a-f]{40}")

_FILE_ENDINGS = (".jinja", ".json", ".gguf")
_PULL_REQUEST = re.compile(r"pr/[0-9]{1,9}")


class HubTarget(NamedTuple):
    """A model on the Hub; `revision` is a branch, tag, commit or ref such as `refs/pr/3`, None for the main branch.

    `file` is the one file of it that the user pointed at, by its path in the repository; None for the whole model.
    """

    repository: str
    revision: str | None
    file: str | None = None


def parse_hub_target(argument: str) -> HubTarget | None:
    """The model on the Hub that `argument` has the form of, or None; whether a path of that name exists comes first.

    Raises RepairableError for a URL that names no model.
    """
    from tpllint.sources.hub_url import is_url, parse_hub_url

    if is_url(argument):
        return parse_hub_url(argument)
    match = HUB_ID.fullmatch(argument)
    if match is None:
        return None
    repository, revision = match["repository"], match["revision"]
    # A mistyped path to a file must be told as such and not turn into a request.
    if not match["prefix"] and ("/" not in repository or repository.endswith(_FILE_ENDINGS)):
        return None
    if revision is not None and _PULL_REQUEST.fullmatch(revision):
        revision = f"refs/{revision}"
    return HubTarget(repository, revision)
