"""Trains the tiny model and writes it, and the prompts that are held out, where the tests find them.

    python -m tests.tiny_model.train

Needed: torch and transformers. A minute or two on two CPU cores.
"""

from __future__ import annotations

import time
from random import Random
from typing import TYPE_CHECKING, Any

import torch
from transformers import GenerationConfig, LlamaConfig, LlamaForCausalLM

from tests.tiny_model import MODEL, ROWS, held_out, vocabulary
from tests.tiny_model.teaching import batches

if TYPE_CHECKING:
    from collections.abc import Sequence

    from transformers import PreTrainedTokenizerFast

    from tests.tiny_model.teaching import Example

SEED = 9
THREADS = 1
STEPS, WARM_UP = 1700, 60
RATE = 4e-3


def main() -> None:
    """Train, and write what was made."""
    started = time.monotonic()
    torch.manual_seed(SEED)
    torch.set_num_threads(THREADS)
    torch.use_deterministic_algorithms(True)
    tokenizer = vocabulary.make_tokenizer(Random(SEED))
    model = make_model(tokenizer)
    train(model, tokenizer)
    save(model, tokenizer)
    print(f"{sum(each.numel() for each in model.parameters())} parameters, {time.monotonic() - started:.0f} s")


def make_model(tokenizer: PreTrainedTokenizerFast) -> Any:
    """The untrained model."""
    ids = {f"{name}_token_id": getattr(tokenizer, f"{name}_token_id") for name in ("bos", "eos", "pad")}
    config: Any = LlamaConfig
    generation: Any = GenerationConfig
    made: Any = LlamaForCausalLM(
        config(
            vocab_size=vocabulary.SIZE,
            hidden_size=128,
            intermediate_size=384,
            num_hidden_layers=2,
            num_attention_heads=4,
            num_key_value_heads=2,
            max_position_embeddings=vocabulary.LENGTH,
            tie_word_embeddings=True,
            **ids,
        )
    )
    made.generation_config = generation(**ids)
    return made


def train(model: Any, tokenizer: PreTrainedTokenizerFast) -> None:
    """Teach the model, and say now and then how far it is."""
    optimizer = torch.optim.AdamW(model.parameters(), lr=RATE, betas=(0.9, 0.98), weight_decay=0.01)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, _rate)
    model.train()
    for step, batch in zip(range(STEPS), batches(tokenizer, Random(SEED)), strict=False):
        loss = loss_of(model, batch)
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        if step % 100 == 99:
            print(f"step {step + 1}: loss {loss.item():.3f}", flush=True)
    model.eval()


def loss_of(model: Any, batch: Sequence[Example]) -> Any:
    """The weighted mean of the negative log-likelihood of every token but the first."""
    length = max(len(example.ids) for example in batch)
    ids = torch.tensor([example.ids + [0] * (length - len(example.ids)) for example in batch])
    weights = torch.tensor([example.weights + [0.0] * (length - len(example.ids)) for example in batch])[:, 1:]
    logits = model(ids).logits[:, :-1]
    losses = torch.nn.functional.cross_entropy(logits.transpose(1, 2), ids[:, 1:], reduction="none")
    return (losses * weights).sum() / weights.sum()


def save(model: Any, tokenizer: PreTrainedTokenizerFast) -> None:
    """Write the model, its tokenizer and the prompts of the tests."""
    model.save_pretrained(MODEL)
    tokenizer.save_pretrained(MODEL)
    ROWS.write_text(held_out.prompts(), encoding="utf-8")


def _rate(step: int) -> float:
    return min((step + 1) / WARM_UP, (STEPS - step) / STEPS)


if __name__ == "__main__":
    main()
