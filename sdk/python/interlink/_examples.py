"""Runs the examples of an Interlinker, each on an asset of its own: ``python -m interlink._examples MODULE``.

The asset is made by the first example of ``@instantiate``, where there is one. What comes to something else than its example says
goes to standard error.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
from typing import Any, Callable

from interlink import Example, Refusal, methods
from interlink._json import encode
from interlink._perform import kind_of
from interlink.testing import TestHost


def failure(of: str, example: Example, call: Callable[[], Any]) -> str | None:
    """What is wrong with an example; nothing where it comes to what it says."""
    try:
        answer, code, detail = call(), None, ""
    except Refusal as refusal:
        answer, code, detail = None, refusal.code, refusal.detail
    output = encode(example.output)
    if example.problem:
        fits, expected = code == example.problem, f"to be refused with `{example.problem}`"
    elif output is None:
        fits, expected = code is None, "to be done"
    else:
        fits, expected = code is None and answer == output, f"to answer {json.dumps(output, ensure_ascii=False)}"
    if fits:
        return None
    answered = f"it answered {json.dumps(answer, ensure_ascii=False)}"
    found = answered if code is None else f"it was refused with `{code}`: {detail}"
    return f'the example "{example.title}" of `{of}` was {expected}, and {found}'


def main(name: str) -> int:
    """Runs the examples of a module."""
    kind = kind_of(importlib.import_module(name))
    (make,) = methods(kind, "instantiate").values()
    openings = make.__interlink__.examples
    opening = encode(openings[0].input) if openings else {}
    runs = [("instantiate", one, lambda one=one: TestHost(kind).instantiate(encode(one.input))) for one in openings]
    for action, method in methods(kind, "action").items():
        for one in method.__interlink__.examples:
            given = encode(one.input)
            runs.append((action, one, lambda action=action, given=given: TestHost.open(kind, opening).act("somebody", action, given)))
    failures = [told for told in (failure(*run) for run in runs) if told is not None]
    for told in failures:
        print(told, file=sys.stderr)
    if runs:
        print(f"{len(runs) - len(failures)} of {len(runs)} examples come to what they say")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.path.insert(0, os.getcwd())
    sys.exit(main(sys.argv[1]))
