"""Models that answer: a process of its own loads one, and tpllint asks it.

This side, where `talker` is the door, imports nothing heavy. `model_process` and the other modules named after the model run in
the other process alone.
"""
