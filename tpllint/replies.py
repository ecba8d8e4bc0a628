"""What a model wrote when it was asked through a template: plain data on its way from the model's process to the rules."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple


class Reply(NamedTuple):
    """What a model wrote to the prompt of one conversation, which is a user's own or a canonical one.

    `conversation` is its name. The prompt is what transformers makes of it: with the generation prompt or, where the last
    message is the assistant's, that message left open. `text` is decoded with special tokens shown, without the token it
    stopped at; that is `stop`, and None where it wrote as many tokens as it could. It wrote `tokens` of them, the one it
    stopped at included, of at most `limit`. `control` are the special tokens in the text, each once. The ids that
    `apply_chat_template(tokenize=True)` gives begin with `bos` beginnings of sequence; `encoded_otherwise` tells that they are
    not those of the prompt's text, encoded as transformers encodes it there: with no special token added.
    """

    conversation: str
    text: str
    stop: str | None
    tokens: int
    limit: int
    control: tuple[str, ...] = ()
    bos: int = 0
    encoded_otherwise: bool = False


class Fit(NamedTuple):
    """How well reference answers go with a template's prompts, in the eyes of the model.

    The mean negative log-likelihood of a token in nats, over the answers of so many `conversations`: under the template's `own`
    prompts, and under those of `mutants`, by what has been done to them, in words such as "without the generation prompt".
    """

    conversations: int
    own: float
    mutants: Mapping[str, float]


class Generated(NamedTuple):
    """All that a model said through one template; `fit` is None where nobody asked for it or no reference answer is known."""

    replies: tuple[Reply, ...]
    fit: Fit | None = None

    def as_json(self) -> dict[str, Any]:
        """The same as a part of a message."""
        return {"replies": [reply._asdict() for reply in self.replies], "fit": self.fit and self.fit._asdict()}


def generated_from_json(data: Mapping[str, Any]) -> Generated:
    """The inverse of `Generated.as_json`."""
    replies = tuple(Reply(**{**item, "control": tuple(item["control"])}) for item in data["replies"])
    return Generated(replies, data["fit"] and Fit(**data["fit"]))
