"""Raises when it is imported."""

raise LookupError("this pack is broken")
