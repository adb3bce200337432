"""Messages name what is meant."""

import pytest

from generators.errors import unknown


@pytest.mark.parametrize(
    ("name", "nearest"), [("C7", "C6"), ("c9", "C6"), ("e2", "e2e"), ("fc linear", "FC_Linear"), ("HC2", "HC")]
)
def test_nearest_name_is_offered(name: str, nearest: str) -> None:
    names = ("C1", "C2", "C6", "C6XL", "e2e", "FC_Linear", "HC", "HC3")
    assert unknown("model", name, names).startswith(f"unknown model '{name}'. Did you mean '{nearest}'? Known: C1, ")


@pytest.mark.parametrize("known", [(), ("fm", "sine")])
def test_nothing_is_offered_where_nothing_is_near(known: tuple[str, ...]) -> None:
    assert unknown("synth", "xyz", known) == f"unknown synth 'xyz'. Known: {', '.join(known)}"
