"""A server for the tests of one asset: people, a clock, a state, and a world outside.

It treats an Interlinker as the server does: input is checked against its types first, each call starts from the state alone, and
what a refused call changed is undone. ``interlink interlinker test`` runs the same tests twice: with the class itself, and with
the component that is made of it, under the host that servers have.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import subprocess
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Callable
from urllib.parse import urlsplit

from interlink import EPOCH, Interlinker, Refusal, methods
from interlink._codes import CODE, NO_CODE
from interlink._json import encode
from interlink._perform import perform

#: The clock at the beginning: 2026-01-01T09:00:00Z, in microseconds since 1970.
MORNING = 1_767_258_000_000_000
SECOND = 1_000_000
#: A word of the registry of usage, and the name of an alarm.
WORD = re.compile(r"[A-Za-z0-9._-]+")
#: A media type, with parameters.
MEDIA_TYPE = re.compile(r"[\w!#$&^.+-]+/[\w!#$&^.+-]+\s*(;[ -~]*)?", re.ASCII)

__all__ = ["Alarm", "Answered", "Blob", "Failure", "Message", "Refusal", "TestHost"]


@dataclass(frozen=True)
class Message:
    """A message that was sent to people."""

    to: list[str]
    title: str
    text: str


@dataclass(frozen=True)
class Alarm:
    """An alarm that is set: its time in microseconds since 1970, and with what."""

    at: int
    input: Any


@dataclass(frozen=True)
class Blob:
    """A blob that a call put."""

    media_type: str
    size_bytes: int


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
        self._settings: dict[str, Any] = {}
        self._people: list[str] = []
        self._others: dict[tuple[str, str], Callable[[Any], Any]] = {}
        self._seed = 0
        self._now = MORNING
        #: Outcomes that were declared, in order.
        self.outcomes: list[Any] = []
        #: Lines that were logged: level and message.
        self.logs: list[tuple[str, str]] = []
        #: Requests that were sent.
        self.requests: list[Request] = []
        #: Messages that were sent to people, in order.
        self.messages: list[Message] = []
        #: What the Interlinker said happened, in order: words and amounts.
        self.noted: list[tuple[str, int]] = []
        #: Alarms that are set, by name.
        self.alarms: dict[str, Alarm] = {}
        #: Blobs that calls put, by digest.
        self.blobs: dict[str, Blob] = {}
        component = os.environ.get("INTERLINK_TEST_COMPONENT")
        self._runner: _Here | _Component = _Component(self, component) if component else _Here(self, kind)

    @classmethod
    def open(cls, kind: type[Interlinker], input: Any) -> TestHost:
        """Makes an asset, by the server itself."""
        host = cls(kind)
        host.instantiate(input)
        return host

    @classmethod
    def migrate(cls, kind: type[Interlinker], state: dict[str, Any], version: str) -> TestHost:
        """Has an asset, with a state that an earlier version left, move to this version. What is refused raises a
        :class:`Refusal`."""
        host = cls(kind)
        host._runner.keep(state)
        host._call("migrate", version, None, None)
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
        anonymous = bool(method and method.__interlink__.anonymous)  # type: ignore[attr-defined]
        return self._call("call", action, person, {} if input is None else input, anonymous)

    def view(self, query: Any = None, person: str | None = None) -> Any:
        """What the asset shows."""
        return self._call("view", None, person, {} if query is None else query)

    def ring(self) -> Any:
        """Lets the alarm ring that is next, and the clock go on to its time."""
        assert self.alarms, "no alarm is set"
        name, alarm = min(self.alarms.items(), key=lambda one: one[1].at)
        self._now = max(self._now, alarm.at)
        return self._call("ring", name, None, alarm.input)

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

    @staticmethod
    def pseudonym(name: str) -> str:
        """The id that an anonymous action sees of the person that tests name so."""
        return f"pseudonym:{hashlib.sha256(name.encode()).hexdigest()[:32]}"

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

    def settings(self, settings: dict[str, Any]) -> None:
        """Says what an operator has set for this Interlinker."""
        self._settings = settings

    def people(self, *names: str) -> None:
        """Says who takes part in the process, by the names that the test gives them."""
        self._people = list(names)

    def asset(self, asset: str, action: str, answer: Callable[[Any], Any]) -> None:
        """Says what an action of another asset answers from now on. A :class:`Refusal` that it raises is the other's."""
        self._others[(asset, action)] = answer

    def put_blob(self, media_type: str, content: bytes | str) -> str:
        """Someone puts a blob there, as the API lets them; answers what it is known by."""
        return self._runner.put(media_type, content.encode() if isinstance(content, str) else content)

    def _call(self, what: str, name: str | None, person: str | None, given: Any, anonymous: bool = False) -> Any:
        called = self._runner.call(what, name, encode(given), self._context(person, anonymous))
        self.logs.extend((level, message) for level, message in called["logs"])
        refused, failed = called.get("refused"), called.get("failed")
        if refused:
            if not CODE.fullmatch(refused["code"]):
                # A server makes `refused` of such a one, and a test would not see it.
                raise Failure(f"it was refused with the code {refused['code']!r}, which {NO_CODE}", "code")
            raise Refusal(refused["detail"], code=refused["code"], at=refused.get("pointer"), data=refused.get("data"))
        if failed:
            raise Failure(failed["detail"], failed["limit"])
        if called.get("outcome") is not None:
            self.outcomes.append(called["outcome"])
        if what == "ring":
            # It rings once; what it sets is taken in after it.
            self.alarms.pop(name or "", None)
        self._take_in(called.get("besides", {}))
        return called["done"]

    def _take_in(self, besides: dict[str, Any]) -> None:
        """What a call wanted besides."""
        self.noted.extend((one["word"], one["amount"]) for one in besides.get("noted", []))
        self.messages.extend(Message(**one) for one in besides.get("messages", []))
        for name, alarm in besides.get("alarms", {}).items():
            self.alarms.pop(name, None)
            if alarm is not None:
                self.alarms[name] = Alarm(**alarm)
        self.blobs.update({digest: Blob(**one) for digest, one in besides.get("blobs", {}).items()})

    def _context(self, name: str | None, anonymous: bool) -> dict[str, Any]:
        at = EPOCH + timedelta(microseconds=self._now)
        self._now += SECOND
        person = None if name is None else {"id": self.person(name), "roles": self._roles.get(name, [])}
        if name is not None and anonymous:
            person = {"id": self.pseudonym(name), "roles": []}
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

    def _participants(self) -> list[dict[str, Any]]:
        return [{"id": self.person(name), "roles": self._roles.get(name, ["contributor"])} for name in self._people]

    def _other(self, asset: str, action: str, given: Any) -> dict[str, Any]:
        """What another asset answers, as the component's host is told it."""
        answer = self._others.get((asset, action))
        if answer is None:
            raise AssertionError(f"nobody answers `{action}` of `{asset}`: say what does with `asset`")
        try:
            return {"output": encode(answer(given))}
        except Refusal as refusal:
            return {"problem": {"code": refusal.code, "detail": refusal.detail}}

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
        self._test, self._kind, self._state, self._blobs = test, kind, {}, {}
        path = os.environ.get("INTERLINK_TEST_MANIFEST")
        self._manifest = None
        if path:
            with open(path, encoding="utf-8") as file:
                self._manifest = json.load(file)

    def state(self) -> dict[str, Any]:
        return {key: json.loads(text) for key, text in sorted(self._state.items())}

    def keep(self, state: dict[str, Any]) -> None:
        self._state = {key: json.dumps(value) for key, value in state.items()}

    def put(self, media_type: str, content: bytes) -> str:
        digest = digest_of(content)
        self._blobs[digest] = (media_type, content)
        return digest

    def _misfit(self, what: str, action: str | None, given: Any) -> dict[str, Any] | None:
        if self._manifest is None or what in ("ring", "migrate"):
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

    def call(self, what: str, name: str | None, given: Any, context: dict[str, Any]) -> dict[str, Any]:
        misfit = self._misfit(what, name, given)
        if misfit:
            return {"refused": misfit, "logs": []}
        host = _HereHost(self._test, dict(self._state), dict(self._blobs), context, self._manifest)
        host.rings = bool(methods(self._kind, "alarm"))
        method = {"call": "action", "ring": "alarm"}.get(what, what)
        try:
            done = json.loads(perform(self._kind, host, method, name, json.dumps(name if what == "migrate" else given)))
        except Refusal as refusal:
            told = {"code": refusal.code, "detail": refusal.detail, "pointer": refusal.at, "data": refusal.data}
            return {"refused": told, "logs": host.logs}
        if what == "view" and host.state != self._state:
            return {"failed": {"limit": "view-changes", "detail": "a view changed the state"}, "logs": host.logs}
        put = {digest: one for digest, one in host.blobs.items() if digest not in self._blobs}
        kept = {digest: {"media_type": kind, "size_bytes": len(content)} for digest, (kind, content) in put.items()}
        self._state, self._blobs = host.state, host.blobs
        return {"done": done, "outcome": host.declared, "besides": {**host.besides, "blobs": kept}, "logs": host.logs}


def digest_of(content: bytes) -> str:
    """What a blob is known by."""
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


class _HereHost:
    def __init__(
        self, test: TestHost, state: dict[str, str], blobs: dict[str, tuple[str, bytes]], context: dict[str, Any], manifest: Any
    ) -> None:
        self._test, self.state, self.blobs, self._context = test, state, blobs, context
        self._grants = manifest["grants"] if manifest else None
        self.rings = False
        self.logs: list[tuple[str, str]] = []
        self.declared: Any = None
        #: What the call wants besides, as the component's host tells it.
        self.besides: dict[str, Any] = {"noted": [], "messages": [], "alarms": {}}

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

    def _ensure(self, granted: Any, what: str) -> None:
        """What the manifest asks for is granted, and nothing else is."""
        if self._grants is not None and not granted:
            raise Refusal(f"{what} is not granted: `@interlinker` does not ask for it", code="not-granted")

    def _asked(self, what: str) -> Any:
        return (self._grants or {}).get(what) or []

    def now(self) -> int:
        return self._test._now

    def random(self, count: int) -> bytes:
        return self._test._bytes(count)

    def secret(self, name: str) -> str | None:
        is_granted = self._grants is None or any(one["name"] == name for one in self._grants["secrets"])
        return self._test._secrets.get(name) if is_granted else None

    def http(self, request: dict[str, Any], body: bytes) -> tuple[int, list[tuple[str, str]], bytes]:
        parts = urlsplit(request["url"])
        origin, method = f"{parts.scheme}://{parts.netloc}", request["method"]
        granted = any(one["origin"] == origin and method in one["methods"] for one in self._asked("http"))
        self._ensure(granted, f"{method} {origin}")
        answered = self._test._exchange(Request(method, request["url"], list(request["headers"]), body))
        if isinstance(answered, str):
            raise Refusal("the test has it so", code=answered)
        return answered.status, answered.headers, answered.body

    def settings(self) -> dict[str, Any]:
        return json.loads(json.dumps(encode(self._test._settings)))

    def people(self) -> list[dict[str, Any]]:
        self._ensure(self._asked("people"), "to know the people of the process")
        return self._test._participants()

    def act_on(self, asset: str, action: str, input: str) -> str:
        granted = any(action in one["actions"] for one in self._asked("assets"))
        self._ensure(granted, f"to run `{action}` of another asset")
        answered = self._test._other(asset, action, json.loads(input))
        if "problem" in answered:
            raise Refusal(answered["problem"]["detail"], code=answered["problem"]["code"])
        return json.dumps(answered["output"])

    def notify(self, message: str) -> None:
        self._ensure(self._asked("notify"), "to tell people something")
        read = json.loads(message)
        if not read["to"] or not read["title"].strip():
            raise Refusal("a message is for somebody, and has a title", code="invalid-message")
        self.besides["messages"].append(read)

    def note(self, word: str, amount: int) -> None:
        if not WORD.fullmatch(word):
            raise Refusal(f"`{word}` is no word: letters, digits, `-`, `_` and `.`", code="not-a-word")
        self.besides["noted"].append({"word": word, "amount": amount})

    def set_alarm(self, name: str, at_micros: int, input: str) -> None:
        if not self.rings:
            raise Refusal("there is no method under `@alarm`", code="no-alarms")
        if not WORD.fullmatch(name):
            raise Refusal(f"`{name}` names no alarm", code="invalid-alarm")
        self.besides["alarms"][name] = {"at": at_micros, "input": json.loads(input)}

    def cancel_alarm(self, name: str) -> bool:
        wanted = self.besides["alarms"]
        was_set = wanted[name] is not None if name in wanted else name in self._test.alarms
        wanted[name] = None
        return was_set

    def put_blob(self, media_type: str, content: bytes) -> str:
        if not MEDIA_TYPE.fullmatch(media_type):
            raise Refusal(f"`{media_type}` is no media type", code="not-a-media-type")
        digest = digest_of(content)
        self.blobs.setdefault(digest, (media_type, bytes(content)))
        return digest

    def blob_size(self, digest: str) -> int | None:
        return len(self.blobs[digest][1]) if digest in self.blobs else None

    def blob(self, digest: str, offset: int, limit: int) -> bytes | None:
        return self.blobs[digest][1][offset : offset + limit] if digest in self.blobs else None


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

    def keep(self, state: dict[str, Any]) -> None:
        self._does({"do": "keep", "state": state})

    def put(self, media_type: str, content: bytes) -> str:
        return self._does({"do": "blob", "media_type": media_type, "content": list(content)})["done"]

    def call(self, what: str, name: str | None, given: Any, context: dict[str, Any]) -> dict[str, Any]:
        named = {"call": "action", "migrate": "version"}.get(what, "name")
        settings = encode(self._test._settings)
        return self._does({"do": what, named: name, "input": given, "context": context, "settings": settings})

    def _does(self, asked: dict[str, Any]) -> dict[str, Any]:
        self._say(asked)
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
        if said["ask"] == "people":
            return self._test._participants()
        if said["ask"] == "asset":
            return self._test._other(said["asset"], said["action"], said["input"])
        asked = said["request"]
        # What the host adds names the call, which no test knows.
        headers = [(name, value) for name, value in asked["headers"] if name != "idempotency-key"]
        answered = self._test._exchange(Request(asked["method"], asked["url"], headers, bytes(asked["body"])))
        if isinstance(answered, str):
            return {"problem": answered}
        return {"status": answered.status, "headers": answered.headers, "body": list(answered.body)}
