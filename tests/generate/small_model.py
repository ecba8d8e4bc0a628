"""A model that fits into a test: two layers, and weights by chance, always the same. It says nothing sensible.

python -m tests.generate.small_model FOLDER     writes it; tests do so in another process and stay without torch
"""

from __future__ import annotations

import importlib
import json
import sys
from pathlib import Path
from typing import Any

from tests.small_tokenizer import CHATML, tokenizer

SPECIAL = ("<s>", "<|im_start|>", "<|im_end|>")
FIRST = 256
"""The id of the first special token."""
CONTEXT = 512


def write(folder: Path) -> None:
    """Write the model into an empty folder."""
    torch: Any = importlib.import_module("torch")
    transformers: Any = importlib.import_module("transformers")
    transformers.logging.set_verbosity_error()
    torch.manual_seed(1)
    config = transformers.LlamaConfig(
        vocab_size=FIRST + len(SPECIAL),
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=CONTEXT,
        bos_token_id=FIRST,
        eos_token_id=FIRST + 2,
        initializer_range=0.5,
    )
    model = transformers.LlamaForCausalLM(config)
    model.generation_config = transformers.GenerationConfig(eos_token_id=[FIRST + 2], do_sample=True, temperature=0.7, top_k=20)
    model.save_pretrained(folder)
    tokenizer(*SPECIAL).save(str(folder / "tokenizer.json"))
    settings = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "bos_token": "<s>",
        "eos_token": "<|im_end|>",
        "chat_template": CHATML,
        "clean_up_tokenization_spaces": False,
    }
    (folder / "tokenizer_config.json").write_text(json.dumps(settings), encoding="utf-8")


if __name__ == "__main__":
    write(Path(sys.argv[1]))
