"""A Hugging Face Hub on this machine: a real HTTP server that speaks what its clients use of the Hub's protocol.

`server` holds the repositories and answers, `pages` writes the JSON, `connection` sends it, well or badly.
"""

from tests.local_hub.connection import HANG_UP, Manner
from tests.local_hub.server import DISABLED, LARGE, REJECTED_TOKEN, LocalHub

__all__ = ["DISABLED", "HANG_UP", "LARGE", "REJECTED_TOKEN", "LocalHub", "Manner"]
