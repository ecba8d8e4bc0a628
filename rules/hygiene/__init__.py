"""Hygiene: what reaches the prompt by accident."""
