"""A file of tpllint's own that the user named: a regular file of a bearable size, and JSON that leaves no doubt."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tpllint.errors import RepairableError
from tpllint.sources.opening import NotRegularError, opened


def own_bytes(path: str, max_bytes: int, *, takes: str, too_large: RepairableError) -> bytes:
    """What is in the file; `takes` says what the option takes. Raises FileNotFoundError, RepairableError."""
    try:
        with opened(Path(path)) as stream:
            data = stream.read(max_bytes + 1)
    except FileNotFoundError:
        raise
    except NotRegularError as error:
        raise RepairableError("not-a-file", f"not a regular file: {path}", takes) from error
    except (OSError, ValueError) as error:
        reason = (getattr(error, "strerror", None) or str(error)).lower()
        raise RepairableError(
            "unusable-path", f"{path} cannot be read: {reason}", "check the path and its permissions"
        ) from error
    if len(data) > max_bytes:
        raise too_large
    return data


class FormError(ValueError):
    """A file does not have the form that tpllint gives it; the message says what is wrong with it."""


def own_json(data: bytes) -> Any:
    """What such a file holds. Raises FormError."""
    try:
        return json.loads(data.decode("utf-8-sig"), object_pairs_hook=_without_repeats)
    except FormError:
        raise
    except json.JSONDecodeError as error:
        raise FormError(f"not usable JSON in line {error.lineno}, column {error.colno}") from error
    except UnicodeDecodeError as error:
        raise FormError(f"not usable JSON: byte {error.start} is not UTF-8") from error
    except RecursionError as error:
        raise FormError("not usable JSON: it nests too deeply") from error
    except ValueError as error:
        raise FormError("not usable JSON: a number has too many digits") from error


def _without_repeats(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object of these keys; of one that stands there twice, readers would see only the last."""
    found = dict(pairs)
    if len(found) < len(pairs):
        raise FormError("a key stands there twice")
    return found
