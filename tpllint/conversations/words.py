"""The words of the canonical conversations, by who says them; the second ones stand in the longer conversations alone."""

from __future__ import annotations

INSTRUCTION = "instruction-cedar"
QUESTION, SECOND_QUESTION = "question-amber", "question-coral"
ANSWER, SECOND_ANSWER = "answer-birch", "answer-dune"
THOUGHT, SECOND_THOUGHT = "thought-russet", "thought-slate"
REMARK = "remark-marble"
"""What an assistant says beside a call."""
TOOL, SECOND_TOOL = "lookup_kelp", "send_nettle"
ARGUMENT, SECOND_ARGUMENT = "harbour-jasper", "letter-onyx"
RESULT, SECOND_RESULT = "result-iris", "result-pearl"
CALL_ID = "callabc01"
