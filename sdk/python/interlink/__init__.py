"""Write an Interlinker: a small tool for people who make something together, run by an Interlink server.

An Interlinker is a class under :func:`interlinker`, with one method under :func:`instantiate`, one under :func:`view`, any number
under :func:`action` and :func:`alarm`, and perhaps one under :func:`migrate`. The annotations of their parameters become the forms that people fill in. Each call runs in a fresh
instance that has no files, no network, no clock and no randomness of its own. What it changes in ``self.state`` is kept together
with its outcome, or, when it refuses or fails, not at all.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from typing import Annotated, Any, Callable, NoReturn, Protocol, TypeVar
from urllib.parse import quote, unquote

from interlink._json import decode, encode, read, write, write_short

__all__ = [
    "Call",
    "Example",
    "Field",
    "Html",
    "Interlinker",
    "Markdown",
    "Person",
    "Refusal",
    "Response",
    "State",
    "StateMap",
    "action",
    "alarm",
    "ensure",
    "instantiate",
    "interlinker",
    "migrate",
    "refuse",
    "view",
]

#: The largest value of a key, in bytes of JSON. Larger content does not belong into a state.
VALUE_BYTES_MAX = 64 * 1024
#: The longest key, in bytes.
KEY_BYTES_MAX = 256
#: Entries that are read at once.
PAGE = 1000
#: What is read of a blob at once, unless more is asked for: bytes.
PART_BYTES = 64 * 1024
EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)

T = TypeVar("T")
Text = Mapping[str, str]


@dataclass(frozen=True)
class Field:
    """What a form says of a field, and what it takes: stands in ``Annotated[int, Field("How many.", minimum=1)]``."""

    help: str = ""
    title: str | None = None
    minimum: float | None = None
    maximum: float | None = None
    min_length: int | None = None
    max_length: int | None = None
    min_items: int | None = None
    max_items: int | None = None
    pattern: str | None = None
    format: str | None = None
    media_type: str | None = None


#: A text in Markdown. Whoever reads an answer has it as it is, and beside it the safe HTML that the server makes of it.
Markdown = Annotated[str, Field(media_type="text/markdown")]
#: A text in HTML. In an answer, the server leaves of it what is safe: no scripts, styles, forms or images. A test of the code
#: itself sees it as it was written.
Html = Annotated[str, Field(media_type="text/html")]


@dataclass(frozen=True)
class Example:
    """What can be tried, and what comes of it: ``interlink interlinker test`` runs it on an asset of its own, which the first
    example of ``@instantiate`` makes."""

    title: str
    input: Any = field(default_factory=dict)
    #: What is answered; nothing where it does not say.
    output: Any = None
    #: The code with which it is refused.
    problem: str = ""


class Refusal(Exception):
    """Why an Interlinker refuses, for people and for programs. Nothing is changed."""

    def __init__(self, detail: str, *, code: str = "refused", at: str | None = None, data: Any = None) -> None:
        super().__init__(detail)
        self.detail, self.code, self.at, self.data = detail, code, at, data


def refuse(detail: str, *, code: str = "refused", at: str | None = None, data: Any = None) -> NoReturn:
    """Refuses the call: a sentence for people, a slug for programs, a JSON pointer into the input, facts."""
    raise Refusal(detail, code=code, at=at, data=data)


def ensure(holds: Any, detail: str, *, code: str = "refused", at: str | None = None, data: Any = None) -> None:
    """Refuses the call unless something holds."""
    if not holds:
        raise Refusal(detail, code=code, at=at, data=data)


class Host(Protocol):
    """What a call reaches: the imports of its world, or a test. Texts are UTF-8."""

    def get(self, key: str) -> str | None: ...
    def set(self, key: str, value: str) -> None: ...
    def delete(self, key: str) -> None: ...
    def range(self, prefix: str, after: str | None, limit: int) -> list[tuple[str, str]]: ...
    def count(self, prefix: str) -> int: ...
    def context(self) -> dict[str, Any]: ...
    def declare_outcome(self, outcome: str) -> None: ...
    def log(self, level: str, message: str) -> None: ...
    def now(self) -> int: ...
    def random(self, count: int) -> bytes: ...
    def secret(self, name: str) -> str | None: ...
    def http(self, request: dict[str, Any], body: bytes) -> tuple[int, list[tuple[str, str]], bytes]: ...
    def settings(self) -> dict[str, Any]: ...
    def people(self) -> list[dict[str, Any]]: ...
    def act_on(self, asset: str, action: str, input: str) -> str: ...
    def notify(self, message: str) -> None: ...
    def note(self, word: str, amount: int) -> None: ...
    def set_alarm(self, name: str, at_micros: int, input: str) -> None: ...
    def cancel_alarm(self, name: str) -> bool: ...
    def put_blob(self, media_type: str, content: bytes) -> str: ...
    def blob_size(self, digest: str) -> int | None: ...
    def blob(self, digest: str, offset: int, limit: int) -> bytes | None: ...


class State:
    """The state of one asset, by key: UTF-8, segments separated by ``/``. Values are what JSON can say, and dataclasses."""

    def __init__(self, host: Host) -> None:
        self._host = host

    def get(self, key: str, kind: type[T] | Any = Any) -> T | Any:
        """The value of a key, as the type that is asked for; ``None`` where there is none."""
        text = self._text(key)
        return None if text is None else decode(kind, read(text))

    def _text(self, key: str) -> str | None:
        # One that is too long to be there is not there: the host would stop the call.
        return self._host.get(key) if len(key.encode()) <= KEY_BYTES_MAX else None

    def set(self, key: str, value: Any) -> None:
        """Gives a key a value."""
        text = write_short(value)
        if len(key.encode()) > KEY_BYTES_MAX:
            refuse(f"the key `{key}` is longer than {KEY_BYTES_MAX} bytes", code="key-too-long")
        if len(text.encode()) > VALUE_BYTES_MAX:
            refuse(f"the value of `{key}` has more than {VALUE_BYTES_MAX} bytes", code="value-too-large")
        self._host.set(key, text)

    def delete(self, key: str) -> None:
        """Removes a key, if it is there."""
        if len(key.encode()) <= KEY_BYTES_MAX:
            self._host.delete(key)

    def count(self, prefix: str = "") -> int:
        """How many keys begin with a prefix, which is empty or ends in ``/``. It costs the same however many there are."""
        return self._host.count(prefix)

    def entries(self, prefix: str = "", kind: Any = Any) -> Iterator[tuple[str, Any]]:
        """Entries whose key begins with a prefix, in the order of their keys."""
        after: str | None = None
        while True:
            page = self._host.range(prefix, after, PAGE)
            for key, text in page:
                yield key, decode(kind, read(text))
            if len(page) < PAGE:
                return
            after = page[-1][0]

    def map(self, name: str, kind: Any = Any) -> StateMap:
        """A map whose every entry is a key of its own, below a name: a large one costs no more than a small one."""
        return StateMap(self, f"{name}/", kind)


class StateMap:
    """A map in the state. Its keys are any texts that are not empty."""

    def __init__(self, state: State, prefix: str, kind: Any) -> None:
        self._state, self._prefix, self._kind = state, prefix, kind

    def _key(self, key: str) -> str:
        ensure(key != "", "a key is not empty", code="empty-key")
        # Most keys need no quoting, and to find that out takes its time there.
        return self._prefix + (key if key.isascii() and key.isalnum() else quote(key, safe=""))

    def __len__(self) -> int:
        return self._state.count(self._prefix)

    def __contains__(self, key: str) -> bool:
        return self._state._text(self._key(key)) is not None

    def get(self, key: str, default: Any = None) -> Any:
        """The value of a key, or what is given for one that is not there."""
        found = self._state.get(self._key(key), self._kind)
        return default if found is None else found

    def __setitem__(self, key: str, value: Any) -> None:
        self._state.set(self._key(key), value)

    def __delitem__(self, key: str) -> None:
        self._state.delete(self._key(key))

    def items(self) -> Iterator[tuple[str, Any]]:
        """Its entries, in the order of their keys in the state."""
        for key, value in self._state.entries(self._prefix, self._kind):
            yield unquote(key[len(self._prefix) :]), value

    def __iter__(self) -> Iterator[str]:
        return (key for key, _ in self.items())

    def values(self) -> Iterator[Any]:
        """Its values."""
        return (value for _, value in self.items())


@dataclass(frozen=True)
class Person:
    """Who calls, or takes part in the process."""

    id: str
    roles: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Call:
    """Who calls, when, and on what. Where the server itself calls there is no person."""

    person: Person | None
    process: str
    task: str
    asset: str
    language: str
    at: str
    #: The asset that runs this action for whoever called that one; nothing where a person calls.
    by: str | None = None


@dataclass(frozen=True)
class Response:
    """What a service outside answered."""

    status: int
    headers: list[tuple[str, str]]
    body: bytes

    @property
    def ok(self) -> bool:
        """Whether the status is one of success."""
        return 200 <= self.status < 300

    def text(self) -> str:
        """The body as text."""
        return self.body.decode(errors="replace")

    def json(self) -> Any:
        """The body as JSON."""
        try:
            return json.loads(self.body)
        except ValueError as error:
            refuse(f"the service answered no JSON: {error}", code="no-json")

    def success(self) -> Response:
        """This, where the status is one of success; otherwise the call is refused."""
        ensure(self.ok, f"the service answered {self.status}", code="bad-status", data={"status": self.status})
        return self


class Interlinker:
    """What an Interlinker is: extend it, under :func:`interlinker`."""

    def __init__(self, host: Host) -> None:
        self._host = host
        self.state = State(host)

    @functools.cached_property
    def call(self) -> Call:
        """Who calls, when, and on what."""
        return decode(Call, self._host.context())

    @property
    def person(self) -> str:
        """The id of the person who calls. A call without one is refused."""
        ensure(self.call.person, "a person does this", code="no-person")
        assert self.call.person is not None
        return self.call.person.id

    @property
    def by(self) -> str | None:
        """The asset that runs this action for whoever called that one; nothing where a person calls."""
        return self.call.by

    def declare_outcome(self, outcome: Any) -> None:
        """Says that the task has what it needed. A fact once the call has ended well."""
        self._host.declare_outcome(write(outcome))

    def log(self, message: str, level: str = "info") -> None:
        """A line for whoever operates or writes this Interlinker: ``debug``, ``info``, ``warn`` or ``error``."""
        self._host.log(level, str(message))

    def now(self) -> datetime:
        """The time. As all that comes from outside it is recorded: a call that was cut off has the same answer again."""
        return EPOCH + timedelta(microseconds=self._host.now())

    def random(self, count: int) -> bytes:
        """Bytes that nobody can guess. Python's own ``random`` draws the same in every call."""
        return self._host.random(count)

    def secret(self, name: str) -> str | None:
        """A secret that the operator has set and granted."""
        return self._host.secret(name)

    def http(
        self,
        url: str,
        *,
        method: str | None = None,
        headers: list[tuple[str, str]] | None = None,
        body: bytes | str = b"",
        json_body: Any = None,
        timeout_ms: int | None = None,
    ) -> Response:
        """Sends a request to what the operator has granted. What does not come through refuses the call."""
        sent = list(headers or [])
        raw = body.encode() if isinstance(body, str) else body
        if json_body is not None:
            raw = write(json_body).encode()
            sent.append(("content-type", "application/json"))
        request: dict[str, Any] = {"method": method or ("POST" if raw else "GET"), "url": url, "headers": sent}
        if timeout_ms is not None:
            request["timeout_ms"] = timeout_ms
        return Response(*self._host.http(request, raw))

    def settings(self, kind: type[T] | Any = Any) -> T | Any:
        """What an operator has set for this Interlinker, as a type; where nothing was set, of ``{}``. It stays the same for the
        whole of a call, and the method that shows has it, too."""
        try:
            return decode(kind, self._host.settings())
        except (TypeError, ValueError) as error:
            refuse(f"the operator's settings: {error}", code="settings-not-understood")

    def people(self) -> list[Person]:
        """Who takes part in the process, where the operator has granted it."""
        return decode(list[Person], self._host.people())

    def act_on(self, asset: str, action: str, input: Any = None) -> Any:
        """Runs an action of another asset of the same process, where the operator has granted it, for the person who makes this
        call. It is done once, and stays done whatever becomes of this call. What the other refuses refuses this call, too, unless
        it is caught."""
        return read(self._host.act_on(asset, action, write({} if input is None else input)))

    def notify(self, to: str | Iterable[str], title: str, text: str) -> None:
        """Tells people something, where the operator has granted it: with what the call changes, it is in their notifications."""
        ids = [to] if isinstance(to, str) else list(to)
        self._host.notify(write({"to": ids, "title": title, "text": text}))

    def note(self, word: str, amount: int = 1) -> None:
        """Says what happened in a word of its own, for the registry of usage and for adoption: ``meal-booked``. It says nothing
        that a person wrote."""
        self._host.note(word, amount)

    def set_alarm(self, name: str, at: datetime | int, input: Any = None) -> None:
        """Sets the alarm of this name, of a method under :func:`alarm`, in place of one that was set: to a date that knows its
        zone, or to microseconds since 1970-01-01T00:00:00Z. It rings once; one that has passed comes at once."""
        micros = (at - EPOCH) // timedelta(microseconds=1) if isinstance(at, datetime) else at
        self._host.set_alarm(name, micros, write(input))

    def cancel_alarm(self, name: str) -> bool:
        """Takes an alarm away; says whether it was set."""
        return self._host.cancel_alarm(name)

    def put_blob(self, media_type: str, content: bytes | str) -> str:
        """Keeps what is too large for the state, and answers by what it is known: ``sha256:`` and 64 hex digits."""
        return self._host.put_blob(media_type, content.encode() if isinstance(content, str) else content)

    def blob_size(self, digest: str) -> int | None:
        """How many bytes a blob has, if it is there; the method that shows can ask, too."""
        return self._host.blob_size(digest)

    def blob(self, digest: str, offset: int = 0, limit: int = PART_BYTES) -> bytes | None:
        """At most ``limit`` bytes of a blob from ``offset`` on, if it is there; the method that shows can ask, too."""
        return self._host.blob(digest, offset, limit)


@dataclass
class Says:
    """What a method under a decorator says of itself."""

    what: str
    title: Text
    help: Text | None
    allow: list[str]
    anonymous: bool = False
    examples: list[Example] = field(default_factory=list)


def _method(
    what: str,
    title: Text | None,
    help: Text | None,
    allow: list[str] | None,
    anonymous: bool = False,
    examples: list[Example] | None = None,
) -> Callable[[Callable], Callable]:
    def mark(function: Callable) -> Callable:
        says = Says(what, title or {}, help, allow or [], anonymous, examples or [])
        function.__interlink__ = says  # type: ignore[attr-defined]
        return function

    return mark


def instantiate(
    function: Callable | None = None, *, title: Text | None = None, examples: list[Example] | None = None
) -> Any:
    """The method that is called once, to make an asset."""
    mark = _method("instantiate", title, None, None, examples=examples)
    return mark if function is None else mark(function)


def action(
    function: Callable | None = None,
    *,
    title: Text | None = None,
    help: Text | None = None,
    allow: list[str] | None = None,
    anonymous: bool = False,
    examples: list[Example] | None = None,
) -> Any:
    """A method that people can run; ``allow`` names the roles that may, all where it is left out. In an ``anonymous`` one
    ``self.person`` is a pseudonym: the same for one person in one asset, and no other's."""
    mark = _method("action", title, help, allow, anonymous, examples)
    return mark if function is None else mark(function)


def alarm(function: Callable) -> Callable:
    """A method that is called when an alarm rings that was set under its name."""
    return _method("alarm", None, None, None)(function)


def migrate(function: Callable) -> Callable:
    """The method that brings the state that an earlier version left to what this one reads; it takes that version, as a text."""
    return _method("migrate", None, None, None)(function)


def view(function: Callable) -> Callable:
    """The method that shows the asset."""
    return _method("view", None, None, None)(function)


def interlinker(
    *,
    name: str,
    version: str,
    title: Text | None = None,
    description: Text | None = None,
    licence: str = "",
    problems: list[str] | None = None,
    http: list[dict[str, Any]] | None = None,
    secrets: list[dict[str, Any]] | None = None,
    people: Text | None = None,
    notify: Text | None = None,
    assets: list[dict[str, Any]] | None = None,
    settings: type | None = None,
) -> Callable[[type[Interlinker]], type[Interlinker]]:
    """Says what an Interlinker is. ``settings`` is the dataclass of what an operator sets. The others are what it asks the operator
    for, each with a reason: ``http`` with ``{"origin": "https://example.org", "methods": ["POST"], "reason": {"en": "Sends the
    minutes."}}``, ``secrets`` with ``{"name": "token", "reason": {"en": "Signs in."}}``, ``assets`` with ``{"interlinker": "poll",
    "actions": ["close"], "reason": {"en": "Ends the vote."}}``; ``people`` and ``notify`` are reasons: ``{"en": "Reminds people."}``.
    """
    grants: dict[str, Any] = {"http": list(http or []), "secrets": list(secrets or [])}
    grants.update({name: {"reason": dict(why)} for name, why in (("people", people), ("notify", notify)) if why is not None})
    if assets:
        grants["assets"] = list(assets)

    def mark(kind: type[Interlinker]) -> type[Interlinker]:
        kind.__about__ = {  # type: ignore[attr-defined]
            "name": name,
            "version": version,
            "title": dict(title or {}),
            "description": dict(description or {}),
            "licence": licence,
            "problem_profiles": list(problems or []),
            "grants": grants,
        }
        kind.__settings__ = settings  # type: ignore[attr-defined]
        return kind

    return mark


@functools.cache
def methods(kind: type[Interlinker], what: str) -> dict[str, Callable]:
    """The methods of a class that stand under a decorator, by name, in their order."""
    found = {name: getattr(kind, name) for base in reversed(kind.__mro__) for name in vars(base)}
    return {name: one for name, one in found.items() if getattr(getattr(one, "__interlink__", None), "what", None) == what}
