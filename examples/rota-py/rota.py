"""A rota of volunteers: shifts, who takes which, a reminder before each, and the list as CSV."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated

from interlink import Example, Field, Interlinker, action, alarm, ensure, instantiate, interlinker, migrate, view


@dataclass
class Settings:
    """What an operator sets."""

    remind_hours: Annotated[int, Field("Hours before a shift at which people are reminded.", minimum=0, maximum=720)] = 24


@dataclass
class Shift:
    """When somebody is needed."""

    id: Annotated[str, Field("A short name, as in `saturday`.", pattern="^[a-z0-9][a-z0-9-]{0,63}$")]
    starts_at: Annotated[str, Field("When it begins, as in `2027-05-01T10:00:00Z`.")]
    people: Annotated[int, Field("How many people it takes.", minimum=1, maximum=1000)]


@dataclass
class Open:
    """What people fill in to make a rota."""

    title: Annotated[str, Field("What it is for.", min_length=1, max_length=200)]
    shifts: Annotated[list[Shift], Field("When people are needed.", min_items=1, max_items=200)]


@dataclass
class Which:
    """A shift."""

    shift: Annotated[str, Field("The shift, by its short name.")]


@dataclass
class Listed:
    """Where the list is."""

    digest: str
    lines: int


@dataclass
class ShownShift:
    """What people see of a shift."""

    id: str
    starts_at: str
    free: int
    yours: bool


@dataclass
class Shown:
    """What people see."""

    title: str
    shifts: list[ShownShift]


def time_of(text: str) -> datetime | None:
    """A time that knows its zone."""
    try:
        read = datetime.fromisoformat(text)
    except ValueError:
        return None
    return read if read.tzinfo else None


@interlinker(
    name="rota",
    version="1.0.0",
    title={"en": "Rota", "es": "Turnos"},
    description={"en": "Who takes which shift, with a reminder.", "es": "Quién hace cada turno, con aviso."},
    licence="EUPL-1.2",
    problems=["share-work"],
    settings=Settings,
    notify={"en": "Reminds people of the shift that they took.", "es": "Recuerda a cada persona su turno."},
)
class Rota(Interlinker):
    def takers(self, shift: str):
        return self.state.map(f"takers/{shift}", str)

    @property
    def reminded(self):
        return self.state.map("reminded", bool)

    @instantiate(
        title={"en": "Make a rota", "es": "Crear turnos"},
        examples=[Example("A Saturday", Open("Repair café", [Shift("saturday", "2027-05-01T10:00:00Z", 2)]))],
    )
    def open(self, input: Open) -> None:
        seen = set()
        for number, shift in enumerate(input.shifts):
            at = f"/shifts/{number}"
            ensure(time_of(shift.starts_at), "write it as `2027-05-01T10:00:00Z`", code="no-time", at=f"{at}/starts_at")
            ensure(shift.id not in seen, f"`{shift.id}` is there twice", code="twice", at=f"{at}/id")
            seen.add(shift.id)
        self.state.set("open", input)

    @action(
        title={"en": "Take a shift", "es": "Apuntarse a un turno"},
        examples=[
            Example("Saturday", Which("saturday")),
            Example("A day that is not there", Which("sunday"), problem="no-such-shift"),
        ],
    )
    def take(self, input: Which) -> None:
        """Takes a shift."""
        shift, takers = self.shift(input.shift), self.takers(input.shift)
        ensure(self.person not in takers, "this shift is yours", code="already-taken", at="/shift")
        ensure(len(takers) < shift.people, "this shift has all its people", code="full", at="/shift")
        takers[self.person] = self.call.at
        self.note("shift-taken")
        self.remind_next()

    @action(title={"en": "Give a shift back", "es": "Dejar un turno"})
    def give_back(self, input: Which) -> None:
        """Gives a shift back."""
        takers = self.takers(input.shift)
        ensure(self.person in takers, "this shift is not yours", code="not-yours", at="/shift")
        del takers[self.person]
        del self.reminded[f"{input.shift} {self.person}"]
        self.note("shift-given-back")
        self.remind_next()

    @action(title={"en": "Write the list", "es": "Hacer la lista"}, allow=["operator"])
    def write_list(self) -> Listed:
        """Writes who comes when, as a blob in CSV."""
        rows = [f"{shift.id},{shift.starts_at},{person}" for shift in self.shifts() for person in self.takers(shift.id)]
        return Listed(self.put_blob("text/csv", "\n".join(["shift,starts_at,person", *rows]) + "\n"), len(rows))

    @alarm
    def remind(self) -> None:
        now = time_of(self.call.at)
        for at, shift, people in self.due():
            if at <= now:
                self.notify(people, f"Your shift: {shift.id}", f"{self.opened().title} · {shift.starts_at}")
                for person in people:
                    self.reminded[f"{shift.id} {person}"] = True
        self.remind_next()

    @migrate
    def from_earlier(self, version: str) -> None:
        ensure(not version.startswith("0."), f"what {version} kept cannot be read any more", code="too-old")

    @view
    def shown(self) -> Shown:
        person = self.call.person
        return Shown(self.opened().title, [self.shown_shift(shift, person and person.id) for shift in self.shifts()])

    def shown_shift(self, shift: Shift, person: str | None) -> ShownShift:
        takers = self.takers(shift.id)
        return ShownShift(shift.id, shift.starts_at, shift.people - len(takers), person is not None and person in takers)

    def opened(self) -> Open:
        return self.state.get("open", Open)

    def shifts(self) -> list[Shift]:
        return self.opened().shifts

    def shift(self, id: str) -> Shift:
        found = next((shift for shift in self.shifts() if shift.id == id), None)
        ensure(found, f"there is no shift `{id}`", code="no-such-shift", at="/shift")
        return found

    def due(self):
        """Reminders that are to come: when, of which shift, for whom."""
        before = timedelta(hours=self.settings(Settings).remind_hours)
        for shift in self.shifts():
            people = [person for person in self.takers(shift.id) if f"{shift.id} {person}" not in self.reminded]
            if people:
                yield time_of(shift.starts_at) - before, shift, people

    def remind_next(self) -> None:
        """Sets the alarm to the next reminder, where one is to come."""
        at = min((at for at, _, _ in self.due()), default=None)
        if at is None:
            self.cancel_alarm("remind")
        else:
            self.set_alarm("remind", at)
