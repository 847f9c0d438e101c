"""Runs one call of an Interlinker, in its component and in tests."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import inspect
import typing
from typing import Any

from interlink import Call, Host, Interlinker, methods, refuse
from interlink._json import decode, prepare, read, write


def kind_of(module: Any) -> type[Interlinker]:
    """The Interlinker of a module: its one class under ``@interlinker``."""
    found = [one for one in vars(module).values() if isinstance(one, type) and "__about__" in vars(one)]
    if len(found) != 1:
        raise TypeError(f"{module.__name__} has {len(found)} classes under `@interlinker`; an Interlinker is one")
    return found[0]


@functools.cache
def parameter(method: Any) -> tuple[str, Any] | None:
    """Name and type of what a method takes beside ``self``."""
    names = list(inspect.signature(method).parameters)[1:]
    if not names:
        return None
    return names[0], typing.get_type_hints(method, include_extras=True).get(names[0], Any)


def ready(module: Any) -> type[Interlinker]:
    """The Interlinker of a module, with all that can be known before a call: a snapshot of the component has it, and no call
    has to find it out."""
    kind = kind_of(module)
    for what in ("instantiate", "action", "view", "alarm", "migrate"):
        for method in methods(kind, what).values():
            takes = parameter(method)
            prepare(takes[1] if takes else None)
    prepare(Call)
    for one in vars(module).values():
        if isinstance(one, type) and dataclasses.is_dataclass(one) and one.__module__ == module.__name__:
            # What no call uses may be annotated with what is not there.
            with contextlib.suppress(NameError):
                prepare(one)
    return kind


#: What neither a view nor a migration can ask of its host, in words.
ASKED = {
    "now": "the clock",
    "random": "randomness",
    "secret": "a secret",
    "http": "HTTP",
    "people": "the people of the process",
    "act_on": "another asset",
    "notify": "telling people something",
    "note": "the registry of usage",
    "set_alarm": "an alarm",
    "cancel_alarm": "an alarm",
    "put_blob": "a blob",
}


class _Looking:
    """A host of which nothing can be asked but what is there."""

    def __init__(self, host: Host) -> None:
        self._host = host

    def __getattr__(self, name: str) -> Any:
        what = ASKED.get(name)
        if what is None:
            return getattr(self._host, name)
        detail = f"a view looks at the asset, a migration at its state: neither can ask for {what}"
        return lambda *_: refuse(detail, code="not-in-a-view")


def perform(kind: type[Interlinker], host: Host, what: str, name: str | None, given: str) -> str:
    """Runs a call: ``instantiate``, ``action`` or ``alarm`` of this name, ``view``, ``migrate``. Input and answer are JSON."""
    of_kind = methods(kind, what)
    if what in ("action", "alarm") and name not in of_kind:
        refuse(f"there is no {what} `{name}`", code=f"no-such-{what}", data={"known": list(of_kind)})
    method = of_kind[name] if what in ("action", "alarm") else next(iter(of_kind.values()), None)
    if method is None:
        # Without a migration, the state stays as it is.
        return "null"
    takes = parameter(method)
    it = kind(_Looking(host) if what in ("view", "migrate") else host)
    answer = method(it) if takes is None else method(it, decode(takes[1], read(given)))
    return write(answer)
