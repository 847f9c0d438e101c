"""An Interlinker as a component: the imports of the world ``interlink:interlinker``, and its exports."""

from __future__ import annotations

import gc
import json
import re
import traceback
from typing import Any, Callable, TypeVar

from componentize_py_types import Err
from interlink import Interlinker, Refusal
from interlink._json import read
from interlink._perform import perform, ready
from interlink._warm import Warm, warm
from wit_world import exports
from wit_world.imports import assets, blobs, clock, context, http, log, notify, outcome, people, random, schedule, secrets
from wit_world.imports import settings, state, usage
from wit_world.imports.types import Problem

T = TypeVar("T")

#: Objects that a call can make, and keep, before garbage is looked for.
COLLECT_AFTER = 50_000


def asked(ask: Callable[..., T], *given: Any) -> T:
    """What the host answers; its problem refuses the call."""
    try:
        return ask(*given)
    except Err as error:
        problem = error.value
        data = None if problem.data is None else json.loads(problem.data)
        raise Refusal(problem.detail, code=problem.code, at=problem.pointer, data=data) from None


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
        return read(context.get())

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
        head, answer = asked(http.send, json.dumps(request), body)
        said = read(head)
        return said["status"], [(name, value) for name, value in said["headers"]], answer

    def settings(self) -> dict[str, Any]:
        return read(settings.get())

    def people(self) -> list[dict[str, Any]]:
        return read(asked(people.all))

    def act_on(self, asset: str, action: str, input: str) -> str:
        return asked(assets.call, asset, action, input)

    def notify(self, message: str) -> None:
        asked(notify.send, message)

    def note(self, word: str, amount: int) -> None:
        asked(usage.note, word, amount)

    def set_alarm(self, name: str, at_micros: int, input: str) -> None:
        asked(schedule.set, name, at_micros, input)

    def cancel_alarm(self, name: str) -> bool:
        return schedule.cancel(name)

    def put_blob(self, media_type: str, content: bytes) -> str:
        return asked(blobs.put, media_type, content)

    def blob_size(self, digest: str) -> int | None:
        return blobs.size(digest)

    def blob(self, digest: str, offset: int, limit: int) -> bytes | None:
        return blobs.get(digest, offset, limit)


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


def run(kind: type[Interlinker], what: str, name: str | None, given: str) -> str:
    """Runs a call as the world has it: a refusal is its problem, an exception its end."""
    try:
        return perform(kind, _Host(), what, name, given)
    except Refusal as refusal:
        data = None if refusal.data is None else json.dumps(refusal.data)
        raise Err(Problem(refusal.code, refusal.detail, refusal.at, data)) from None
    except Exception as error:
        # What is said last as an error is what a call that fails is told with.
        log.write("error", told(error))
        raise


def settle() -> None:
    """Has garbage looked for now, while the component is made, and not in each call: whoever looks writes to every object. What
    is there now is no call's to be looked at; what nothing refers to is freed at once, as ever."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(COLLECT_AFTER)


def serve(module: Any, interface: str) -> type:
    """What the component exports as one of its interfaces: an Interlinker behind the functions of its world."""
    # Annotations are read while the component is made, not in every call.
    kind = ready(module)
    if interface == "Asset":
        # Every component has it, and once is enough.
        warm(_asset(Warm)(), state, context)
    settle()
    # Only what its world has is there to be implemented.
    return {"Asset": _asset, "Migration": _migration, "Alarms": _alarms}[interface](kind)


def _asset(kind: type[Interlinker]) -> type:
    class Asset(exports.Asset):
        def instantiate(self, input: str) -> str:
            return run(kind, "instantiate", None, input)

        def call(self, action: str, input: str) -> str:
            return run(kind, "action", action, input)

        def view(self, query: str) -> str:
            return run(kind, "view", None, query)

    return Asset


def _migration(kind: type[Interlinker]) -> type:
    class Migration(exports.Migration):
        def migrate(self, version: str) -> str:
            return run(kind, "migrate", None, json.dumps(version))

    return Migration


def _alarms(kind: type[Interlinker]) -> type:
    class Alarms(exports.Alarms):
        def ring(self, name: str, input: str) -> str:
            return run(kind, "alarm", name, input)

    return Alarms
