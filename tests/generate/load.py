"""python -m tests.generate.load REPOSITORY REVISION OPTIONS: loads a model on the Hub, and prints what is told as JSON.

A process of its own, since huggingface_hub reads its environment once, when it is imported.
"""

from __future__ import annotations

import json
import sys

from tests.generate.asking import answers, prompt
from tpllint.errors import RepairableError
from tpllint.generation.settings import Settings, Weights
from tpllint.generation.talker import Talker


def main(repository: str, revision: str, options: str) -> None:
    """An empty revision is the main branch; the options are settings as JSON."""
    heard: list[str] = []
    try:
        with Talker(Settings(**json.loads(options))) as talker:
            talker.load(Weights(None, repository, revision or None), lambda what, part: heard.append(what))
            told = {"text": answers(talker, prompt("Hi"), tokens=2)[0].text, "kind": "", "message": ""}
    except RepairableError as error:
        told = {"text": "", "kind": error.kind, "message": error.message}
    print(json.dumps({**told, "heard": sorted(set(heard))}))


if __name__ == "__main__":
    main(*sys.argv[1:])
