"""Makes calls of an Interlinker of the SDK's own while a component is made.

The interpreter adapts code to what runs, and notes for each instruction how far it is with that. What every call runs is so
adapted in the component's snapshot already: a call begins with it, and does not write to all the code that it comes through.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from interlink import Interlinker, action, ensure, instantiate, interlinker, view

#: How often each call is made: more often than the interpreter waits before it adapts code.
CALLS = 40
#: Who makes them.
CONTEXT = '{"person": {"id": "p", "roles": ["r"]}, "process": "p", "task": "t", "asset": "a", "language": "en", "at": "t"}'


@dataclass
class Note:
    """What is added."""

    text: str
    stars: int | None = None


@dataclass
class Notes:
    """What is there."""

    notes: list[Note]
    total: int


@interlinker(name="warm", version="0.0.0")
class Warm(Interlinker):
    """Does what Interlinkers do, and is no part of any."""

    @instantiate
    def begin(self) -> None:
        self.state.set("total", 0)

    @action
    def add(self, input: Note) -> Notes:
        ensure(self.person, "somebody adds")
        notes = self.state.map("notes", Note)
        notes[str(len(notes))] = input
        self.state.set("total", self.state.get("total", int) + 1)
        return self.shown()

    @view
    def shown(self) -> Notes:
        notes = self.state.map("notes", Note)
        return Notes([notes.get("0"), *notes.values()], self.state.get("total", int))


def warm(asset: Any, state: Any, context: Any) -> None:
    """Makes them, by the exports of an asset of :class:`Warm`. Meanwhile its imports are functions of our own: those of the host
    are not there yet."""
    kept: dict[str, bytes] = {}

    def below(prefix: str) -> list[tuple[str, bytes]]:
        return [(key, value) for key, value in sorted(kept.items()) if key.startswith(prefix)]

    ours: dict[tuple[Any, str], Callable[..., Any]] = {
        (state, "get"): kept.get,
        (state, "set"): kept.__setitem__,
        (state, "count"): lambda prefix: len(below(prefix)),
        (state, "range"): lambda prefix, after, limit: below(prefix),
        (context, "get"): lambda: CONTEXT,
    }
    hosts = {(module, name): getattr(module, name) for module, name in ours}
    try:
        for (module, name), function in ours.items():
            setattr(module, name, function)
        for _ in range(CALLS):
            kept.clear()
            asset.instantiate("{}")
            asset.call("add", '{"text": "t", "stars": 3}')
            asset.view("{}")
    finally:
        for (module, name), function in hosts.items():
            setattr(module, name, function)
