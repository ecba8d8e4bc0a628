from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import ClassVar

from tpllint import Bad, Good, Problem, Rule, Severity, Template, generation_tags, sentinels


class NoGenerationMarkers(Rule):
    """The template marks nothing that the assistant wrote.

    ## What it does
    Looks for `{% generation %}` in a template that writes assistant turns. Very few published templates have it, since only
    training reads it: it is information, and a warning in the profile `training`, where somebody is about to use the mask.

    ## Why is this bad
    `apply_chat_template(..., return_assistant_tokens_mask=True)` returns a mask of zeros, with nothing but a line in the log.
    A training with `assistant_only_loss` learns nothing from it, and its loss looks healthy.

    ## References
    - [transformers issue 34172](https://github.com/huggingface/transformers/issues/34172)
    - [trl issue 4879](https://github.com/huggingface/trl/issues/4879)
    """

    code = "TPL601"
    name = "no-generation-markers"
    category = "training"
    severity = Severity.INFO
    only_infos = True
    raised_by: ClassVar[Mapping[str, Severity]] = {"training": Severity.WARNING}
    examples = (
        Bad(
            "{% for m in messages %}<|{{ m.role }}|>{{ m.content }}<|end|>{% endfor %}",
            says="no {% generation %} block marks what the assistant wrote: the assistant mask is empty",
            better="{% for m in messages %}<|{{ m.role }}|>{% if m.role == 'assistant' %}"
            "{% generation %}{{ m.content }}<|end|>{% endgeneration %}{% else %}{{ m.content }}<|end|>{% endif %}{% endfor %}",
        ),
        Good("{% for m in messages %}{% if m.role == 'user' %}{{ m.content }}{% endif %}{% endfor %}"),
    )

    def check_template(self, template: Template) -> Iterator[Problem]:
        if generation_tags(template):
            return
        render = template.render("user-assistant")
        answer = sentinels(template.conversation("user-assistant"))[1]
        if render.text is None or answer not in render.text:
            return
        yield Problem(
            "no {% generation %} block marks what the assistant wrote: the assistant mask is empty",
            help="put {% generation %} and {% endgeneration %} around what the model writes, its end of turn included",
            render=render,
            shows=answer,
        )
