"""What keeps a model from being loaded is told in one sentence, and before anything large is had."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.generate.asking import answers, loaded, local, prompt, refused
from tpllint.errors import RepairableError
from tpllint.generation.settings import Settings
from tpllint.generation.stored import stored
from tpllint.generation.talker import Talker

ROOT = Path(__file__).resolve().parent.parent.parent
WITHOUT_PACKAGES = """
import sys
sys.path[:] = [folder for folder in sys.path if "site-packages" not in folder] + [{root!r}]
from tpllint.errors import RepairableError
from tpllint.generation.settings import Settings
from tpllint.generation.talker import Talker
try:
    Talker(Settings())
except RepairableError as error:
    print(error.kind, error.hint)
"""


def rewrite(path: Path, **changed: Any) -> None:
    """Change entries of a JSON file; None takes one out."""
    told = {**json.loads(path.read_text(encoding="utf-8")), **changed}
    path.write_text(json.dumps({name: value for name, value in told.items() if value is not None}), encoding="utf-8")


def test_a_missing_extra_is_told_before_a_process_begins() -> None:
    command = [sys.executable, "-c", WITHOUT_PACKAGES.format(root=str(ROOT))]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd="/")
    assert done.stdout == "missing-package pip install 'tpllint[generate]'\n"


def test_quantization_without_its_package_is_told_before_a_process_begins() -> None:
    if importlib.util.find_spec("bitsandbytes"):
        pytest.skip("bitsandbytes is installed")
    with pytest.raises(RepairableError) as caught:
        Talker(Settings(quantize="4bit"))
    assert (caught.value.kind, "tpllint[quantize]" in caught.value.hint) == ("missing-bitsandbytes", True)


@pytest.mark.parametrize("device", ["cuda", "mps"])
def test_a_device_that_is_not_there_is_told(small_model: Path, device: str) -> None:
    with Talker(Settings(device=device)) as talker:
        if talker.machine()[device]:
            pytest.skip(f"this machine has {device}")
        error = refused(talker, small_model)
    assert (error.kind, device in error.message) == ("no-such-device", True)


def test_weights_that_do_not_fit_into_memory_are_not_read(talker: Talker, copied: Path) -> None:
    os.truncate(copied / "model.safetensors", 10**13)
    error = refused(talker, copied)
    assert error.kind == "model-too-large"
    assert "take 10000.0 GB of memory, and" in error.message


@pytest.mark.parametrize(
    ("config", "settings", "needed"),
    [
        ({"dtype": "float32"}, Settings(), 1000),
        ({"dtype": None}, Settings(), 1000),
        ({"dtype": "float32"}, Settings(dtype="bfloat16"), 500),
        ({"dtype": "float16"}, Settings(dtype="float32"), 2000),
        ({"dtype": None, "torch_dtype": "bfloat16"}, Settings(quantize="8bit"), 500),
        ({"dtype": None, "text_config": {"dtype": "bfloat16"}}, Settings(quantize="4bit"), 250),
        ({"dtype": "float16", "quantization_config": {}}, Settings(dtype="float32"), 1000),
    ],
)
def test_what_weights_take_depends_on_how_they_are_loaded(
    copied: Path, config: dict[str, Any], settings: Settings, needed: int
) -> None:
    os.truncate(copied / "model.safetensors", 1000)
    rewrite(copied / "config.json", **config)
    assert stored(local(copied), settings).needed(settings) == needed


def test_the_parts_of_weights_are_counted_together_and_safetensors_come_first(copied: Path) -> None:
    (copied / "model.safetensors").unlink()
    (copied / "pytorch_model.bin").write_bytes(b"1")
    assert stored(local(copied), Settings()).large() == {"pytorch_model.bin": 1}
    parts = {f"model-0000{number}-of-00002.safetensors": number for number in (1, 2)}
    for name, size in parts.items():
        (copied / name).write_bytes(b"x" * size)
    assert stored(local(copied), Settings()).large() == parts
    assert stored(local(copied), Settings()).needed(Settings()) == 3


def test_a_folder_without_weights_is_told(talker: Talker, copied: Path) -> None:
    (copied / "model.safetensors").unlink()
    assert refused(talker, copied).kind == "no-weights"
    (copied / "model-Q4.gguf").write_bytes(b"GGUF")
    assert refused(talker, copied).kind == "gguf-alone"
    (copied / "adapter_config.json").write_text("{}")
    assert refused(talker, copied).kind == "adapter-alone"


def test_weights_without_a_configuration_are_told(talker: Talker, copied: Path) -> None:
    (copied / "config.json").unlink()
    assert refused(talker, copied).kind == "no-model-config"


def test_a_folder_that_is_not_there_is_told(talker: Talker, tmp_path: Path) -> None:
    assert refused(talker, tmp_path / "missing").kind == "unreadable-path"


@pytest.mark.parametrize("length", [0, 4, 1000, 100_000])
def test_weights_that_are_cut_off_are_told(talker: Talker, copied: Path, length: int) -> None:
    os.truncate(copied / "model.safetensors", length)
    assert refused(talker, copied).kind == "unreadable-weights"


def test_weights_that_lack_a_layer_are_told(talker: Talker, copied: Path) -> None:
    rewrite(copied / "config.json", num_hidden_layers=3)
    error = refused(talker, copied)
    assert error.kind == "incomplete-weights"
    assert "model.layers.2." in error.message


def test_weights_of_another_shape_are_told(talker: Talker, copied: Path) -> None:
    rewrite(copied / "config.json", intermediate_size=48)
    error = refused(talker, copied)
    assert error.kind == "incomplete-weights"
    assert "model.layers.0.mlp" in error.message


def test_code_of_a_model_is_run_only_where_the_user_says_so(talker: Talker, copied: Path) -> None:
    rewrite(
        copied / "config.json",
        model_type="own_kind",
        auto_map={"AutoConfig": "own.Config", "AutoModelForCausalLM": "own.Model"},
    )
    (copied / "own.py").write_text(
        "from transformers import LlamaConfig, LlamaForCausalLM\n"
        "class Config(LlamaConfig):\n    model_type = 'own_kind'\n"
        "class Model(LlamaForCausalLM):\n    config_class = Config\n"
        f"open({str(copied / 'ran')!r}, 'w').close()\n"
    )
    error = refused(talker, copied)
    assert (error.kind, "--trust-remote-code" in error.hint) == ("remote-code", True)
    assert not (copied / "ran").exists()
    with Talker(Settings(trust_remote_code=True)) as trusting:
        loaded(trusting, copied)
        assert answers(trusting, prompt("Hi"), tokens=2)
    assert (copied / "ran").exists()


@pytest.mark.parametrize(
    "config",
    [
        {"model_type": "t5", "architectures": ["T5ForConditionalGeneration"], "is_encoder_decoder": True},
        {"model_type": "vit", "architectures": ["ViTForImageClassification"]},
    ],
)
def test_a_model_that_continues_no_text_is_told(talker: Talker, copied: Path, config: dict[str, Any]) -> None:
    (copied / "config.json").write_text(json.dumps(config), encoding="utf-8")
    error = refused(talker, copied)
    assert (error.kind, config["architectures"][0] in error.message) == ("no-text-model", True)


def test_a_kind_of_model_that_nobody_knows_is_told(talker: Talker, copied: Path) -> None:
    rewrite(copied / "config.json", model_type="unheard_of", architectures=["\x1b[31mUnheard"])
    error = refused(talker, copied)
    assert error.kind == "unloadable-model"
    assert error.message.isprintable()


def test_a_broken_configuration_is_told(talker: Talker, copied: Path) -> None:
    (copied / "config.json").write_text("{", encoding="utf-8")
    assert refused(talker, copied).kind == "unloadable-model"


def test_a_model_without_a_tokenizer_is_told(talker: Talker, copied: Path) -> None:
    for name in ("tokenizer.json", "tokenizer_config.json"):
        (copied / name).unlink()
    assert refused(talker, copied).kind == "unloadable-tokenizer"


def test_after_a_model_that_fails_another_one_is_loaded(copied: Path, small_model: Path) -> None:
    with Talker(Settings()) as talker:
        os.truncate(copied / "model.safetensors", 1000)
        assert refused(talker, copied).kind == "unreadable-weights"
        loaded(talker, small_model)
        assert answers(talker, prompt("Hi"), tokens=2)


def test_a_model_stops_where_its_generation_config_says(copied: Path) -> None:
    every = json.loads((copied / "config.json").read_text(encoding="utf-8"))["vocab_size"]
    rewrite(copied / "generation_config.json", eos_token_id=[*range(every)])
    with Talker(Settings()) as talker:
        assert len(loaded(talker, copied).stops) == every
        (answer,) = answers(talker, prompt("Hi"))
    assert (answer.tokens, answer.text) == (1, "")
    assert answer.stop


def test_weights_are_loaded_as_the_user_says(small_model: Path) -> None:
    with Talker(Settings(device="cpu", dtype="bfloat16")) as talker:
        told = loaded(talker, small_model)
        assert (told.device, told.dtype) == ("cpu", "bfloat16")
        assert answers(talker, prompt("Hi"), tokens=2)
