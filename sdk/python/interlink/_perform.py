"""Runs one call of an Interlinker, in its component and in tests."""

from __future__ import annotations

import inspect
import json
import typing
from typing import Any

from interlink import Host, Interlinker, methods, refuse
from interlink._json import decode, encode


def kind_of(module: Any) -> type[Interlinker]:
    """The Interlinker of a module: its one class under ``@interlinker``."""
    found = [one for one in vars(module).values() if isinstance(one, type) and "__about__" in vars(one)]
    if len(found) != 1:
        raise TypeError(f"{module.__name__} has {len(found)} classes under `@interlinker`; an Interlinker is one")
    return found[0]


def parameter(method: Any) -> tuple[str, Any] | None:
    """Name and type of what a method takes beside ``self``."""
    names = list(inspect.signature(method).parameters)[1:]
    if not names:
        return None
    return names[0], typing.get_type_hints(method, include_extras=True).get(names[0], Any)


def perform(kind: type[Interlinker], host: Host, what: str, action: str | None, given: str) -> str:
    """Runs a call; input and answer are JSON."""
    of_kind = methods(kind, what)
    if what == "action" and action not in of_kind:
        refuse(f"there is no action `{action}`", code="no-such-action", data={"known": list(of_kind)})
    method = of_kind[action] if what == "action" else next(iter(of_kind.values()))
    takes = parameter(method)
    it = kind(host)
    answer = method(it) if takes is None else method(it, decode(takes[1], json.loads(given)))
    return json.dumps(encode(answer), ensure_ascii=False)
