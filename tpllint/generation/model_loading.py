"""Loads a model and its tokenizer with transformers, and tells apart why one cannot be loaded."""

from __future__ import annotations

import contextlib
import importlib
import importlib.util
import pickle
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from tpllint.generation.model_download import download
from tpllint.generation.model_refusal import RefusedError, said_by

if TYPE_CHECKING:
    from tpllint.generation.model_process import Line

torch: Any = importlib.import_module("torch")
transformers: Any = importlib.import_module("transformers")
auto: Any = importlib.import_module("transformers.models.auto.modeling_auto")
safetensors: Any = importlib.import_module("safetensors")
logging: Any = importlib.import_module("transformers.utils.logging")
importlib.import_module("transformers.generation.utils")  # needed by every model, so that it is here before one is named

LOADING = "loading the model"


def load(request: dict[str, Any], line: Line) -> tuple[Any, Any, dict[str, Any]]:
    """The model, its tokenizer, and what the parent is told of them. Raises RefusedError."""
    folder = request["folder"] or download(request, request["small"], line)
    trust = {"trust_remote_code": request["trust_remote_code"]}
    with _refusing("unloadable-model"):
        config = transformers.AutoConfig.from_pretrained(folder, **trust)
        kind = _class_for(config, trust["trust_remote_code"])
    with _refusing("unloadable-tokenizer"):
        tokenizer = transformers.AutoTokenizer.from_pretrained(folder, **trust)
    if request["folder"] is None:
        download(request, request["weights"], line)
    begin = time.monotonic()
    model = _loaded(kind, folder, request, trust, line)
    told = _told(model, tokenizer) | {"seconds": time.monotonic() - begin}
    model.generation_config = _greedy(model.generation_config, tokenizer)
    return model, tokenizer, told


def _class_for(config: Any, trusts: bool) -> Any:
    """The class that loads a model of this configuration. Raises RefusedError where such models do not continue text."""
    named = [str(name) for name in config.architectures or ()]
    if getattr(config, "is_encoder_decoder", False):
        raise RefusedError("no-text-model", f"{', '.join(named) or config.model_type} reads a text and writes another")
    if trusts and "AutoModelForCausalLM" in (getattr(config, "auto_map", None) or {}):
        return transformers.AutoModelForCausalLM
    both = auto.MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING_NAMES.get(config.model_type)
    if both in named and type(config) in auto.MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING:
        return transformers.AutoModelForImageTextToText
    if type(config) in auto.MODEL_FOR_CAUSAL_LM_MAPPING:
        return transformers.AutoModelForCausalLM
    if type(config) in auto.MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING:
        return transformers.AutoModelForImageTextToText
    raise RefusedError("no-text-model", f"it is {', '.join(named) or config.model_type}")


def _loaded(kind: Any, folder: str, request: dict[str, Any], trust: dict[str, Any], line: Line) -> Any:
    line.progress(LOADING, None)
    place = _place(request["device"], request["quantize"])
    options = {**trust, **place, **_quantization(request["quantize"]), "dtype": _dtype(request["dtype"])}
    told = {"output_loading_info": True, "ignore_mismatched_sizes": True}  # both for a refusal that names them
    with _refusing("unloadable-model"), _bars_told(line):
        model, info = kind.from_pretrained(folder, local_files_only=True, **told, **options)
    wrong = sorted(info["missing_keys"]) + sorted(str(entry[0]) for entry in info["mismatched_keys"])
    if wrong:
        raise RefusedError("incomplete-weights", ", ".join(wrong[:3]) + (f" and {len(wrong) - 3} more" if wrong[3:] else ""))
    if not place:
        model.to(_device(request["device"]))
    return model.eval()


def _place(device: str, quantize: str | None) -> dict[str, Any]:
    """How transformers is told where a model goes; nothing where it is moved there as a whole afterwards."""
    if importlib.util.find_spec("accelerate") is None:
        return {}
    if device == "auto" and torch.cuda.is_available():
        return {"device_map": "auto"}
    return {"device_map": {"": _device(device)}} if quantize else {}


def _device(device: str) -> str:
    if device != "auto":
        return device
    return "cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else "cpu"


def _dtype(name: str) -> Any:
    return name if name == "auto" else getattr(torch, name)


def _quantization(wanted: str | None) -> dict[str, Any]:
    if wanted is None:
        return {}
    how = {"load_in_8bit": True} if wanted == "8bit" else {"load_in_4bit": True, "bnb_4bit_quant_type": "nf4"}
    return {"quantization_config": transformers.BitsAndBytesConfig(**how)}


def _told(model: Any, tokenizer: Any) -> dict[str, Any]:
    text = model.config.get_text_config()
    return {
        "device": str(model.device),
        "dtype": str(model.dtype).removeprefix("torch."),
        "parameters": int(model.num_parameters()),
        "bos": tokenizer.bos_token,
        "stops": [tokenizer.decode([stop]) for stop in _stops(model.generation_config)],
        "context": getattr(text, "max_position_embeddings", None),
    }


def _stops(generation: Any) -> list[int]:
    told = generation.eos_token_id
    return [] if told is None else [told] if isinstance(told, int) else list(told)


def _greedy(generation: Any, tokenizer: Any) -> Any:
    """What a model's own generation_config tells of where it stops, and nothing of how it is sampled."""
    stops = _stops(generation)
    known = [generation.pad_token_id, tokenizer.pad_token_id, *stops, 0]
    pad = next(token for token in known if token is not None)
    return transformers.GenerationConfig(
        do_sample=False, eos_token_id=stops or None, pad_token_id=pad, bos_token_id=generation.bos_token_id
    )


@contextlib.contextmanager
def _bars_told(line: Line) -> Iterator[None]:
    """The bar that transformers would draw goes to the parent."""

    def counted(_: Any, positional: tuple[Any, ...], named: dict[str, Any]) -> Any:
        return _Told(line, *positional, **named)

    before = logging.set_tqdm_hook(counted)
    try:
        yield
    finally:
        logging.set_tqdm_hook(before)


class _Told:
    """Stands where transformers shows a progress bar."""

    def __init__(self, line: Line, iterable: Any = (), total: int | None = None, **_: object) -> None:
        self._line = line
        self._iterable = iterable
        self._total = total or (len(iterable) if hasattr(iterable, "__len__") else 0)
        self._last = 0.0

    def __iter__(self) -> Iterator[Any]:
        for number, entry in enumerate(self._iterable):
            part = number / self._total if self._total else 0.0
            if part >= self._last + 0.01:
                self._last = part
                self._line.progress(LOADING, part)
            yield entry

    def __enter__(self) -> _Told:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def __getattr__(self, name: str) -> Any:
        return lambda *_, **__: None


@contextlib.contextmanager
def _refusing(kind: str) -> Iterator[None]:
    """Whatever a library raises becomes a RefusedError of this kind, or of one that tells it better."""
    try:
        yield
    except RefusedError:
        raise
    except Exception as error:
        raise RefusedError(_kind(error, kind), said_by(error)) from error


def _kind(error: Exception, otherwise: str) -> str:
    if "trust_remote_code" in str(error):
        return "remote-code"
    if isinstance(error, (safetensors.SafetensorError, pickle.UnpicklingError, EOFError)):
        return "unreadable-weights"
    if isinstance(error, (torch.OutOfMemoryError, MemoryError)):
        return "out-of-memory"
    return otherwise
