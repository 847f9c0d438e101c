"""An Interlinker as a component: the imports of the world ``interlink:interlinker``, and its export."""

from __future__ import annotations

import json
import re
import traceback
from typing import Any

from componentize_py_types import Err
from interlink import Refusal
from interlink._perform import kind_of, parameter, perform
from interlink import methods
from wit_world import exports
from wit_world.imports import clock, context, http, log, outcome, random, secrets, state
from wit_world.imports.types import Problem


class _Host:
    def get(self, key: str) -> str | None:
        value = state.get(key)
        return None if value is None else value.decode()

    def set(self, key: str, value: str) -> None:
        state.set(key, value.encode())

    def delete(self, key: str) -> None:
        state.delete(key)

    def range(self, prefix: str, after: str | None, limit: int) -> list[tuple[str, str]]:
        return [(key, value.decode()) for key, value in state.range(prefix, after, limit)]

    def count(self, prefix: str) -> int:
        return state.count(prefix)

    def context(self) -> dict[str, Any]:
        return json.loads(context.get())

    def declare_outcome(self, declared: str) -> None:
        outcome.declare(declared)

    def log(self, level: str, message: str) -> None:
        log.write(level, message)

    def now(self) -> int:
        return clock.now()

    def random(self, count: int) -> bytes:
        return random.bytes(count)

    def secret(self, name: str) -> str | None:
        return secrets.get(name)

    def http(self, request: dict[str, Any], body: bytes) -> tuple[int, list[tuple[str, str]], bytes]:
        try:
            head, answer = http.send(json.dumps(request), body)
        except Err as error:
            raise Refusal(error.value.detail, code=error.value.code) from None
        read = json.loads(head)
        return read["status"], [(name, value) for name, value in read["headers"]], answer


def told(error: BaseException) -> str:
    """An exception with its functions and lines, the innermost first. Python's own words for it would read the sources,
    which are not there."""
    frames = [(frame.f_code, line) for frame, line in traceback.walk_tb(error.__traceback__)]
    # Sources lie in numbered folders there.
    file = lambda code: re.sub(r"^/\d+/", "", code.co_filename)  # noqa: E731
    places = [f"    at {code.co_qualname} ({file(code)}:{line})" for code, line in reversed(frames)]
    cause = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    whole = "\n".join([f"{type(error).__name__}: {error}", *places])
    return f"{whole}\ncaused by {told(cause)}" if cause else whole


def serve(module: Any) -> type:
    """What the component exports: an Interlinker behind the functions of its world."""
    kind = kind_of(module)
    # Annotations are read while the component is made, not in every call.
    for what in ("instantiate", "action", "view"):
        for method in methods(kind, what).values():
            parameter(method)

    def run(what: str, action: str | None, given: str) -> str:
        try:
            return perform(kind, _Host(), what, action, given)
        except Refusal as refusal:
            data = None if refusal.data is None else json.dumps(refusal.data)
            raise Err(Problem(refusal.code, refusal.detail, refusal.at, data)) from None
        except Exception as error:
            # What is said last as an error is what a call that fails is told with.
            log.write("error", told(error))
            raise

    class Asset(exports.Asset):
        def instantiate(self, input: str) -> str:
            return run("instantiate", None, input)

        def call(self, action: str, input: str) -> str:
            return run("action", action, input)

        def view(self, query: str) -> str:
            return run("view", None, query)

    return Asset
