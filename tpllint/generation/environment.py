"""What the process of a model gets of the user's environment: where things lie and how devices are used, no secrets."""

from __future__ import annotations

import os
import re

from tpllint.generation.settings import Settings

_NAMES = frozenset(
    (
        *("HOME", "PATH", "LANG", "TMPDIR", "USER", "LOGNAME", "XDG_CACHE_HOME", "LD_LIBRARY_PATH"),
        *("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"),
        *("SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"),
    )
)
_BEGINNINGS = ("HF_", "HUGGINGFACE_", "CUDA_", "NVIDIA_", "PYTORCH_", "OMP_", "MKL_", "ROCR_", "HIP_", "HSA_", "BNB_", "LC_")
_TOKENS = ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN")
_SECRET = re.compile(r"TOKEN|KEY|SECRET|PASSWORD")
_NO_SECRET = ("HF_TOKEN_PATH",)
_QUIET = {
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "HF_HUB_DISABLE_PROGRESS_BARS": "0",  # they are counted, and shown by nobody
    "DISABLE_SAFETENSORS_CONVERSION": "1",  # it asks a service on the network
    "TRANSFORMERS_VERBOSITY": "error",
    "TRANSFORMERS_NO_ADVISORY_WARNINGS": "1",
    "TOKENIZERS_PARALLELISM": "false",
    "BITSANDBYTES_NOWELCOME": "1",
    "PYTHONWARNINGS": "ignore",
    "OMP_WAIT_POLICY": "passive",  # threads that wait by turning around take the time of those that work
}


def environment(settings: Settings) -> dict[str, str]:
    """The environment of the process."""
    passed = {name: value for name, value in os.environ.items() if _is_passed(name)}
    offline = {"HF_HUB_OFFLINE": "1"} if settings.offline else {}
    return {**passed, **_QUIET, **offline}


def token_of(settings: Settings) -> str | None:
    """The access token for the Hub that the user has given; None leaves it to what `hf auth login` has kept."""
    return settings.token or next((os.environ[name] for name in _TOKENS if os.environ.get(name)), None)


def _is_passed(name: str) -> bool:
    if _SECRET.search(name) and name not in _NO_SECRET:
        return False
    return name.upper() in _NAMES or name.startswith(_BEGINNINGS)
