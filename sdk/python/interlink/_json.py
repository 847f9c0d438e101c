"""Between JSON and Python's types: dataclasses, lists, tuples, dicts, optionals, enums and literals."""

from __future__ import annotations

import dataclasses
import enum
import types
import typing
from typing import Any


def encode(value: Any) -> Any:
    """A value as JSON can say it."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {one.name: encode(getattr(value, one.name)) for one in dataclasses.fields(value)}
    if isinstance(value, enum.Enum):
        return value.value
    if isinstance(value, dict):
        return {str(key): encode(one) for key, one in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [encode(one) for one in value]
    return value


#: Annotations of each dataclass, resolved once: a snapshot of the component has them already.
_HINTS: dict[type, dict[str, Any]] = {}


def hints(kind: type) -> dict[str, Any]:
    """The annotations of a dataclass, resolved, with what is annotated beside them."""
    if kind not in _HINTS:
        _HINTS[kind] = typing.get_type_hints(kind, include_extras=True)
    return _HINTS[kind]


def prepare(kind: Any) -> None:
    """Resolves the annotations of a type and of all that it is made of."""
    kind = bare(kind)
    if dataclasses.is_dataclass(kind) and isinstance(kind, type) and kind not in _HINTS:
        for one in hints(kind).values():
            prepare(one)
    for one in typing.get_args(kind):
        prepare(one)


def bare(kind: Any) -> Any:
    """A type without what is annotated beside it."""
    return typing.get_args(kind)[0] if typing.get_origin(kind) is typing.Annotated else kind


def alternatives(kind: Any) -> tuple[Any, ...] | None:
    """The types of a union, or nothing where it is none."""
    is_union = typing.get_origin(kind) in (typing.Union, types.UnionType)
    return typing.get_args(kind) if is_union else None


def decode(kind: Any, value: Any) -> Any:
    """What JSON says, as a type has it. The host has checked that it fits."""
    kind = bare(kind)
    if kind is Any or value is None:
        return value
    union = alternatives(kind)
    if union is not None:
        others = [one for one in union if one is not type(None)]
        return decode(others[0], value) if len(others) == 1 else value
    origin, inner = typing.get_origin(kind), typing.get_args(kind)
    if origin is list:
        return [decode(inner[0], one) for one in value]
    if origin is tuple:
        return tuple(decode(one, each) for one, each in zip(inner, value))
    if origin is dict:
        return {key: decode(inner[1], one) for key, one in value.items()}
    if isinstance(kind, type) and issubclass(kind, enum.Enum):
        return kind(value)
    if dataclasses.is_dataclass(kind) and isinstance(kind, type) and isinstance(value, dict):
        known = hints(kind)
        return kind(**{name: decode(known[name], one) for name, one in value.items() if name in known})
    return value
