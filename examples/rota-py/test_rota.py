import hashlib
import unittest

from interlink.testing import Refusal, TestHost
from rota import Rota

HOUR = 3_600_000_000
#: 2026-01-05T10:00:00Z, in microseconds since 1970.
MONDAY = 1_767_607_200_000_000
SHIFTS = [
    {"id": "monday", "starts_at": "2026-01-05T10:00:00Z", "people": 1},
    {"id": "tuesday", "starts_at": "2026-01-06T10:00:00Z", "people": 2},
]


def rota():
    return TestHost.open(Rota, {"title": "Soup kitchen", "shifts": SHIFTS})


class RotaTests(unittest.TestCase):
    def refused(self, code, run, *given):
        with self.assertRaises(Refusal) as refusal:
            run(*given)
        self.assertEqual(refusal.exception.code, code)

    def test_a_shift_has_so_many_people(self):
        shifts = rota()
        shifts.act("ana", "take", {"shift": "monday"})
        self.refused("already-taken", shifts.act, "ana", "take", {"shift": "monday"})
        self.refused("full", shifts.act, "boris", "take", {"shift": "monday"})
        self.refused("no-such-shift", shifts.act, "boris", "take", {"shift": "sunday"})
        shifts.act("ana", "give_back", {"shift": "monday"})
        self.assertEqual(shifts.alarms, {})
        shifts.act("boris", "take", {"shift": "monday"})
        shown = shifts.view(person="boris")["shifts"][0]
        self.assertEqual((shown["free"], shown["yours"]), (0, True))
        self.assertEqual([word for word, _ in shifts.noted], ["shift-taken", "shift-given-back", "shift-taken"])

    def test_people_are_reminded_once_before_their_shift_and_then_the_next(self):
        shifts = rota()
        shifts.act("ana", "take", {"shift": "monday"})
        shifts.act("boris", "take", {"shift": "tuesday"})
        self.assertEqual(shifts.alarms["remind"].at, MONDAY - 24 * HOUR)
        shifts.ring()
        self.assertEqual(shifts.messages[0].to, [TestHost.person("ana")])
        self.assertEqual(shifts.alarms["remind"].at, MONDAY)
        shifts.ring()
        self.assertEqual([message.title for message in shifts.messages], ["Your shift: monday", "Your shift: tuesday"])
        self.assertEqual(shifts.alarms, {})

    def test_an_operator_sets_how_long_before(self):
        shifts = rota()
        shifts.settings({"remind_hours": 2})
        shifts.act("ana", "take", {"shift": "monday"})
        self.assertEqual(shifts.alarms["remind"].at, MONDAY - 2 * HOUR)

    def test_the_list_is_a_blob_in_csv(self):
        shifts = rota()
        shifts.act("ana", "take", {"shift": "monday"})
        listed = shifts.act("eva", "write_list")
        text = f"shift,starts_at,person\nmonday,2026-01-05T10:00:00Z,{TestHost.person('ana')}\n".encode()
        self.assertEqual(listed, {"digest": f"sha256:{hashlib.sha256(text).hexdigest()}", "lines": 1})
        self.assertEqual(shifts.blobs[listed["digest"]].media_type, "text/csv")

    def test_a_rota_of_an_earlier_version_is_taken_over_unless_it_cannot_be_read(self):
        state = rota().state
        self.assertEqual(TestHost.migrate(Rota, state, "1.0.0").view()["title"], "Soup kitchen")
        self.refused("too-old", TestHost.migrate, Rota, state, "0.9.0")
