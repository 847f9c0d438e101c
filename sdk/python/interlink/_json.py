"""Between JSON and Python's types: dataclasses, lists, tuples, dicts, optionals, enums and literals.

How a type is read and written is worked out once, so that a component's snapshot has it and no call works it out again.
"""

from __future__ import annotations

import dataclasses
import enum
import json
import types
import typing
from typing import Any, Callable

#: Types that are in JSON what they are in Python.
_PLAIN = frozenset({str, int, float, bool, type(None)})
#: The names of the fields of each dataclass; nothing for a type that is none.
_FIELDS: dict[type, tuple[str, ...] | None] = {}


def _fields(kind: type) -> tuple[str, ...] | None:
    if kind not in _FIELDS:
        is_one = dataclasses.is_dataclass(kind) and not issubclass(kind, type)
        _FIELDS[kind] = tuple(one.name for one in dataclasses.fields(kind)) if is_one else None
    return _FIELDS[kind]


def encode(value: Any) -> Any:
    """A value as JSON can say it."""
    kind = type(value)
    if kind in _PLAIN:
        return value
    fields = _fields(kind)
    if fields is not None:
        return {name: encode(getattr(value, name)) for name in fields}
    if isinstance(value, enum.Enum):
        return value.value
    if isinstance(value, dict):
        return {str(key): encode(one) for key, one in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [encode(one) for one in value]
    return value


_write = json.JSONEncoder(ensure_ascii=False).encode
_write_short = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode
_read = json.JSONDecoder().raw_decode


def write(value: Any) -> str:
    """A value as JSON text."""
    return _write(encode(value))


def write_short(value: Any) -> str:
    """A value as JSON text without spaces, as a state has it."""
    # Of a number that is all; for anything else an encoder is made.
    return int.__repr__(value) if type(value) is int else _write_short(encode(value))


def read(text: str) -> Any:
    """What a JSON text says."""
    try:
        value, end = _read(text)
    except ValueError:
        end = -1
    # What the host and this SDK write has nothing before it and nothing behind.
    return value if end == len(text) else json.loads(text)


#: Annotations of each dataclass, resolved once.
_HINTS: dict[type, dict[str, Any]] = {}


def hints(kind: type) -> dict[str, Any]:
    """The annotations of a dataclass, resolved, with what is annotated beside them."""
    if kind not in _HINTS:
        _HINTS[kind] = typing.get_type_hints(kind, include_extras=True)
    return _HINTS[kind]


def prepare(kind: Any) -> None:
    """Works out how a type is read, and all that it is made of."""
    kind = bare(kind)
    if dataclasses.is_dataclass(kind) and isinstance(kind, type) and kind not in _HINTS:
        for one in hints(kind).values():
            prepare(one)
        _fields(kind)
    for one in typing.get_args(kind):
        prepare(one)
    reader = _reader(kind)
    if isinstance(reader, _Dataclass):
        reader.fields()


def bare(kind: Any) -> Any:
    """A type without what is annotated beside it."""
    return typing.get_args(kind)[0] if typing.get_origin(kind) is typing.Annotated else kind


def alternatives(kind: Any) -> tuple[Any, ...] | None:
    """The types of a union, or nothing where it is none."""
    is_union = typing.get_origin(kind) in (typing.Union, types.UnionType)
    return typing.get_args(kind) if is_union else None


#: What makes a value of a type of what JSON says, where that is not it already; never called with ``None``.
_Reader = Callable[[Any], Any]
_READERS: dict[Any, _Reader | None] = {}


class _Dataclass:
    """Makes a dataclass of a JSON object. Its fields are worked out at first use: it may have fields of its own type."""

    def __init__(self, kind: type) -> None:
        self._kind = kind
        self._known: dict[str, _Reader | None] | None = None

    def fields(self) -> dict[str, _Reader | None]:
        if self._known is None:
            self._known = {name: _reader(one) for name, one in hints(self._kind).items()}
        return self._known

    def __call__(self, value: Any) -> Any:
        if not isinstance(value, dict):
            return value
        known = self._known or self.fields()
        given = {}
        for name, one in value.items():
            if name in known:
                reader = known[name]
                given[name] = one if reader is None or one is None else reader(one)
        return self._kind(**given)


def _each(reader: _Reader | None, value: Any) -> Any:
    return value if reader is None or value is None else reader(value)


def _make(kind: Any) -> _Reader | None:
    if kind is Any:
        return None
    union = alternatives(kind)
    if union is not None:
        others = [one for one in union if one is not type(None)]
        return _reader(others[0]) if len(others) == 1 else None
    origin, inner = typing.get_origin(kind), typing.get_args(kind)
    if origin is list:
        one = _reader(inner[0])
        return lambda value: [_each(one, each) for each in value]
    if origin is tuple and Ellipsis in inner:
        one = _reader(inner[0])
        return lambda value: tuple(_each(one, each) for each in value)
    if origin is tuple:
        readers = [_reader(one) for one in inner]
        return lambda value: tuple(_each(one, each) for one, each in zip(readers, value))
    if origin is dict:
        one = _reader(inner[1])
        return lambda value: {key: _each(one, each) for key, each in value.items()}
    if isinstance(kind, type) and issubclass(kind, enum.Enum):
        return kind
    if dataclasses.is_dataclass(kind) and isinstance(kind, type):
        return _Dataclass(kind)
    return None


def _reader(kind: Any) -> _Reader | None:
    kind = bare(kind)
    try:
        is_known = kind in _READERS
    except TypeError:
        # What is annotated within it cannot be looked up.
        return _make(kind)
    if not is_known:
        _READERS[kind] = _make(kind)
    return _READERS[kind]


def decode(kind: Any, value: Any) -> Any:
    """What JSON says, as a type has it. The host has checked that it fits."""
    return _each(_reader(kind), value)
