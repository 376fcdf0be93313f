"""Fragile objects: a catalogue of disjoint sets, and for each a force that holds it and does no harm."""

from __future__ import annotations

import numpy as np
import pytest

from visuotactile.errors import DataError
from visuotactile.sim.hands.fingers import LEAST, PRESS, SPREAD, FingerScene, WristPose
from visuotactile.sim.objects.fragile import FAMILIES, SETS, UNSEEN, fragile_names, make_fragile

FIRST = [f"{family}-01" for family in (*FAMILIES, *UNSEEN)]


def test_the_sets_are_disjoint_and_unseen_families_are_in_no_other() -> None:
    names = [name for which in SETS.values() for name in which]
    assert len(set(names)) == len(names)
    assert len(FAMILIES) >= 8
    families = {which: {make_fragile(name).family for name in SETS[which]} for which in SETS}
    assert families["held-out"] == families["fragile"]
    assert not families["unseen"] & (families["fragile"] | families["toy"])


def test_an_object_is_the_same_whenever_it_is_made() -> None:
    egg = make_fragile("egg-01")
    make_fragile.cache_clear()
    assert make_fragile("egg-01") == egg
    assert make_fragile("egg-02") != egg


def test_sets_and_names_can_be_joined() -> None:
    assert fragile_names("toy, egg-01") == ("toy", "egg-01")
    assert fragile_names("toy,unseen") == ("toy", *SETS["unseen"])
    with pytest.raises(DataError, match="did you mean egg-01"):
        fragile_names("eg-01")
    with pytest.raises(DataError, match="name one twice"):
        fragile_names("toy,toy")


@pytest.mark.parametrize("name", FIRST)
def test_some_grasp_holds_it_without_harm_and_a_hard_one_harms_it(name: str) -> None:
    obj = make_fragile(name)
    scene = FingerScene(obj)

    def harms(share: float) -> bool:
        scene.place(0, 0, 0, lying=False)
        scene.approach(WristPose(0, 0, 0.012, 0))
        trace = scene.close_heard(LEAST + share * SPREAD, PRESS)
        return float(trace.excess(obj.voice).max()) > obj.voice.bearable

    def is_gentle_and_holds(share: float) -> bool:
        if harms(share):
            return False
        scene.lift()
        return scene.held

    assert harms(0.7)
    assert any(is_gentle_and_holds(share) for share in (0.3, 0.2, 0.4))


@pytest.mark.parametrize("name", [name for name in FIRST if make_fragile(name).lies])
def test_what_may_lie_comes_to_rest_on_its_side(name: str) -> None:
    scene = FingerScene(make_fragile(name))
    scene.place(0.01, -0.02, 0.3, lying=True)
    before, _ = scene.object_pose()
    scene.close(LEAST, 0.5)
    after, turn = scene.object_pose()
    assert np.abs(after - before).max() < 1e-3
    w, x, y, z = turn
    assert abs(1 - 2 * (x * x + y * y)) < 0.5  # its axis is nearly level
    assert (w, z) != (1, 0)
