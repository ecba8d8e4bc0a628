from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any, ClassVar, NamedTuple

from tpllint import BARE_MARKER, Bad, Conversation, Good, Problem, Render, Rule, Severity, Template, canonical, listed, quoted

TEXT = "user-parts"
ONE = "image-and-text"
PLACES = {
    "text-and-image": ("{} behind the text of a message", 1),
    "two-images": ("the second of two {}", 2),
    "image-in-history": ("{} in an earlier message", 1),
}
"""Each with what it shows and with how many images it has."""


class Kind(NamedTuple):
    """A kind of media: its name for one and for several, and the part of OpenAI's clients for it, where they have one."""

    name: str
    one: str
    several: str
    mark: str
    other: Mapping[str, Any] | None = None

    def is_named(self, value: Any) -> bool:
        """Whether a literal of the template asks for it."""
        known = (self.name, f"{self.name}_url", f"input_{self.name}")
        return isinstance(value, str) and value.strip().casefold() in known


KINDS = (
    Kind("image", "an image", "images", "im", {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}),
    Kind("video", "a video", "videos", "vid"),
    Kind(
        "audio", "an audio clip", "audio clips", "au", {"type": "input_audio", "input_audio": {"data": "AAAA", "format": "wav"}}
    ),
)


class MediaPlaceholderMissing(Rule):
    """An image, a video or an audio clip leaves no placeholder in the prompt.

    ## What it does
    Learns from a message with an image which markers an image leaves in the prompt, and counts them where an image stands
    behind the text, where two images stand in a message, and where one stands in an earlier message. Fewer than there are
    images is an error. That images in OpenAI's form, `{"type": "image_url", ...}`, leave none where `{"type": "image"}` does is
    information: several servers rewrite them first. A warning where a template asks for images by name and no image leaves
    anything. The same for videos and for audio clips, whose form is `{"type": "input_audio", ...}` at OpenAI's.

    Of a kind that a template never names nothing is said, nor where the prompt fails.

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
        Bad(
            "{% for m in messages %}<|{{ m.role }}|>{% if m.content is string %}{{ m.content }}{% else %}"
            "{% if m.content | selectattr('type', 'in', ['audio', 'input_audio']) | list %}<audio>{% endif %}"
            "{% for part in m.content %}{{ part.text }}{% endfor %}{% endif %}<|end|>{% endfor %}",
            says='the second of two audio clips leaves no "<audio>" in the prompt',
            better="{% for m in messages %}<|{{ m.role }}|>{% if m.content is string %}{{ m.content }}{% else %}"
            "{% for part in m.content %}{{ '<audio>' if part.type in ['audio', 'input_audio'] else part.text }}{% endfor %}"
            "{% endif %}<|end|>{% endfor %}",
        ),
        Bad(
            "{% for m in messages %}<|{{ m.role }}|>{% if m.content is string %}{{ m.content }}{% else %}"
            "{% for part in m.content %}{{ '' if part.type == 'video' else part.text }}{% endfor %}{% endif %}<|end|>"
            "{% endfor %}",
            says="a video leaves nothing in the prompt, although the template asks for videos",
            better="{% for m in messages %}<|{{ m.role }}|>{% if m.content is string %}{{ m.content }}{% else %}"
            "{% for part in m.content %}{{ '<video>' if part.type == 'video' else part.text }}{% endfor %}{% endif %}<|end|>"
            "{% endfor %}",
        ),
        Good(
            "{% set ns = namespace(n=0) %}{% for m in messages %}<|{{ m.role }}|>{% if m.content is string %}{{ m.content }}"
            "{% else %}{% for part in m.content %}{% if part.type in ['image', 'image_url'] %}{% set ns.n = ns.n + 1 %}"
            "<image_{{ ns.n }}>{% else %}{{ part.text }}{% endif %}{% endfor %}{% endif %}<|end|>{% endfor %}"
        ),
        Good(
            "{% for m in messages %}<|{{ m.role }}|>{% if m.content is string %}{{ m.content }}{% else %}"
            "{% for part in m.content %}{{ part.text }}{% endfor %}{% endif %}<|end|>{% endfor %}"
        ),
    )

    def check_template(self, template: Template) -> Iterator[Problem]:
        literals = [node.value for node in template.syntax.find("Const")] if template.syntax else []
        plain = template.render(TEXT)
        for kind in KINDS:
            if plain.text is not None and any(map(kind.is_named, literals)):
                yield from _missing(template, kind, plain)


def _missing(template: Template, kind: Kind, plain: Render) -> Iterator[Problem]:
    one = _render(template, kind, ONE)
    if one.text is None:
        return
    if one.text == plain.text:
        yield from _nothing_at_all(template, kind, one)
        return
    left = _markers(one) - _markers(plain)
    if left:
        lost = quoted(_main(one, left, kind))
        yield from _too_few(template, kind, left, lost)
        yield from _other_form(template, kind, left, lost)


def _render(template: Template, kind: Kind, name: str) -> Render:
    """A conversation with images, these being of another kind."""
    if kind.name == "image":
        return template.render(name)
    return template.render_conversation(_with(canonical()[name], kind.name, {"type": kind.name}))


def _with(conversation: Conversation, kind: str, medium: Mapping[str, Any]) -> Conversation:
    messages = [{**message, "content": _exchanged(message["content"], medium)} for message in conversation.messages]
    return replace(conversation, name=conversation.name.replace("image", kind), messages=messages)


def _exchanged(content: Any, medium: Mapping[str, Any]) -> Any:
    return [medium if part["type"] == "image" else part for part in content] if isinstance(content, list) else content


def _in_other_form(template: Template, kind: Kind) -> Render | None:
    if kind.name == "image":
        return template.render("image-url")
    if kind.other is None:
        return None
    return template.render_conversation(_with(canonical()[ONE], kind.other["type"], kind.other))


def _nothing_at_all(template: Template, kind: Kind, render: Render) -> Iterator[Problem]:
    others = [_render(template, kind, name) for name in ("text-and-image", "two-images")]
    if (other := _in_other_form(template, kind)) is not None:
        others.append(other)
    if all(other.text == render.text for other in others):
        yield Problem(
            f"{kind.one} leaves nothing in the prompt, although the template asks for {kind.several}",
            help=f"write the placeholder that the processor looks for, once for each {kind.name}",
            severity=Severity.WARNING,
            render=render,
        )


def _too_few(template: Template, kind: Kind, left: Counter[str], lost: str) -> Iterator[Problem]:
    """Where there are more images than placeholders."""
    every = {name: _render(template, kind, name) for name in PLACES}
    lacking = {name: render for name, render in every.items() if _lacks(render, left, PLACES[name][1])}
    if lacking:
        places = (PLACES[name][0].format(kind.several if name == "two-images" else kind.one) for name in lacking)
        yield Problem(
            f"{listed(list(places))} {'leaves' if len(lacking) == 1 else 'leave'} no {lost} in the prompt",
            help=f"write the placeholder once for each {kind.name}, wherever it stands",
            render=next(iter(lacking.values())),
        )


def _other_form(template: Template, kind: Kind, left: Counter[str], lost: str) -> Iterator[Problem]:
    render = _in_other_form(template, kind)
    if render is not None and kind.other is not None and _lacks(render, left, 1):
        other = kind.other["type"]
        yield Problem(
            f'{kind.one} in OpenAI\'s form, "{other}", leaves no {lost} in the prompt',
            help=f"ask for both: part.type in ['{kind.name}', '{other}']",
            severity=Severity.INFO,
            render=render,
        )


def _main(render: Render, left: Counter[str], kind: Kind) -> str:
    """The marker that most likely stands for the image itself."""
    written: list[str] = [marker for marker in BARE_MARKER.findall(render.text or "") if _numberless(marker) in left]
    return next((marker for marker in written if kind.mark in marker.casefold()), written[0])


def _lacks(render: Render, left: Counter[str], count: int) -> bool:
    """Whether a prompt has fewer of every marker than so many images leave."""
    if render.text is None:
        return False
    found = _markers(render)
    return all(found[marker] < count * each for marker, each in left.items())


def _markers(render: Render) -> Counter[str]:
    return Counter(map(_numberless, BARE_MARKER.findall(render.text or "")))


def _numberless(marker: str) -> str:
    """A marker without its numbers, which may count the images."""
    return re.sub(r"\d+", "", marker)
