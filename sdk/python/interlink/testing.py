"""A server for the tests of one asset: people, a clock, a state, and a world outside.

It treats an Interlinker as the server does: input is checked against its types first, each call starts from the state alone, and
what a refused call changed is undone. ``interlink interlinker test`` runs the same tests twice: with the class itself, and with
the component that is made of it, under the host that servers have.
"""

from __future__ import annotations

import json
import os
import subprocess
from datetime import datetime, timedelta, timezone
from typing import Any, Callable
from urllib.parse import urlsplit

from interlink import Interlinker, Refusal, methods
from interlink._json import encode
from interlink._perform import perform

#: The clock at the beginning: 2026-01-01T09:00:00Z, in microseconds since 1970.
MORNING = 1_767_258_000_000_000
SECOND = 1_000_000

__all__ = ["Answered", "Failure", "Refusal", "TestHost"]


class Failure(Exception):
    """A call that failed: an exception in the Interlinker, or a limit that it crossed."""

    def __init__(self, detail: str, limit: str) -> None:
        super().__init__(detail)
        self.limit = limit


class Answered:
    """What a service answers: a status and a body, which is JSON unless it is text or bytes."""

    def __init__(self, body: Any = None, *, status: int = 200, headers: list[tuple[str, str]] | None = None) -> None:
        self.status, self.headers = status, headers or []
        self.body = body if isinstance(body, bytes) else (body if isinstance(body, str) else json.dumps(body)).encode()


class Request:
    """What an Interlinker sent."""

    def __init__(self, method: str, url: str, headers: list[tuple[str, str]], body: bytes) -> None:
        self.method, self.url, self.headers, self.body = method, url, headers, body

    def json(self) -> Any:
        """Its body as JSON."""
        return json.loads(self.body)


class TestHost:
    """One asset of an Interlinker. Who was given no roles may do everything."""

    __test__ = False

    def __init__(self, kind: type[Interlinker]) -> None:
        self._kind = kind
        self._roles: dict[str, list[str]] = {}
        self._services: dict[str, Callable[[Request], Answered] | str] = {}
        self._secrets: dict[str, str] = {}
        self._seed = 0
        self._now = MORNING
        #: Outcomes that were declared, in order.
        self.outcomes: list[Any] = []
        #: Lines that were logged: level and message.
        self.logs: list[tuple[str, str]] = []
        #: Requests that were sent.
        self.requests: list[Request] = []
        component = os.environ.get("INTERLINK_TEST_COMPONENT")
        self._runner: _Here | _Component = _Component(self, component) if component else _Here(self, kind)

    @classmethod
    def open(cls, kind: type[Interlinker], input: Any) -> TestHost:
        """Makes an asset, by the server itself."""
        host = cls(kind)
        host.instantiate(input)
        return host

    def instantiate(self, input: Any) -> Any:
        """Makes the asset."""
        return self._call("instantiate", None, None, input)

    def act(self, person: str, action: str, input: Any = None) -> Any:
        """Someone runs an action. What is refused raises a :class:`Refusal`, which has a ``code``."""
        method = methods(self._kind, "action").get(action)
        allow = method.__interlink__.allow if method else []  # type: ignore[attr-defined]
        roles = self._roles.get(person)
        if roles is not None and allow and not any(role in allow for role in roles):
            raise Refusal(f"`{action}` is for {', '.join(allow)}", code="not-allowed")
        return self._call("call", action, person, {} if input is None else input)

    def view(self, query: Any = None, person: str | None = None) -> Any:
        """What the asset shows."""
        return self._call("view", None, person, {} if query is None else query)

    @property
    def outcome(self) -> Any:
        """The outcome that was declared last."""
        return self.outcomes[-1] if self.outcomes else None

    @property
    def state(self) -> dict[str, Any]:
        """The state: every key with its value."""
        return self._runner.state()

    @staticmethod
    def person(name: str) -> str:
        """The id of the person that tests name so."""
        return f"person-{name}"

    def give_roles(self, person: str, *roles: str) -> None:
        """Gives someone these roles, and no others."""
        self._roles[person] = list(roles)

    def wait_seconds(self, seconds: int) -> None:
        """Moves the clock on."""
        self._now += seconds * SECOND

    def secret(self, name: str, secret: str) -> None:
        """Sets a secret. One that the Interlinker does not ask for is not given."""
        self._secrets[name] = secret

    def http(self, request: str, answer: Callable[[Request], Answered]) -> None:
        """Says what a service answers to ``METHOD URL``, the URL without its query, from now on."""
        self._services[request] = answer

    def http_fails(self, request: str, code: str) -> None:
        """Says that ``METHOD URL`` comes to nothing from now on: ``timeout``, ``unreachable``."""
        self._services[request] = code

    def _call(self, what: str, action: str | None, person: str | None, given: Any) -> Any:
        called = self._runner.call(what, action, encode(given), self._context(person))
        self.logs.extend((level, message) for level, message in called["logs"])
        refused, failed = called.get("refused"), called.get("failed")
        if refused:
            raise Refusal(refused["detail"], code=refused["code"], at=refused.get("pointer"), data=refused.get("data"))
        if failed:
            raise Failure(failed["detail"], failed["limit"])
        if called.get("outcome") is not None:
            self.outcomes.append(called["outcome"])
        return called["done"]

    def _context(self, name: str | None) -> dict[str, Any]:
        at = datetime(1970, 1, 1, tzinfo=timezone.utc) + timedelta(microseconds=self._now)
        self._now += SECOND
        person = None if name is None else {"id": self.person(name), "roles": self._roles.get(name, [])}
        where = {"process": "process-1", "task": "task-1", "asset": "asset-1", "language": "en"}
        return {"person": person, **where, "at": at.strftime("%Y-%m-%dT%H:%M:%SZ")}

    # The world outside, for both ways of running.

    def _bytes(self, count: int) -> bytes:
        """A sequence that is the same in every test (SplitMix64)."""
        mask, drawn = (1 << 64) - 1, bytearray()
        while len(drawn) < count:
            self._seed = (self._seed + 0x9E3779B97F4A7C15) & mask
            mixed = self._seed
            mixed = ((mixed ^ (mixed >> 30)) * 0xBF58476D1CE4E5B9) & mask
            mixed = ((mixed ^ (mixed >> 27)) * 0x94D049BB133111EB) & mask
            drawn.extend((mixed ^ (mixed >> 31)).to_bytes(8, "little"))
        return bytes(drawn[:count])

    def _exchange(self, request: Request) -> Answered | str:
        url = request.url.split("?")[0]
        answer = self._services.get(f"{request.method} {url}")
        if answer is None:
            raise AssertionError(f"nobody answers {request.method} {url}: say what does with `http`")
        self.requests.append(request)
        return answer if isinstance(answer, str) else answer(request)


class _Here:
    """The class itself, in this program."""

    def __init__(self, test: TestHost, kind: type[Interlinker]) -> None:
        self._test, self._kind, self._state = test, kind, {}
        path = os.environ.get("INTERLINK_TEST_MANIFEST")
        self._manifest = None
        if path:
            with open(path, encoding="utf-8") as file:
                self._manifest = json.load(file)

    def state(self) -> dict[str, Any]:
        return {key: json.loads(text) for key, text in sorted(self._state.items())}

    def _misfit(self, what: str, action: str | None, given: Any) -> dict[str, Any] | None:
        if self._manifest is None:
            return None
        import jsonschema  # Among the tools that `interlink interlinker test` brings.

        forms = {"instantiate": self._manifest["instantiate"]["input"], "view": self._manifest["view"]["query"]}
        forms.update({f"call {one['name']}": one["input"] for one in self._manifest["actions"]})
        form = forms.get(f"call {action}" if what == "call" else what)
        if form is None:
            return None
        error = next(iter(jsonschema.Draft202012Validator(form).iter_errors(given)), None)
        if error is None:
            return None
        pointer = "".join(f"/{step}" for step in error.absolute_path)
        return {"code": "invalid-input", "detail": error.message, "pointer": pointer}

    def call(self, what: str, action: str | None, given: Any, context: dict[str, Any]) -> dict[str, Any]:
        misfit = self._misfit(what, action, given)
        if misfit:
            return {"refused": misfit, "logs": []}
        host = _HereHost(self._test, dict(self._state), context, self._manifest, what == "view")
        method = "action" if what == "call" else what
        try:
            done = json.loads(perform(self._kind, host, method, action, json.dumps(given)))
        except Refusal as refusal:
            told = {"code": refusal.code, "detail": refusal.detail, "pointer": refusal.at, "data": refusal.data}
            return {"refused": told, "logs": host.logs}
        if what == "view" and host.state != self._state:
            return {"failed": {"limit": "view-changes", "detail": "a view changed the state"}, "logs": host.logs}
        self._state = host.state
        return {"done": done, "outcome": host.declared, "logs": host.logs}


class _HereHost:
    def __init__(self, test: TestHost, state: dict[str, str], context: dict[str, Any], manifest: Any, is_view: bool) -> None:
        self._test, self.state, self._context, self._is_view = test, state, context, is_view
        self._grants = manifest["grants"] if manifest else None
        self.logs: list[tuple[str, str]] = []
        self.declared: Any = None

    def get(self, key: str) -> str | None:
        return self.state.get(key)

    def set(self, key: str, value: str) -> None:
        self.state[key] = value

    def delete(self, key: str) -> None:
        self.state.pop(key, None)

    def range(self, prefix: str, after: str | None, limit: int) -> list[tuple[str, str]]:
        found = [(key, text) for key, text in self.state.items() if key.startswith(prefix) and (after is None or key > after)]
        return sorted(found)[:limit]

    def count(self, prefix: str) -> int:
        return sum(key.startswith(prefix) for key in self.state)

    def context(self) -> dict[str, Any]:
        return self._context

    def declare_outcome(self, outcome: str) -> None:
        self.declared = json.loads(outcome)

    def log(self, level: str, message: str) -> None:
        self.logs.append((level, message))

    def _outside(self) -> None:
        if self._is_view:
            raise Failure("a view asks nobody", "not-granted")

    def now(self) -> int:
        self._outside()
        return self._test._now

    def random(self, count: int) -> bytes:
        self._outside()
        return self._test._bytes(count)

    def secret(self, name: str) -> str | None:
        self._outside()
        is_granted = self._grants is None or any(one["name"] == name for one in self._grants["secrets"])
        return self._test._secrets.get(name) if is_granted else None

    def http(self, request: dict[str, Any], body: bytes) -> tuple[int, list[tuple[str, str]], bytes]:
        self._outside()
        parts = urlsplit(request["url"])
        origin, method = f"{parts.scheme}://{parts.netloc}", request["method"]
        asked = [] if self._grants is None else self._grants["http"]
        is_granted = self._grants is None or any(one["origin"] == origin and method in one["methods"] for one in asked)
        if not is_granted:
            raise Refusal(f"{method} {origin} is not granted", code="not-granted")
        answered = self._test._exchange(Request(method, request["url"], list(request["headers"]), body))
        if isinstance(answered, str):
            raise Refusal("the test has it so", code=answered)
        return answered.status, answered.headers, answered.body


class _Component:
    """The component, in a program that has the host of servers."""

    def __init__(self, test: TestHost, component: str) -> None:
        self._test, self._state = test, {}
        command = [os.environ["INTERLINK_TEST_BINARY"], "interlinker", "run", component]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self._read()

    def __del__(self) -> None:
        if self._process.stdin and self._process.stdout:
            self._process.stdin.close()
            self._process.stdout.close()
        self._process.wait(timeout=60)

    def state(self) -> dict[str, Any]:
        return self._state

    def _read(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise AssertionError("the component's host has gone: what it said stands above")
        return json.loads(line)

    def _say(self, value: dict[str, Any]) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(value) + "\n")
        self._process.stdin.flush()

    def call(self, what: str, action: str | None, given: Any, context: dict[str, Any]) -> dict[str, Any]:
        self._say({"do": what, "action": action, "input": given, "context": context})
        while True:
            said = self._read()
            if "ask" not in said:
                self._state = said.get("state", self._state)
                return said
            self._say({"answer": self._answer(said)})

    def _answer(self, said: dict[str, Any]) -> Any:
        if said["ask"] == "clock":
            return self._test._now
        if said["ask"] == "random":
            return list(self._test._bytes(said["count"]))
        if said["ask"] == "secret":
            return self._test._secrets.get(said["name"])
        asked = said["request"]
        # What the host adds names the call, which no test knows.
        headers = [(name, value) for name, value in asked["headers"] if name != "idempotency-key"]
        answered = self._test._exchange(Request(asked["method"], asked["url"], headers, bytes(asked["body"])))
        if isinstance(answered, str):
            return {"problem": answered}
        return {"status": answered.status, "headers": answered.headers, "body": list(answered.body)}
