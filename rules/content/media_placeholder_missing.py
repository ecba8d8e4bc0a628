from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

from tpllint import BARE_MARKER, Bad, Good, Problem, Render, Rule, Severity, Template, listed, quoted

TEXT = "user-parts"
PLACES = {
    "text-and-image": ("an image behind the text of a message", 1),
    "two-images": ("the second of two images", 2),
    "image-in-history": ("an image in an earlier message", 1),
}
"""Each with what it shows and with how many images it has."""


class MediaPlaceholderMissing(Rule):
    """An image leaves no placeholder in the prompt.

    ## What it does
    Learns from a message with an image which markers an image leaves in the prompt, and counts them where an image stands
    behind the text, where two images stand in a message, and where one stands in an earlier message. Fewer than there are
    images is an error. That images in OpenAI's form, `{"type": "image_url", ...}`, leave none where `{"type": "image"}` does is
    information: several servers rewrite them first. A warning where a template asks for images by name and no image leaves
    anything.

    Of a template that never names images nothing is said, nor where the prompt fails.

    ## Why is this bad
    The processor puts the image's features where the placeholders are. With too few it raises or leaves the image out, and the
    model answers as if nothing was attached.

    ## References
    - [transformers: multimodal chat templates](https://huggingface.co/docs/transformers/chat_templating_multimodal)
    - [vllm pull request 12740](https://github.com/vllm-project/vllm/pull/12740)
    """

    code = "TPL313"
    name = "media-placeholder-missing"
    category = "content"
    severity = Severity.ERROR
    raised_by: ClassVar[Mapping[str, Severity]] = {"agent": Severity.WARNING}
    examples = (
        Bad(
            "{% for m in messages %}<|{{ m.role }}|>{% if m.content is string %}{{ m.content }}{% else %}"
            "{% if m.content[0].type in ['image', 'image_url'] %}<image>{% endif %}{% for part in m.content %}{{ part.text }}"
            "{% endfor %}{% endif %}<|end|>{% endfor %}",
            says='an image behind the text of a message and the second of two images leave no "<image>" in the prompt',
            better="{% for m in messages %}<|{{ m.role }}|>{% if m.content is string %}{{ m.content }}{% else %}"
            "{% for part in m.content %}{{ '<image>' if part.type in ['image', 'image_url'] else part.text }}{% endfor %}"
            "{% endif %}<|end|>{% endfor %}",
        ),
        Bad(
            "{% for m in messages %}<|{{ m.role }}|>{% if m.content is string %}{{ m.content }}{% else %}"
            "{% for part in m.content %}{{ '<image>' if part.type == 'image' else part.text }}{% endfor %}{% endif %}<|end|>"
            "{% endfor %}",
            says='an image in OpenAI\'s form, "image_url", leaves no "<image>" in the prompt',
            better="{% for m in messages %}<|{{ m.role }}|>{% if m.content is string %}{{ m.content }}{% else %}"
            "{% for part in m.content %}{{ '<image>' if part.type in ['image', 'image_url'] else part.text }}{% endfor %}"
            "{% endif %}<|end|>{% endfor %}",
        ),
        Good(
            "{% for m in messages %}<|{{ m.role }}|>{% if m.content is string %}{{ m.content }}{% else %}"
            "{% for part in m.content %}{{ part.text }}{% endfor %}{% endif %}<|end|>{% endfor %}"
        ),
    )

    def check_template(self, template: Template) -> Iterator[Problem]:
        if template.syntax is None or not any(_names_images(node.value) for node in template.syntax.find("Const")):
            return
        plain, one = template.render(TEXT), template.render("image-and-text")
        if plain.text is None or one.text is None:
            return
        if one.text == plain.text:
            yield from _nothing_at_all(template, one)
            return
        left = _markers(one) - _markers(plain)
        if left:
            yield from _too_few(template, left)
            yield from _other_form(template, left)


def _names_images(value: Any) -> bool:
    return isinstance(value, str) and value.strip().casefold() in ("image", "image_url")


def _nothing_at_all(template: Template, render: Render) -> Iterator[Problem]:
    plain = template.render(TEXT).text
    if all(template.render(name).text == plain for name in ("text-and-image", "two-images", "image-url")):
        yield Problem(
            "an image leaves nothing in the prompt, although the template asks for images",
            help="write the placeholder that the processor looks for, once for each image",
            severity=Severity.WARNING,
            render=render,
        )


def _too_few(template: Template, left: Counter[str]) -> Iterator[Problem]:
    """Where there are more images than placeholders."""
    lacking = {name: render for name in PLACES if _lacks(render := template.render(name), left, PLACES[name][1])}
    if lacking:
        yield Problem(
            f"{listed([PLACES[name][0] for name in lacking])} {'leaves' if len(lacking) == 1 else 'leave'} no "
            f"{quoted(_main(left))} in the prompt",
            help="write the placeholder once for each image, wherever it stands",
            render=next(iter(lacking.values())),
        )


def _other_form(template: Template, left: Counter[str]) -> Iterator[Problem]:
    render = template.render("image-url")
    if _lacks(render, left, 1):
        yield Problem(
            f'an image in OpenAI\'s form, "image_url", leaves no {quoted(_main(left))} in the prompt',
            help="ask for both: part.type in ['image', 'image_url']",
            severity=Severity.INFO,
            render=render,
        )


def _main(left: Counter[str]) -> str:
    """The marker that most likely stands for the image itself."""
    return next((marker for marker in left if "im" in marker.casefold()), next(iter(left)))


def _lacks(render: Render, left: Counter[str], images: int) -> bool:
    """Whether a prompt has fewer of every marker than so many images leave."""
    if render.text is None:
        return False
    found = _markers(render)
    return all(found[marker] < images * count for marker, count in left.items())


def _markers(render: Render) -> Counter[str]:
    return Counter(BARE_MARKER.findall(render.text or ""))
