"""How bad a finding is."""

from __future__ import annotations

import enum


class Severity(enum.StrEnum):
    """How bad it is: an error fails the run, a warning is shown, an info is silent unless it is asked for."""

    INFO = "info"
    WARNING = "warning"
    ERROR = "error"

    @property
    def rank(self) -> int:
        """0 for info, 1 for warning, 2 for error."""
        return list(Severity).index(self)
