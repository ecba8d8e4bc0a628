from __future__ import annotations

from collections.abc import Iterator

from tpllint import Bad, Good, Problem, Render, Rule, Severity, Template, fails_alike, quoted


class MediaWithSystemRejected(Rule):
    """A system message beside an image makes the template fail, although it takes each alone.

    ## What it does
    Renders an image with text, a system message with text, and all of them together. Where the two alone render and the four of
    them fail, whether the system message is text or a list of parts, that is reported.

    ## Why is this bad
    Most clients always send a system message. Their first image is answered with an error.

    ## References
    - [vllm issue 8854](https://github.com/vllm-project/vllm/issues/8854)
    - [vllm issue 10901](https://github.com/vllm-project/vllm/pull/10901)
    """

    code = "TPL318"
    name = "media-with-system-rejected"
    category = "content"
    severity = Severity.WARNING
    examples = (
        Bad(
            "{% set ns = namespace(image=false) %}{% for m in messages if m.content is not string %}{% for part in m.content %}"
            "{% if part.type == 'image' %}"
            "{% set ns.image = true %}{% endif %}{% endfor %}"
            "{% endfor %}{% if ns.image and messages[0].role == 'system' %}"
            "{{ raise_exception('no system message with images') }}{% endif %}"
            "{% for m in messages %}<|{{ m.role }}|>{% if m.content is string %}{{ m.content }}{% else %}"
            "{% for part in m.content %}{{ '<image>' if part.type == 'image' else part.text }}{% endfor %}{% endif %}<|end|>"
            "{% endfor %}",
            says='a system message and an image together make the template fail: "no system message with images"',
            better="{% for m in messages %}<|{{ m.role }}|>{% if m.content is string %}{{ m.content }}{% else %}"
            "{% for part in m.content %}{{ '<image>' if part.type == 'image' else part.text }}{% endfor %}{% endif %}<|end|>"
            "{% endfor %}",
        ),
        Good(
            "{% set system = messages[0].content if messages[0].role == 'system' else '' %}{% for m in messages %}"
            "{{ system + m.content if system else m.content }}{% endfor %}"
        ),
        Good(
            "{% for m in messages %}{% if m.role == 'system' %}{{ raise_exception('no system message') }}{% endif %}"
            "<|{{ m.role }}|>{% if m.content is string %}{{ m.content }}{% else %}{% for part in m.content %}"
            "{{ '<image>' if part.type == 'image' else part.text }}{% endfor %}{% endif %}<|end|>{% endfor %}"
        ),
    )

    def check_template(self, template: Template) -> Iterator[Problem]:
        if "image" not in template.text or template.render("image-and-text").text is None:
            return
        failed = template.render("image-with-system")
        error = failed.error
        if error is None or failed.limited or _in_parts(template).text is not None:
            return
        if template.render("system-user").text is not None or template.render("system-parts").text is not None:
            yield Problem(
                f"a system message and an image together make the template fail: {quoted(error.message)}",
                help="render the system message in a chat with images too",
                render=failed,
                holds=fails_alike(failed),
            )


def _in_parts(template: Template) -> Render:
    """The same with the system message as a list of parts."""
    return template.render_conversation(template.conversation("image-with-system").in_parts())
