"""What is measured of a language: an asset that can be filled, and one entry of which is read and written."""

from dataclasses import dataclass
from typing import Annotated

from interlink import Field, Interlinker, action, ensure, instantiate, interlinker, view


@dataclass
class Fill:
    """What is added."""

    entries: Annotated[int, Field("Entries of a kibibyte each that are added.")]


@dataclass
class Shown:
    """What is there."""

    entries: int
    touched: int


@interlinker(name="ledger-python", version="0.1.0", title={"en": "Ledger"}, licence="EUPL-1.2")
class Ledger(Interlinker):
    @property
    def entries(self):
        return self.state.map("entries", str)

    @instantiate(title={"en": "Open"})
    def open(self) -> None:
        self.state.set("touched", 0)

    @action(title={"en": "Fill"})
    def fill(self, input: Fill) -> None:
        for _ in range(input.entries):
            self.entries[str(len(self.entries))] = "x" * 1022

    @action(title={"en": "Touch"})
    def touch(self) -> Shown:
        ensure(self.entries.get("0"), "fill it first")
        self.state.set("touched", self.state.get("touched", int) + 1)
        return self.shown()

    @view
    def shown(self) -> Shown:
        return Shown(len(self.entries), self.state.get("touched", int))
