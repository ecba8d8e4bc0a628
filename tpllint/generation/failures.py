"""What keeps a model from answering, in words: kinds, messages and hints."""

from __future__ import annotations

from collections.abc import Mapping

from tpllint.errors import RepairableError
from tpllint.report.escape import escape

LONGEST_REASON = 400

FAILURES: Mapping[str, tuple[str, str]] = {
    "missing-package": (
        "a model cannot be run without the package {reason}",
        "pip install 'tpllint[generate]'",
    ),
    "missing-bitsandbytes": (
        "a model cannot be quantized without the package bitsandbytes",
        "pip install 'tpllint[quantize]', or leave out --quantize",
    ),
    "no-such-device": (
        "no device of the kind {reason} can be used: there is none, or the installed torch does not know it",
        "leave out --device, or write --device cpu",
    ),
    "no-weights": (
        "{model} has no weights that can be loaded: no model.safetensors, no pytorch_model.bin and no parts of one",
        "name a model that has its weights beside its configuration",
    ),
    "no-model-config": (
        "{model} has no config.json, and without it nobody knows what its weights are",
        "name a model that has its config.json beside its weights",
    ),
    "adapter-alone": (
        "{model} is an adapter: it cannot answer without the model that it adapts",
        "merge the two and name the result, or name the model that it adapts",
    ),
    "gguf-alone": (
        "{model} has its weights in GGUF alone, and transformers cannot load them as they are run there",
        "name the model that they were made from",
    ),
    "model-too-large": (
        "the weights of {model} take {reason}",
        "name a smaller model, free some memory, or let the weights take less: --quantize 8bit or --quantize 4bit",
    ),
    "remote-code": (
        "{model} cannot be loaded without running code of its own",
        "read that code, then pass --trust-remote-code if you trust it",
    ),
    "no-text-model": (
        "{model} is not a model that continues a conversation: {reason}",
        "name a causal language model",
    ),
    "download-failed": (
        "the weights of {model} could not be downloaded: {reason}",
        "run the command again: what has arrived is kept; --offline uses what is in the cache",
    ),
    "unreadable-weights": (
        "the weights of {model} cannot be read: {reason}",
        "get the files again: they are cut off or were not written as a whole",
    ),
    "incomplete-weights": (
        "the weights of {model} do not have everything that config.json tells of: {reason}",
        "get all files of the model, or repair config.json",
    ),
    "unloadable-tokenizer": (
        "the tokenizer of {model} cannot be loaded: {reason}",
        "check that AutoTokenizer.from_pretrained of transformers loads it",
    ),
    "unloadable-model": (
        "{model} cannot be loaded: {reason}",
        "check that AutoModelForCausalLM.from_pretrained of transformers loads it",
    ),
    "out-of-memory": (
        "there is not enough memory to run {model}: {reason}",
        "name a smaller model, or let it take less: --quantize 8bit, --quantize 4bit, fewer or shorter prompts",
    ),
    "prompt-too-long": (
        "a prompt is longer than what {model} was made for: {reason}",
        "shorten the conversation",
    ),
    "unusable-prompt": (
        "a prompt has no token ids: {reason}",
        "write whole characters in the conversation, and at least one",
    ),
    "model-process-ended": (
        "the process that runs {model} ended early: {reason}",
        "if it happens again with --device cpu, please report it",
    ),
    "no-model-process": (
        "no process can be started to run a model: {reason}",
        "allow more processes and open files, then run again",
    ),
}
"""By kind: the message and the hint."""


def failure(kind: str, model: str, reason: str = "") -> RepairableError:
    """The error of this kind about a model; the reason may be a stranger's text."""
    message, hint = FAILURES[kind]
    return RepairableError(kind, message.format(model=model, reason=escape(reason, LONGEST_REASON)), hint)
