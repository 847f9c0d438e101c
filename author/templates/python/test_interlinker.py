import unittest

from interlink.testing import Refusal, TestHost
from __module__ import __Type__


class __Type__Tests(unittest.TestCase):
    def refused(self, code, run, *given):
        with self.assertRaises(Refusal) as refusal:
            run(*given)
        self.assertEqual(refusal.exception.code, code)
        return refusal.exception

    def test_a_list_is_full_when_its_places_are_taken(self):
        places = TestHost.open(__Type__, {"title": "Cleaning the river", "places": 2})
        places.act("ana", "join", {"note": "I bring gloves"})
        self.refused("already-joined", places.act, "ana", "join")
        self.assertIsNone(places.outcome)
        places.act("boris", "join")
        self.assertEqual(places.outcome, {"people": 2})
        self.refused("full", places.act, "carla", "join")
        self.assertEqual(places.view()["notes"], ["I bring gloves", ""])

    def test_a_list_takes_somebody(self):
        refusal = self.refused("invalid-input", TestHost.open, __Type__, {"title": "Nobody", "places": 0})
        self.assertEqual(refusal.at, "/places")
