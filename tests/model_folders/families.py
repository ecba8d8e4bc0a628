"""Families of formats: what each calls its control tokens, which of them end an answer, and who writes the first one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

TEMPLATES = Path(__file__).parent / "templates"


@dataclass(frozen=True, eq=False)
class Family:
    """One format, as its authors mean it.

    `tokens` are the special tokens that a template is passed, `control` the other control tokens, and `added` words that
    are tokens without being control tokens. `stops` are the tokens at which generation ends; `ends` is the one that the
    template writes after the last answer, None where the header of the next turn is what ends it. `adds_bos` tells whether
    the tokenizer itself begins with `bos_token`. A `byte_fallback` vocabulary is one of characters, with bytes for the rest;
    any other is one of bytes. `model_type` is what config.json says. `processor` is the class of its processor, where it has
    one. `settings` are what tokenizer_config.json says besides in its older form. `third` is the third layout, beside a file
    and a string: a `list` of named templates, a `folder` of them, or the files of a `processor`.
    """

    name: str
    model_type: str
    tokens: Mapping[str, str]
    control: tuple[str, ...]
    stops: tuple[str, ...]
    ends: str | None
    third: str
    added: tuple[str, ...] = ()
    adds_bos: bool = False
    byte_fallback: bool = False
    has_tools: bool = True
    processor: str | None = None
    settings: Mapping[str, object] = field(default_factory=dict)

    @property
    def template(self) -> str:
        """The template that knows everything this format knows."""
        return _text(f"{self.name}.jinja")

    @property
    def plain(self) -> str:
        """The default template beside one for calls with tools."""
        return _text(f"{self.name}.plain.jinja")

    @property
    def special(self) -> tuple[str, ...]:
        """Every control token once, in the order of their ids."""
        return tuple(dict.fromkeys((*self.tokens.values(), *self.control)))


def _text(name: str) -> str:
    return (TEMPLATES / name).read_text(encoding="utf-8").removesuffix("\n")


def _barred(*words: str) -> tuple[str, ...]:
    """Control tokens between bars as wide as a letter."""
    return tuple(f"<\uff5c{word}\uff5c>" for word in words)


def _between(*parts: str) -> tuple[str, ...]:
    return tuple(f"tool▁{part}▁{edge}" for part in parts for edge in ("begin", "end"))


_CHATML = ("<|im_start|>", "<|im_end|>")
_VISION = ("<|vision_start|>", "<|vision_end|>", "<|image_pad|>", "<|video_pad|>")

FAMILIES = (
    Family(
        "chatml",
        "qwen2",
        {"eos_token": "<|im_end|>", "unk_token": "<|endoftext|>", "pad_token": "<|endoftext|>"},
        _CHATML,
        stops=("<|im_end|>", "<|endoftext|>"),
        ends="<|im_end|>",
        third="list",
        added=("<tool_call>", "</tool_call>"),
        settings={"add_bos_token": False},
    ),
    Family(
        "thinking_chatml",
        "qwen3",
        {"eos_token": "<|im_end|>", "unk_token": "<|endoftext|>", "pad_token": "<|endoftext|>"},
        _CHATML,
        stops=("<|im_end|>", "<|endoftext|>"),
        ends="<|im_end|>",
        third="folder",
        added=("<tool_call>", "</tool_call>", "<tool_response>", "</tool_response>", "<think>", "</think>"),
    ),
    Family(
        "vision_chatml",
        "qwen2_vl",
        {"eos_token": "<|im_end|>", "unk_token": "<|endoftext|>", "pad_token": "<|endoftext|>"},
        (*_CHATML, *_VISION),
        stops=("<|im_end|>", "<|endoftext|>"),
        ends="<|im_end|>",
        third="processor",
        has_tools=False,
        processor="Qwen2VLProcessor",
    ),
    Family(
        "headers",
        "llama",
        {"bos_token": "<|begin_of_text|>", "eos_token": "<|eot_id|>", "pad_token": "<|finetune_right_pad_id|>"},
        ("<|end_of_text|>", "<|start_header_id|>", "<|end_header_id|>", "<|eom_id|>", "<|python_tag|>"),
        stops=("<|end_of_text|>", "<|eom_id|>", "<|eot_id|>"),
        ends="<|eot_id|>",
        third="list",
        adds_bos=True,
    ),
    Family(
        "instructions",
        "mistral",
        {"unk_token": "<unk>", "bos_token": "<s>", "eos_token": "</s>"},
        (
            *("[INST]", "[/INST]", "[SYSTEM_PROMPT]", "[/SYSTEM_PROMPT]", "[TOOL_CALLS]"),
            *("[AVAILABLE_TOOLS]", "[/AVAILABLE_TOOLS]", "[TOOL_RESULTS]", "[/TOOL_RESULTS]"),
        ),
        stops=("</s>",),
        ends="</s>",
        third="folder",
        adds_bos=True,
        byte_fallback=True,
        settings={"add_bos_token": True, "add_eos_token": False},
    ),
    Family(
        "start_of_turn",
        "gemma3",
        {"pad_token": "<pad>", "eos_token": "<eos>", "bos_token": "<bos>", "unk_token": "<unk>"},
        ("<start_of_turn>", "<end_of_turn>", "<start_of_image>", "<end_of_image>", "<image_soft_token>"),
        stops=("<eos>", "<end_of_turn>"),
        ends="<end_of_turn>",
        third="processor",
        adds_bos=True,
        byte_fallback=True,
        has_tools=False,
        settings={"add_bos_token": True, "add_eos_token": False},
    ),
    Family(
        "role_tokens",
        "phi3",
        {"unk_token": "<unk>", "bos_token": "<s>", "eos_token": "<|endoftext|>", "pad_token": "<|endoftext|>"},
        (
            *("<|system|>", "<|user|>", "<|assistant|>", "<|end|>", "<|tool|>", "<|/tool|>"),
            *("<|tool_call|>", "<|/tool_call|>", "<|tool_response|>"),
        ),
        stops=("<|endoftext|>", "<|end|>", "<|assistant|>"),
        ends="<|end|>",
        third="list",
        byte_fallback=True,
        settings={"add_bos_token": False, "add_eos_token": False},
    ),
    Family(
        "bars",
        "deepseek_v3",
        dict(
            zip(("bos_token", "eos_token", "pad_token"), _barred("begin▁of▁sentence", "end▁of▁sentence", "▁pad▁"), strict=True)
        ),
        _barred("User", "Assistant", "tool▁sep", *_between("calls", "call", "output")),
        stops=_barred("end▁of▁sentence"),
        ends=_barred("end▁of▁sentence")[0],
        third="folder",
        added=("<think>", "</think>"),
        adds_bos=True,
        settings={"add_bos_token": True, "add_eos_token": False},
    ),
    Family(
        "observations",
        "glm4",
        {"eos_token": "<|endoftext|>", "pad_token": "<|endoftext|>"},
        ("[gMASK]", "<sop>", "<|system|>", "<|user|>", "<|assistant|>", "<|observation|>"),
        stops=("<|endoftext|>", "<|user|>", "<|observation|>"),
        ends=None,
        third="list",
        added=(
            *("<tool_call>", "</tool_call>", "<tool_response>", "</tool_response>"),
            *("<arg_key>", "</arg_key>", "<arg_value>", "</arg_value>"),
        ),
    ),
    Family(
        "turn_tokens",
        "cohere2",
        {
            "pad_token": "<PAD>",
            "unk_token": "<UNK>",
            "bos_token": "<BOS_TOKEN>",
            "eos_token": "<|END_OF_TURN_TOKEN|>",
        },
        (
            *("<EOS_TOKEN>", "<|START_OF_TURN_TOKEN|>", "<|USER_TOKEN|>", "<|CHATBOT_TOKEN|>", "<|SYSTEM_TOKEN|>"),
            *("<|START_THINKING|>", "<|END_THINKING|>", "<|START_ACTION|>", "<|END_ACTION|>"),
            *("<|START_RESPONSE|>", "<|END_RESPONSE|>", "<|START_TOOL_RESULT|>", "<|END_TOOL_RESULT|>"),
        ),
        stops=("<|END_OF_TURN_TOKEN|>",),
        ends="<|END_OF_TURN_TOKEN|>",
        third="folder",
        adds_bos=True,
        settings={"add_bos_token": True, "add_eos_token": False},
    ),
    Family(
        "channels",
        "gpt_oss",
        {"bos_token": "<|startoftext|>", "eos_token": "<|return|>", "pad_token": "<|endoftext|>"},
        ("<|start|>", "<|end|>", "<|message|>", "<|channel|>", "<|constrain|>", "<|call|>"),
        stops=("<|return|>", "<|endoftext|>", "<|call|>"),
        ends="<|return|>",
        third="folder",
    ),
)
