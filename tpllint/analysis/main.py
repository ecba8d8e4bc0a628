"""The worker: reads jobs from stdin, answers on stdout, and is the only process in which a template is executed."""

from __future__ import annotations

import gc
import importlib
import os
import site
import sys
from collections.abc import Callable, Mapping
from typing import Any

from tpllint import registry, wire
from tpllint.analysis import limits
from tpllint.analysis.examine import describe_all, examine, render_all, told_traceback
from tpllint.job import job_from_json
from tpllint.rule import Rule

Send = Callable[[dict[str, Any]], None]

IMPORTED_LATE = (
    "encodings.ascii",
    "encodings.cp1252",
    "encodings.idna",
    "encodings.latin_1",
    "encodings.punycode",
    "encodings.raw_unicode_escape",
    "encodings.unicode_escape",
    "encodings.utf_16",
    "encodings.utf_16_be",
    "encodings.utf_16_le",
    "encodings.utf_32",
    "encodings.utf_7",
    "encodings.utf_8_sig",
    "html",
    "jinja2.constants",
    "jinja2.debug",
    "pprint",
    "random",
    "textwrap",
    "unicodedata",
    "urllib.parse",
    "_strptime",
)
"""What Jinja and the standard library import inside functions: once confined, this process can open no file."""


ROOMS = {
    "description": "tpllint.analysis.description.assembly",
    "rows": "tpllint.analysis.rows",
    "side": "tpllint.analysis.side",
    "signatures": "tpllint.analysis.signing",
}
"""What takes time to import and most runs do not need, by the name under which a parent asks for it."""


def main() -> None:
    """Serve until stdin ends."""
    jobs, send = sys.stdin.buffer, _sender(os.dup(1))
    sys.stdout = sys.stderr
    hello = wire.read(jobs, wire.MAX_JOB_BYTES)
    if hello is None:
        return
    if hello["packs"] and sys.flags.no_site:
        site.main()  # a pack may be installed by way of an import hook, which no path tells
    try:
        rules = registry.load(hello["packs"])
    except Exception as error:  # a pack is a stranger's code: whatever it does on import is reported, not raised
        send({"kind": "broken-pack", "message": f"{type(error).__name__}: {error}"})
        return
    told = (rule.info() if hello["documented"] else rule.identity() for rule in rules.values())
    send({"kind": "ready", "rules": [info._asdict() for info in told]})  # while the parent reads it, the rest is imported
    asked = {*hello["rooms"], *(["description"] if hello["packs"] else [])}  # the rules of a pack may ask for one
    for name in (*IMPORTED_LATE, *(module for room, module in ROOMS.items() if room in asked)):
        importlib.import_module(name)
    gc.freeze()
    gc.enable()  # spawn turns it off: collecting while modules are imported finds nothing
    with open(os.devnull, "wb") as nowhere:
        os.dup2(nowhere.fileno(), 2)  # until here the parent reads it: what kept the worker from starting
    limits.confine()
    while (message := wire.read(jobs, wire.MAX_JOB_BYTES)) is not None:
        limits.renew_cpu()
        _serve(message, rules, send)


def _sender(descriptor: int) -> Send:
    stream = os.fdopen(descriptor, "wb", buffering=0)

    def send(message: dict[str, Any]) -> None:
        body = memoryview(wire.encode(message))
        while body:
            body = body[stream.write(body) :]

    return send


def _serve(message: Mapping[str, Any], rules: Mapping[str, Rule], send: Send) -> None:
    send({"kind": "serving"})
    try:
        job = job_from_json(message)
        if job.want == "renders":
            render_all(job, send)
        elif job.want == "description":
            describe_all(job, send)
        elif job.want == "rows":
            importlib.import_module(ROOMS["rows"]).examine_rows(job, send)
        elif job.want == "side":
            importlib.import_module(ROOMS["side"]).examine_side(job, [rules[name] for name in job.rules], send)
        elif job.want == "signatures":
            importlib.import_module(ROOMS["signatures"]).sign_all(job, send)
        else:
            examine(job, [rules[name] for name in job.rules], send)
    except Exception:  # a defect: the parent reports it with its traceback, and the other targets go on
        send({"kind": "crash", "rule": "", "traceback": told_traceback()})


if __name__ == "__main__":
    main()
