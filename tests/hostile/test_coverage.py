"""The harness reaches every command and every argument, and notices one that it does not know."""

import re
from collections import Counter

import pytest
from pydantic_settings import CliPositionalArg

from generators.settings import Settings
from inversynth.cli import COMMANDS
from tests.hostile.cases import EMPTY, all_arguments, all_cases, must_of, sample, short_sample
from tests.hostile.commands import CALLS, GROUPS, Argument, arguments, classes, words
from tests.hostile.corpus import corpus
from tests.hostile.corpus.member import FILES, NUMBERS, OUTPUTS, TEXTS


@pytest.fixture(scope="module")
def settings() -> dict[str, type[Settings]]:
    return classes()


def test_every_command_has_a_valid_call(settings: dict[str, type[Settings]]) -> None:
    assert set(settings) == set(CALLS)
    assert {name.split()[0] for name in CALLS} == set(COMMANDS)


def test_every_field_of_a_call_is_one_of_its_command(settings: dict[str, type[Settings]]) -> None:
    for name, call in CALLS.items():
        changed = {field for changes in call.changes.values() for field in changes}
        tested = {field.split()[0] for field in call.changes}
        named = {*call.positionals, *call.flags, *call.kinds, *tested, *changed}
        if name in GROUPS:  # the flags are those of the command behind the group
            named = {"command"}
        assert named <= set(settings[name].model_fields), name


@pytest.mark.parametrize("name", CALLS)
def test_valid_calls_parse(name: str, settings: dict[str, type[Settings]]) -> None:
    call = CALLS[name]
    after = {"train": ["--model", *name.split()[1:]] if len(name.split()) > 1 else []}
    behind = after.get(name.split()[0], name.split()[1:])
    if name in GROUPS:
        return
    materials = {material: material for material in re.findall(r"\{(\w+)\}", repr(CALLS))}
    for changes in ({}, *call.changes.values()):
        argv = words(call, materials, changes)[1 + len(behind) :]
        settings[name].parse([*behind, *argv] if name.startswith("train ") else argv)


def test_every_argument_meets_the_corpus() -> None:
    met = Counter((case.argument.command, case.argument.field) for case in all_cases())
    reached = (*FILES, *OUTPUTS, *TEXTS, *NUMBERS, "choice")
    for argument in all_arguments():
        if argument.kind in reached:
            assert met[argument.command, argument.field] >= 3, f"{argument.command} {argument.name}"


def test_every_member_meets_an_argument() -> None:
    met = {case.member.name for case in all_cases()}
    assert met == {member.name for member in corpus()}


def test_there_are_cases_of_every_kind() -> None:
    cases = all_cases()
    assert len(cases) >= 1500
    assert len({case.name for case in cases}) == len(cases)
    groups = Counter(case.member.group for case in cases)
    assert set(groups) == {1, 3, 4, 5, 6, 7, 8, 9}
    assert min(groups.values()) >= 20


def test_a_sample_follows_from_its_seed_and_begins_with_every_command() -> None:
    cases = all_cases()
    first, again, other = (list(sample(cases, seed)) for seed in (0, 0, 1))
    assert [case.name for case in first] == [case.name for case in again]
    assert [case.name for case in first] != [case.name for case in other]
    assert {case.argument.command for case in first[: len(CALLS)]} == set(CALLS)
    assert sorted(case.name for case in first) == sorted(case.name for case in cases)


def test_an_empty_text_may_be_accepted_only_where_it_is_the_default() -> None:
    cases = [case for case in all_cases(crossed=True) if case.member.name == EMPTY]
    found = {(case.argument.command, case.argument.name): must_of(case, {}) for case in cases}
    assert found["gansynth interpolate", "--compare"] == "either"
    assert found["gansynth interpolate", "--model"] == found["invert", "SOUNDS"] == "refuse"


def test_a_short_sample_has_every_command_kind_and_group() -> None:
    cases = all_cases()
    drawn = short_sample(cases, 0, 150)
    assert [case.name for case in drawn] == [case.name for case in short_sample(cases, 0, 150)]
    assert len({case.name for case in drawn}) == 150
    assert {case.argument.command for case in drawn} == set(CALLS)
    assert {case.member.group for case in drawn} == {case.member.group for case in cases}
    assert {case.argument.kind for case in drawn} == {case.argument.kind for case in cases}
    fewest = short_sample(cases, 0)
    assert fewest == drawn[: len(fewest)]
    with pytest.raises(ValueError, match="cases are needed for one of each"):
        short_sample(cases, 0, 20)


class Unknown(Settings):
    """A command that nobody told the harness of."""

    secret: str = ""


class Numbered(Settings):
    """A command whose types say what its arguments are."""

    many: CliPositionalArg[list[float]]
    count: int | None = None
    loud: bool = False


def test_an_argument_that_no_table_knows_is_noticed() -> None:
    with pytest.raises(LookupError, match=r"say in tests/hostile/commands\.py what --secret of 'new' is"):
        list(arguments("new", Unknown))


def test_numbers_and_switches_say_what_they_are() -> None:
    assert list(arguments("new", Numbered)) == [
        Argument("new", "many", True, "numbers"),
        Argument("new", "count", False, "integer"),
        Argument("new", "loud", False, "switch"),
    ]
