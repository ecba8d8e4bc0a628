"""A Hugging Face Hub on this machine: a real HTTP server that speaks what its clients use of the Hub's protocol.

`server` holds the repositories and answers, `pages`, `discussions` and `refusals` write the JSON, `community` does what is
asked for in discussions and pull requests, `connection` sends it all, well or badly.
"""

from tests.local_hub.community import READ_ONLY, WRITE
from tests.local_hub.connection import HANG_UP, Manner
from tests.local_hub.server import DISABLED, LARGE, REJECTED_TOKEN, LocalHub

__all__ = ["DISABLED", "HANG_UP", "LARGE", "READ_ONLY", "REJECTED_TOKEN", "WRITE", "LocalHub", "Manner"]
