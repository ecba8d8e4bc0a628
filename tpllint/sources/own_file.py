"""A file of tpllint's own that the user named: read whole, if it is a regular file of a bearable size."""

from __future__ import annotations

from pathlib import Path

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
