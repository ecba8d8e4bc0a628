"""What has to be there before a model is loaded: packages, a device, memory. Asked in that order, the cheapest first."""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tpllint.generation.failures import failure
from tpllint.generation.settings import AUTO, Settings
from tpllint.generation.stored import Stored

_PACKAGES = ("torch", "transformers")
_GROUP = Path("/sys/fs/cgroup")


def require_packages(settings: Settings) -> None:
    """Raise RepairableError for a package that is not installed; none is imported for it."""
    for package in _PACKAGES:
        if importlib.util.find_spec(package) is None:
            raise failure("missing-package", "", package)
    if settings.quantize is None:
        return
    if importlib.util.find_spec("bitsandbytes") is None:
        raise failure("missing-bitsandbytes", "")
    if importlib.util.find_spec("accelerate") is None:
        raise failure("missing-package", "", "accelerate")


def require_device(settings: Settings, machine: Mapping[str, Any]) -> None:
    """Raise RepairableError for a device that torch cannot use, by what the model's process has told."""
    if settings.device in ("cuda", "mps") and machine[settings.device] is not True:
        raise failure("no-such-device", "", settings.device)


def require_memory(stored: Stored, settings: Settings, machine: Mapping[str, Any]) -> None:
    """Raise RepairableError where the weights alone are larger than what is free where they go."""
    needed, free = stored.needed(settings), _free(settings, int(machine["free"]))
    if free is not None and needed > free:
        reason = f"{_shown(needed)} of memory, and {_shown(free)} are free"
        raise failure("model-too-large", stored.weights.shown, reason)


def _free(settings: Settings, on_devices: int) -> int | None:
    """What is left to a model, in bytes; None where nobody knows. What a GPU does not hold goes to ordinary memory."""
    if settings.device == "cuda":
        return on_devices
    ordinary = available_memory()
    return ordinary if ordinary is None or settings.device != AUTO else ordinary + on_devices


def available_memory() -> int | None:
    """How much memory a program may take now, in bytes; None where the system does not tell."""
    told = [amount for amount in (_of_machine(), _of_group()) if amount is not None]
    return min(told, default=None)


def _of_machine() -> int | None:
    try:
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
        return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable:"))
    except (OSError, ValueError, IndexError, StopIteration):
        return None


def _of_group() -> int | None:
    """What a container is allowed."""
    try:
        limit, used = (int((_GROUP / name).read_text(encoding="ascii")) for name in ("memory.max", "memory.current"))
        told = (_GROUP / "memory.stat").read_text(encoding="ascii").split()
    except (OSError, ValueError):  # no group, or no limit
        return None
    reclaimable = int(told[told.index("inactive_file") + 1]) if "inactive_file" in told else 0
    return max(limit - used + reclaimable, 0)


def _shown(amount: int) -> str:
    return f"{amount / 1e9:.1f} GB"
