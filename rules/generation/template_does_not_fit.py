from __future__ import annotations

from collections.abc import Iterator

from tpllint import Bad, Fit, Good, Problem, Rule, Severity, Template

TEMPLATE = (
    "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
CLEAR_NATS, CLEAR_SHARE = 0.5, 0.7
"""Another prompt is clearly better by so many nats per token, and at no more than this share: less is what one word makes."""
FAR_NATS, FAR_SHARE = 1.0, 0.3
"""By far: the reference answers are at least so much likelier, and each token costs no more than that share."""
KNOWN_NATS = 1.5
"""What a model expects costs less: where no prompt brings the answers about, none of them is the format of the model."""
FEWEST = 3
"""Conversations that an error takes, and a warning more than information."""


class TemplateDoesNotFit(Rule):
    """The model knows a mutation of the template better than the template.

    ## What it does
    Compares how likely the model finds reference answers under the prompts of the template, and under the same prompts after
    something was done to them: the generation prompt taken away, a line end moved, a role renamed, the messages written in a
    format that many models share. It is reported where one of those costs at least 0.5 nats per token less, at most seven
    tenths of what the template costs, and less than 1.5: the choice of another word in one answer makes less, and a model that
    expects the answers under no prompt tells nothing. It is an error where it costs at least one nat less, and at most three
    tenths; but of fewer than three conversations no more than information.

    ## Why is this bad
    A model finds its own format likelier than any other. Where it does not, the template is not that format, and answers are
    worse without anybody noticing: a line end that is missing can leave every short answer right.

    ## References
    - [transformers: chat templates](https://huggingface.co/docs/transformers/chat_templating)
    """

    code = "TPL961"
    name = "template-does-not-fit"
    category = "generation"
    severity = Severity.WARNING
    judges_replies = True
    examples = (
        Bad(
            TEMPLATE,
            fit=Fit(6, 7.3, {"without the generation prompt": 8.1, "with a line end after the generation prompt": 0.001}),
            says="reference answers cost 7.300 nats per token, and 0.001 with a line end after the generation prompt "
            "(6 conversations)",
        ),
        Bad(
            TEMPLATE,
            fit=Fit(6, 1.1, {"without the generation prompt": 0.5}),
            says="reference answers cost 1.100 nats per token, and 0.500 without the generation prompt (6 conversations)",
        ),
        Good(TEMPLATE, fit=Fit(6, 0.001, {"without the generation prompt": 5.2})),
        Good(TEMPLATE, fit=Fit(6, 0.15, {"without the generation prompt": 0.06})),
        Good(TEMPLATE, fit=Fit(6, 2.4, {"without the generation prompt": 2.25})),
        Good(TEMPLATE, fit=Fit(6, 9.2, {"without the generation prompt": 5.9})),
    )

    def check_template(self, template: Template) -> Iterator[Problem]:
        fit = template.completions.fit
        if fit is None or not fit.mutants:
            return
        name, best = min(fit.mutants.items(), key=lambda item: item[1])
        if fit.own - best < CLEAR_NATS or best > CLEAR_SHARE * fit.own or best > KNOWN_NATS:
            return
        yield Problem(
            f"reference answers cost {fit.own:.3f} nats per token, and {best:.3f} {name} ({fit.conversations} conversations)",
            help="look whether the template is to write what the mutation writes",
            severity=_severity(fit, best),
            render=template.render("user", generation_prompt=True),
        )


def _severity(fit: Fit, best: float) -> Severity:
    if fit.conversations < FEWEST:
        return Severity.INFO
    by_far = fit.own - best >= FAR_NATS and best <= FAR_SHARE * fit.own
    return Severity.ERROR if by_far else Severity.WARNING
