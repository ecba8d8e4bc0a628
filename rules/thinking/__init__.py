"""Thinking: what opens a model's reasoning, what switches it, and what a history keeps of it."""
