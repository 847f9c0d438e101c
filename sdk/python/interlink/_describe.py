"""Writes the manifest of an Interlinker, and whether it migrates: what ``@interlinker`` says, and JSON Schemas (2020-12) from annotations.

Run while it is built: ``python -m interlink._describe MODULE``. Mistakes go to standard error, each with its place.
"""

from __future__ import annotations

import dataclasses
import enum
import importlib
import inspect
import json
import os
import sys
import traceback
import typing
from typing import Any

from interlink import Field, methods
from interlink._codes import NO_CODE, wrong_codes
from interlink._json import alternatives, bare, encode, hints
from interlink._perform import kind_of, parameter

#: The version of the manifest's shape.
FORMAT = 1
WORLD = "interlink:interlinker@1.1.0"
SDK = "python 0.1.0"
DRAFT = "https://json-schema.org/draft/2020-12/schema"

#: What a `Field` says, by the words of JSON Schema.
WORDS = {
    "title": "title",
    "minimum": "minimum",
    "maximum": "maximum",
    "minLength": "min_length",
    "maxLength": "max_length",
    "minItems": "min_items",
    "maxItems": "max_items",
    "pattern": "pattern",
    "format": "format",
    "contentMediaType": "media_type",
}
PLAIN = {str: "string", int: "integer", float: "number", bool: "boolean", type(None): "null"}


class Mistake(Exception):
    """Something that the author has to change, with its place."""


def place(of: Any) -> str:
    """Where something is written."""
    try:
        _, line = inspect.getsourcelines(of)
        return f"{os.path.relpath(inspect.getsourcefile(of) or '')}:{line}"
    except (OSError, TypeError):
        return getattr(of, "__qualname__", repr(of))


def said(kind: Any) -> dict[str, Any]:
    """What is annotated beside a type."""
    found = [one for one in getattr(kind, "__metadata__", ()) if isinstance(one, Field)]
    if not found:
        return {}
    help_text = {"description": found[0].help} if found[0].help else {}
    words = {word: getattr(found[0], name) for word, name in WORDS.items()}
    return {**help_text, **{word: value for word, value in words.items() if value is not None}}


def schema(kind: Any, at: str, within: tuple[Any, ...] = ()) -> dict[str, Any]:
    """The JSON Schema of a type."""
    return {**plain(bare(kind), at, within), **said(kind)}


def plain(kind: Any, at: str, within: tuple[Any, ...]) -> dict[str, Any]:
    """The same without what is annotated beside it."""
    if kind is Any:
        return {}
    if kind in within:
        raise Mistake(f"{at}: {kind.__name__} contains itself: a form cannot")
    if kind in PLAIN:
        return {"type": PLAIN[kind]}
    union = alternatives(kind)
    if union is not None:
        return {"anyOf": [schema(one, at, within) for one in union]}
    origin, inner = typing.get_origin(kind), typing.get_args(kind)
    if origin is typing.Literal:
        return {"enum": list(inner)}
    if origin is list or kind is list:
        return {"type": "array", "items": schema(inner[0], at, within) if inner else {}}
    if origin is tuple and Ellipsis not in inner:
        items = [schema(one, at, within) for one in inner]
        return {"type": "array", "prefixItems": items, "items": False, "minItems": len(items)}
    if origin is dict or kind is dict:
        return {"type": "object", "additionalProperties": schema(inner[1], at, within) if inner else {}}
    if isinstance(kind, type) and issubclass(kind, enum.Enum):
        return {"enum": [one.value for one in kind]}
    if dataclasses.is_dataclass(kind) and isinstance(kind, type):
        return of_dataclass(kind, within)
    name = getattr(kind, "__qualname__", repr(kind))
    raise Mistake(f"{at}: `{name}` is nothing that JSON can say: use a dataclass, or str, int, float, bool, list, dict, None")


def of_dataclass(kind: type, within: tuple[Any, ...]) -> dict[str, Any]:
    """An object: its fields, of which those without a default are needed."""
    known = hints(kind)
    at = place(kind)
    properties = {one.name: schema(known[one.name], f"{at} ({one.name})", (*within, kind)) for one in dataclasses.fields(kind)}
    is_needed = lambda one: one.default is dataclasses.MISSING and one.default_factory is dataclasses.MISSING  # noqa: E731
    required = [one.name for one in dataclasses.fields(kind) if is_needed(one)]
    needs = {"required": required} if required else {}
    return {"type": "object", "properties": properties, **needs, "additionalProperties": False}


def input_of(method: Any) -> dict[str, Any]:
    """The form of a method. One that takes nothing has an empty one."""
    takes = parameter(method)
    if takes is None:
        return {"$schema": DRAFT, "type": "object", "properties": {}, "additionalProperties": False}
    name, kind = takes
    at = place(method)
    if kind is Any and name not in getattr(method, "__annotations__", {}):
        raise Mistake(f"{at}: what `{method.__name__}` takes has no type: write `{name}: SomeDataclass`")
    found = schema(kind, at)
    if found.get("type", "object") != "object":
        raise Mistake(f"{at}: an input is an object, its fields are those of the form: give `{name}` a dataclass")
    return {"$schema": DRAFT, **found}


def output_of(method: Any) -> dict[str, Any]:
    """The JSON Schema of what a method answers."""
    kind = typing.get_type_hints(method, include_extras=True).get("return", Any)
    return {"$schema": DRAFT, **schema(kind, place(method))}


def one(kind: type, what: str) -> Any:
    """The one method under a decorator."""
    found = list(methods(kind, what).values())
    if len(found) != 1:
        raise Mistake(f"{place(kind)}: {kind.__name__} has {len(found)} methods under `@{what}`; it needs one")
    return found[0]


def settings_of(kind: Any) -> dict[str, Any]:
    """The schema of what an operator sets."""
    if kind.__settings__ is None:
        return {}
    found = schema(kind.__settings__, place(kind))
    if found.get("type") != "object":
        raise Mistake(f"{place(kind)}: `settings` is a dataclass, whose fields an operator sets")
    return {"settings": {"$schema": DRAFT, **found}}


def examples_of(says: Any) -> dict[str, Any]:
    """What can be tried of a form, where there is something."""
    told = [{word: value for word, value in encode(one).items() if word in ("title", "input") or value} for one in says.examples]
    return {"examples": told} if told else {}


def migrates(kind: Any) -> bool:
    """Whether there is a method under ``@migrate``, which is one at most."""
    return bool(methods(kind, "migrate")) and bool(one(kind, "migrate"))


def manifest(kind: Any) -> dict[str, Any]:
    """The manifest of an Interlinker."""
    about = dict(kind.__about__)
    make, show = one(kind, "instantiate"), one(kind, "view")
    actions = []
    for name, method in methods(kind, "action").items():
        says = method.__interlink__
        written = inspect.getdoc(method)
        help_text = says.help if says.help is not None else ({"en": written} if written else {})
        actions.append(
            {
                "name": name,
                "title": dict(says.title),
                "help": dict(help_text),
                "input": input_of(method),
                "output": output_of(method),
                "allow": list(says.allow),
                "anonymous": says.anonymous,
                **examples_of(says),
            }
        )
    alarms = list(methods(kind, "alarm"))
    languages = list(dict.fromkeys([*about["title"], *about["description"]]))
    return {
        "manifest": FORMAT,
        **about,
        "world": WORLD,
        "sdk": SDK,
        "nature": "software",
        "languages": languages,
        "instantiate": {"title": dict(make.__interlink__.title), "input": input_of(make), **examples_of(make.__interlink__)},
        "actions": actions,
        "view": {"query": input_of(show), "output": output_of(show)},
        **({"alarms": alarms} if alarms else {}),
        **settings_of(kind),
    }


def check_codes() -> None:
    """Checks the codes that are written out in the author's own modules."""
    files = {file for module in list(sys.modules.values()) if (file := getattr(module, "__file__", None)) and file.endswith(".py")}
    own = sorted(file for file in map(os.path.relpath, files) if not file.startswith((".", os.sep)))
    mistakes = []
    for file in own:
        with open(file, encoding="utf-8") as source:
            mistakes += [f"{file}:{line}: {code!r} {NO_CODE}" for line, code in wrong_codes(source.read())]
    if mistakes:
        raise Mistake("\n".join(mistakes))


def main(name: str) -> int:
    """Writes the manifest of a module."""
    try:
        kind = kind_of(importlib.import_module(name))
        check_codes()
        # Whether it has a migration is no part of the manifest: its component has the export, or not.
        described = {"manifest": manifest(kind), "migrates": migrates(kind)}
        print(json.dumps(described, indent=2, ensure_ascii=False))
        return 0
    except (Mistake, TypeError, NameError) as error:
        known = isinstance(error, Mistake)
        print(error if known else traceback.format_exc(), file=sys.stderr)
    except SyntaxError as error:
        print(f"{os.path.relpath(error.filename or name)}:{error.lineno}:{error.offset}: {error.msg}", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.path.insert(0, os.getcwd())
    sys.exit(main(sys.argv[1]))
