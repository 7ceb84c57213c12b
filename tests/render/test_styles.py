"""One colour and mark a method."""

from __future__ import annotations

import pytest
from matplotlib.markers import MarkerStyle

from pruneviz.render.styles import COLOURS, CONTROL_MARKS, MARKS, styles


@pytest.mark.parametrize("controls", [(), ("m1", "m4", "m6", "m7")])
def test_no_two_methods_look_alike(controls) -> None:
    names = [f"m{n}" for n in range(70)]
    found = styles(names, controls)
    assert len({(s.colour, s.mark) for s in found.values()}) == len(names)
    assert len({(s.lighter, s.path) for s in found.values()}) == len(names)


def test_controls_are_grey_and_take_no_look_from_methods() -> None:
    alone = styles(["a", "b"])
    beside = styles(["a", "random", "b"], {"random"})
    assert {name: beside[name] for name in "ab"} == alone
    assert beside["random"].dash
    assert not alone["a"].dash
    assert beside["random"].colour not in {light for light, _ in COLOURS}


def test_marks_are_known_to_matplotlib() -> None:
    for name, path in (*MARKS, *CONTROL_MARKS):
        assert MarkerStyle(name).get_path() is not None
        assert path.startswith("M")
        assert path.endswith(("z", "0"))
