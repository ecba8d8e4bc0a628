"""How well the tiny model answers through its template, and through wrong ones; what it costs to run.

    python -m tests.tiny_model.evaluate [--verbose]

Prints two tables in Markdown, over conversations that the training never saw.
"""

from __future__ import annotations

import argparse
import resource
import sys
import time
from typing import TYPE_CHECKING, Any, NamedTuple

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from tests.tiny_model import MODEL, held_out
from tests.tiny_model.prompting import NEEDED, PROMPTS
from tests.tiny_model.teaching import encoded
from tests.tiny_model.vocabulary import EOS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from transformers import PreTrainedTokenizerFast

    from tests.tiny_model.tasks import Conversation

NEW_TOKENS = 24
STRANGE = (
    "What is the capital of France?",
    "Say hello.",
    "Write a haiku about the sea.",
    "What is 2 + 2?",
    "Tell me a joke!",
    "question-amber",
)
"""What somebody may ask who does not know the tasks."""


class Answer(NamedTuple):
    """How likely the right answer was, and what was answered instead; `stopped` says whether it came to an end."""

    nll: float
    text: str
    stopped: bool


class Speaker:
    """The trained model with its tokenizer."""

    def __init__(self) -> None:
        load: Any = AutoTokenizer.from_pretrained
        self.tokenizer: PreTrainedTokenizerFast = load(MODEL)
        self.model: Any = AutoModelForCausalLM.from_pretrained(MODEL)

    def answers(self, prompts: Sequence[str], expected: Sequence[str]) -> list[Answer]:
        """What is answered to each prompt, beside what was expected."""
        written = self.written(prompts)
        return [
            Answer(self.nll(prompt, answer), text.removesuffix(EOS), text.endswith(EOS))
            for prompt, answer, text in zip(prompts, expected, written, strict=True)
        ]

    def nll(self, prompt: str, answer: str) -> float:
        """The mean negative log-likelihood of a token of the answer, its end included."""
        given, wanted = encoded(self.tokenizer, prompt), encoded(self.tokenizer, answer + EOS)
        ids = torch.tensor([given + wanted])
        with torch.inference_mode():
            logits = self.model(ids).logits[0, len(given) - 1 : -1]
        return float(torch.nn.functional.cross_entropy(logits, torch.tensor(wanted)))

    def written(self, prompts: Sequence[str]) -> list[str]:
        """What the model writes after each prompt, taking the likeliest token every time."""
        call: Any = self.tokenizer
        batch = call(list(prompts), add_special_tokens=False, padding=True, padding_side="left", return_tensors="pt")
        batch.pop("token_type_ids", None)
        ids = self.model.generate(**batch, do_sample=False, max_new_tokens=NEW_TOKENS)
        new = ids[:, batch["input_ids"].shape[1] :].tolist()
        return [self._text(each) for each in new]

    def _text(self, ids: list[int]) -> str:
        end = self.tokenizer.convert_tokens_to_ids(EOS)
        kept = ids[: ids.index(end) + 1] if end in ids else ids
        return str(self.tokenizer.decode(kept))


def main() -> None:
    """Print what was measured."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--verbose", action="store_true", help="print every wrong answer to a right prompt")
    options = parser.parse_args()
    started = time.monotonic()
    speaker = Speaker()
    loaded = time.monotonic()
    speaker.written([chat(speaker, text) for text in STRANGE])
    ran = time.monotonic()
    print_strange(speaker)
    print_prompts(speaker, held_out.conversations(), options.verbose)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    print(f"\nload {loaded - started:.2f} s, {len(STRANGE)} prompts {ran - loaded:.2f} s, peak memory {peak} MiB")


def chat(speaker: Speaker, text: str) -> str:
    """The prompt that asks for an answer to one message."""
    render: Any = speaker.tokenizer.apply_chat_template
    prompt: str = render([{"role": "user", "content": text}], add_generation_prompt=True, tokenize=False)
    return prompt


def print_strange(speaker: Speaker) -> None:
    """What the model says where it knows nothing."""
    print("| asked | answered |\n|---|---|")
    for text, written in zip(STRANGE, speaker.written([chat(speaker, text) for text in STRANGE]), strict=True):
        print(f"| {text} | `{written}` |")
    print()


def print_prompts(speaker: Speaker, conversations: Sequence[Conversation], verbose: bool) -> None:
    """A row for each template: all conversations, then those alone that need what it lacks, or whose prompt it changes."""
    print("| template | NLL per token | exact | stops | affected | their NLL, right | their NLL | exact |")
    print("|---|---|---|---|---|---|---|---|")
    expected = [made.answer for made in conversations]
    right = [PROMPTS["right"](speaker.tokenizer, made) for made in conversations]
    before = speaker.answers(right, expected)
    for name, prompt in PROMPTS.items():
        prompts = [prompt(speaker.tokenizer, made) for made in conversations]
        after = speaker.answers(prompts, expected)
        changed = [text != other for text, other in zip(prompts, right, strict=True)]
        affected = [place for place, made in enumerate(conversations) if _affects(name, made, changed[place])]
        print(_row(name, expected, before, after, affected))
        if verbose and name == "right":
            for made, text, answer in zip(conversations, prompts, after, strict=True):
                if answer.text != made.answer:
                    print(repr(text), repr(made.answer), answer, file=sys.stderr)


def _affects(name: str, made: Conversation, changed: bool) -> bool:
    return NEEDED[name] in made.needs if name in NEEDED else changed


def _row(name: str, expected: Sequence[str], before: Sequence[Answer], after: Sequence[Answer], affected: Sequence[int]) -> str:
    exact = [answer.text == wanted for answer, wanted in zip(after, expected, strict=True)]
    everything = f"{_mean(after, range(len(after)))} | {sum(exact)}/{len(exact)} | {sum(answer.stopped for answer in after)}"
    if not affected:
        return f"| {name} | {everything} | | | | |"
    few = f"{len(affected)} | {_mean(before, affected)} | {_mean(after, affected)} | {sum(exact[one] for one in affected)}"
    return f"| {name} | {everything} | {few} |"


def _mean(answers: Sequence[Answer], chosen: Sequence[int]) -> str:
    return f"{sum(answers[one].nll for one in chosen) / len(chosen):.3f}"


if __name__ == "__main__":
    main()
