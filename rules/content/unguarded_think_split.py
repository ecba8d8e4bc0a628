from __future__ import annotations

from collections.abc import Iterator

from tpllint import ANSWER, THOUGHT, Bad, Good, Problem, Rule, Severity, Template, quoted


class UnguardedThinkSplit(Rule):
    """A lone closing think tag in an answer cuts off what stands before it.

    ## What it does
    Takes the markers in the source that answers are cut at, whatever they are called, and renders an answer with words, one
    such marker, and more words: as the last message, and as an earlier one. It is reported where the words before the marker
    are lost. Where the generation prompt opens reasoning, a completion holds nothing but the end of it, and cutting there is
    right: then it is information, as it is where only earlier answers are cut, or reasoning is always cut off.

    ## Why is this bad
    An answer that mentions the tag, in a documentation or in code, loses everything before it, and so does one whose opening
    tag was lost on the way.

    ## References
    - [trl pull request 6363](https://github.com/huggingface/trl/pull/6363)
    """

    code = "TPL310"
    name = "unguarded-think-split"
    category = "content"
    severity = Severity.WARNING
    examples = (
        Bad(
            "{% for m in messages %}<|{{ m.role }}|>{% if '</think>' in m.content %}<think>"
            "{{ m.content.split('</think>')[0].partition('<think>')[2] }}</think>{{ m.content.split('</think>')[-1] }}"
            "{% else %}{{ m.content }}{% endif %}<|end|>{% endfor %}",
            says='a lone "</think>" in an answer cuts off what stands before it: "thought-russet" is lost',
            better="{% for m in messages %}<|{{ m.role }}|>{% if '<think>' in m.content and '</think>' in m.content %}<think>"
            "{{ m.content.split('</think>')[0].partition('<think>')[2] }}</think>{{ m.content.split('</think>')[-1] }}"
            "{% else %}{{ m.content }}{% endif %}<|end|>{% endfor %}",
        ),
        Bad(
            "{% for m in messages %}<|{{ m.role }}|>{{ m.content.split('</think>')[-1] }}<|end|>{% endfor %}",
            says='a lone "</think>" in an answer cuts off what stands before it: "thought-russet" is lost',
            better="{% for m in messages %}<|{{ m.role }}|>{% if '<think>' in m.content %}{{ m.content.split('</think>')[-1] }}"
            "{% else %}{{ m.content }}{% endif %}<|end|>{% endfor %}",
        ),
        Good("{% for m in messages %}<|{{ m.role }}|>{{ m.content.split('<|end|>')[0] }}<|end|>{% endfor %}"),
    )

    def check_template(self, template: Template) -> Iterator[Problem]:
        reasoning = template.reasoning
        for closer in reasoning.cut_at:
            last, old = (reasoning.render_with_lone(closer, count) for count in (2, 3))
            lost = [one for one in (last, old) if one.text is not None and ANSWER in one.text and THOUGHT not in one.text]
            if lost:
                whole = reasoning.render("think-tags-last").text or ""
                by_design = reasoning.opening_state is not None or last not in lost or THOUGHT not in whole
                yield Problem(
                    f"a lone {quoted(closer)} in an answer cuts off what stands before it: {quoted(THOUGHT)} is lost",
                    help="take an answer apart only where it holds the opening tag, too",
                    severity=Severity.INFO if by_design else None,
                    render=lost[0],
                    shows=ANSWER,
                )
                return
