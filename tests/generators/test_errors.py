"""Messages name what is meant."""

import logging
from pathlib import Path

import pytest

from generators.command import _ShownFormatter
from generators.errors import error_line, one_line, shown, unknown


@pytest.mark.parametrize(
    ("name", "nearest"), [("C7", "C6"), ("c9", "C6"), ("e2", "e2e"), ("fc linear", "FC_Linear"), ("HC2", "HC")]
)
def test_nearest_name_is_offered(name: str, nearest: str) -> None:
    names = ("C1", "C2", "C6", "C6XL", "e2e", "FC_Linear", "HC", "HC3")
    assert unknown("model", name, names).startswith(f"unknown model '{name}'. Did you mean '{nearest}'? Known: C1, ")


@pytest.mark.parametrize("known", [(), ("fm", "sine")])
def test_nothing_is_offered_where_nothing_is_near(known: tuple[str, ...]) -> None:
    assert unknown("synth", "xyz", known) == f"unknown synth 'xyz'. Known: {', '.join(known)}"


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("plain 'name' 🎹.wav", "plain 'name' 🎹.wav"),
        ("a\tb\nc", r"a\tb\nc"),
        ("\x1b[31m", r"\x1b[31m"),
        ("caf\udce9", r"caf\xe9"),
        ("\ud800", r"\ud800"),
        ("\u202egnp", r"\u202egnp"),
        ("n" * 9000, "n" * 664 + " … " + "n" * 333),
    ],
)
def test_text_is_shown_in_one_line_that_controls_nothing(text: str, line: str) -> None:
    assert shown(text) == line


def test_a_line_to_print_has_no_ends_of_lines_and_leaves_nothing_out() -> None:
    assert one_line(Path("one\ntwo", "n" * 5000)) == r"one\ntwo/" + "n" * 5000
    assert one_line("\U000e0001" * 3000) == r"\U000e0001" * 3000
    assert one_line("") == ""


def test_a_path_in_the_log_takes_one_line(caplog: pytest.LogCaptureFixture) -> None:
    formatter = _ShownFormatter()
    logging.getLogger("test").warning("%s has\n%d", Path("one\ntwo"), 3)
    assert formatter.format(caplog.records[0]) == "one\\ntwo has\n3"
    assert caplog.records[0].args == (Path("one\ntwo"), 3)


def test_an_error_takes_one_line_that_controls_nothing() -> None:
    assert error_line(" no such sound:\n  a\tb\x07 c ") == r"no such sound: a b\x07 c"
    assert len(error_line("n" * 9000)) == 1000
