"""A list on which people put themselves down, until it is full."""

from dataclasses import dataclass
from typing import Annotated

from interlink import Field, Interlinker, action, ensure, instantiate, interlinker, view


@dataclass
class Open:
    """What people fill in to make one. Each field is one of their form; what is said of it is its help."""

    title: Annotated[str, Field("What the list is for.", min_length=1, max_length=200)]
    places: Annotated[int, Field("How many people it takes.", minimum=1, maximum=1000)]


@dataclass
class Join:
    """What people fill in to be on it."""

    note: Annotated[str, Field("A word to the others.", max_length=500)] = ""


@dataclass
class Joined:
    """What people are answered."""

    places_left: int


@dataclass
class Shown:
    """What people see."""

    title: str
    places: int
    notes: list[str]


@interlinker(
    name="__name__",
    version="0.1.0",
    title={"en": "__Title__"},
    description={"en": "A list on which people put themselves down, until it is full."},
    licence="EUPL-1.2",
)
class __Type__(Interlinker):
    @property
    def joined(self):
        # Each entry of a map is a key of its own: a long list costs no more than a short one.
        return self.state.map("joined", str)

    @instantiate(title={"en": "Make a list"})
    def open(self, input: Open) -> None:
        self.state.set("open", input)

    @action(title={"en": "Put yourself down"}, allow=["contributor"])
    def join(self, input: Join) -> Joined:
        places = self.state.get("open", Open).places
        ensure(len(self.joined) < places, f"all {places} places are taken", code="full")
        ensure(self.person not in self.joined, "you are on the list", code="already-joined")
        self.joined[self.person] = input.note
        if len(self.joined) == places:
            # The task that this list is for has what it needed.
            self.declare_outcome({"people": places})
        return Joined(places_left=places - len(self.joined))

    @view
    def shown(self) -> Shown:
        opened = self.state.get("open", Open)
        return Shown(opened.title, opened.places, list(self.joined.values()))
