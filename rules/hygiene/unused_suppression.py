from __future__ import annotations

from tpllint import Bad, Good, Rule, Severity


class UnusedSuppression(Rule):
    """A suppression comment suppresses nothing.

    ## What it does
    Speaks about every rule in a `{# tpllint: ignore[...] #}` comment that had nothing to say where the comment holds, about
    names that are no rule, about security rules, which no comment suppresses, and about comments that begin with `tpllint:`
    and are not understood. It says nothing of a rule that did not run or has no verdict, nor of templates on the Hub, whose
    comments do not count. [Configuration](../configuration.md) tells where a comment holds.

    ## Why is this bad
    The defect has been repaired or has moved. The comment stays and will hide the next one, or it never worked at all.

    ## References
    - [ruff: unused-noqa](https://docs.astral.sh/ruff/rules/unused-noqa/)
    """

    # The parent yields its findings (tpllint/suppression.py): only it knows which comments covered something.
    code = "TPL911"
    name = "unused-suppression"
    category = "hygiene"
    severity = Severity.WARNING
    static = True
    examples = (
        Bad(
            "{# tpllint: ignore[eos-duplicatd] the server cuts it off #}\n"
            "{% for m in messages %}<|{{ m.role }}|>{{ m.content }}<|end|>{% endfor %}",
            says='"eos-duplicatd" is no rule',
            better="{% for m in messages %}<|{{ m.role }}|>{{ m.content }}<|end|>{% endfor %}",
        ),
        Bad(
            "{# tpllint: ignore[resource-exhaustion] #}{{ messages[0].content }}",
            says='no comment suppresses "resource-exhaustion", which is about security',
        ),
        Bad(
            "{{ messages[0].content }}{#- tpllint: disable eos-duplicated -#}",
            says='"tpllint: disable eos-duplicated" is no suppression',
        ),
        Good("{# Written for tpllint: ignore[eos-duplicatd] is what a comment would say. #}{{ messages[0].content }}"),
        Good(
            "{{ '{# tpllint: ignore[nothing] #}' }}{% raw %}{# tpllint: ignore[nothing] #}{% endraw %}{{ messages[0].content }}"
        ),
        Good("{# tpllint: ignore[unused-suppression] #}{# tpllint: ignore[eos-duplicatd] #}{{ messages[0].content }}"),
    )
