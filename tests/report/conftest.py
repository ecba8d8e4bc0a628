from __future__ import annotations

from tests.report.reports import pointing, run

__all__ = ["pointing", "run"]
