"""What started a Job of the Hub: the webhook's payload in its environment."""

from __future__ import annotations

import os
from collections.abc import Sequence

import click

from tpllint.errors import RepairableError
from tpllint.report.escape import escape

PAYLOAD = "WEBHOOK_PAYLOAD"
LONGEST_REASON = 200


def told_by_webhook(
    targets: Sequence[str], number: int | None, before: str | None, after: str | None
) -> tuple[tuple[str], int] | None:
    """The target and the number of the pull request to review; None, and a line that says why, where there is none.

    Raises RepairableError.
    """
    from tpllint.webhook import Ignored, parse

    if targets or number or before or after:
        message = "--webhook-payload names the pull request itself"
        raise RepairableError("contradiction", message, "drop it, or the targets with --pr, --from and --to")
    payload = os.environ.get(PAYLOAD)
    if not payload:
        hint = "run it in a Job that a webhook of the Hub starts, or name org/model --pr N"
        raise RepairableError("missing-payload", f"there is no {PAYLOAD} in the environment", hint)
    told = parse(payload)
    if isinstance(told, Ignored):
        click.echo(f"nothing to review: {escape(told.reason, LONGEST_REASON)}", err=True)
        return None
    if len(told.numbers) > 1:
        numbers = ", ".join(map(str, told.numbers))
        message = f"several pull requests have changed at once: {numbers}"
        raise RepairableError("several-pull-requests", message, "review each with --pr N")
    return (f"hf:{told.repository}",), told.numbers[0]
