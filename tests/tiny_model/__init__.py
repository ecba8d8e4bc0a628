"""A tiny model that was trained to talk ChatML, and prompts that it can answer."""

from pathlib import Path

MODEL = Path(__file__).parent / "model"
ROWS = Path(__file__).parent / "prompts.jsonl"
"""Prompt-completion rows that it was not trained on."""
