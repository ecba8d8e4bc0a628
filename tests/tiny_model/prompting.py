"""How a conversation reads through the right template, and through wrong ones."""

from __future__ import annotations

import re
import string
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from tests.tiny_model.vocabulary import BOS, EOS, OPENER

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from random import Random

    from transformers import PreTrainedTokenizerFast

    from tests.tiny_model.tasks import Conversation, Message

    Prompt = Callable[[PreTrainedTokenizerFast, Conversation], str]

TURN_END, GENERATION_PROMPT = f"{EOS}\n", f"{OPENER}assistant\n"
ROLE_LINE = re.compile(r"(<\|im_start\|>\w+\n)")


def right(tokenizer: PreTrainedTokenizerFast, made: Conversation) -> str:
    """The prompt of the model's own template."""
    render: Any = tokenizer.apply_chat_template
    text: str = render(
        list(made.messages), made.tools, add_generation_prompt=True, tokenize=False, enable_thinking=made.thinking
    )
    return text


def rewritten(change: Callable[[str], str]) -> Prompt:
    """The right prompt with another text."""
    return lambda tokenizer, made: change(right(tokenizer, made))


def forgetting(change: Callable[[Conversation], Conversation]) -> Prompt:
    """The right prompt of less."""
    return lambda tokenizer, made: right(tokenizer, change(made))


def foreign(write: Callable[[Message], str], bos: str = BOS, prompt: str = "") -> Prompt:
    """A prompt in the format of other models."""
    return lambda _, made: bos + "".join(map(write, made.messages)) + prompt


def _last_message(made: Conversation) -> Conversation:
    kept = [message for message in made.messages[:-1] if message["role"] == "system"]
    return replace(made, messages=[*kept, made.messages[-1]])


def _without_system(made: Conversation) -> Conversation:
    return replace(made, messages=[message for message in made.messages if message["role"] != "system"])


def _zephyr(message: Message) -> str:
    return f"<|{message['role']}|>\n{message['content']}</s>\n"


def _llama2(message: Message) -> str:
    if message["role"] == "assistant":
        return f" {message['content']} </s>"
    return f"[INST] {message['content']} [/INST]"


def _llama3(message: Message) -> str:
    return f"<|start_header_id|>{message['role']}<|end_header_id|>\n\n{message['content']}<|eot_id|>"


def _plain(message: Message) -> str:
    return f"{message['role'].capitalize()}: {message['content']}\n"


def joined(text: str) -> str:
    """Turns without the newline between them."""
    return text.replace(TURN_END, EOS)


def endless(text: str) -> str:
    """Turns that do not say where they end."""
    return text.replace(EOS, "")


def renamed(role: str, name: str) -> Callable[[str], str]:
    """A role by another name."""
    return lambda text: text.replace(f"{OPENER}{role}\n", f"{OPENER}{name}\n")


PROMPTS: Mapping[str, Prompt] = {
    "right": right,
    "BOS doubled": rewritten(lambda text: BOS + text),
    "BOS missing": rewritten(lambda text: text.removeprefix(BOS)),
    "no newline between turns": rewritten(joined),
    "turns without `<|im_end|>`": rewritten(endless),
    "extra space after the role's newline": rewritten(lambda text: ROLE_LINE.sub(r"\1 ", text)),
    "role `human` for `user`": rewritten(renamed("user", "human")),
    "role `model` for `assistant`": rewritten(renamed("assistant", "model")),
    "no generation prompt": rewritten(lambda text: text.removesuffix("<think>\n").removesuffix(GENERATION_PROMPT)),
    "generation prompt without its newline": rewritten(lambda text: text.removesuffix("\n")),
    "history dropped": forgetting(_last_message),
    "system message dropped": forgetting(_without_system),
    "tools dropped": forgetting(lambda made: replace(made, tools=None)),
    "zephyr": foreign(_zephyr, prompt="<|assistant|>\n"),
    "llama 2": foreign(_llama2),
    "llama 3": foreign(_llama3, prompt="<|start_header_id|>assistant<|end_header_id|>\n\n"),
    "plain `User:`": foreign(_plain, prompt="Assistant:"),
}
"""The prompts that are compared, by what is wrong with them."""
NEEDED = {"history dropped": "history", "system message dropped": "system", "tools dropped": "tools"}
"""What a prompt lacks; it can only harm where the answer needs that."""


def damaged(random: Random, text: str) -> str:
    """A prompt as a template with an error would write it, such as the model is taught to stumble over."""
    name = "".join(random.choices(string.ascii_lowercase, k=random.randint(2, 8)))
    return random.choice((joined, endless, renamed("user", name)))(text)
