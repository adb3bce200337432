"""Hostile cases: every argument of every command, with the members of the corpus that fit it."""

import os
import random
import zlib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.hostile.commands import CALLS, Argument, Call, Value, arguments, classes, words
from tests.hostile.corpus import corpus
from tests.hostile.corpus.member import Member, Must, Place
from tests.hostile.places import snapshot
from tests.hostile.runner import CPU_SECONDS, Job, Outcome, Worker, broken_promises, sandbox

MEETINGS = 1
"""Arguments of each kind that a member of a reader meets at least."""

TURNS = 3
"""Of the members that are for every argument, each argument meets one in so many; which, follows from the seed."""

FEW = 3 * TURNS
"""Members of a kind up to which every argument meets all of them."""

VALID = {
    **{"dataset": "sine", "sound": "sound", "model": "model_file", "midi": "midi", "soundfont": "soundfont"},
    **{"csv": "labels", "space": "space", "patch": "patch", "codes": "codes", "latents": "latents", "pca": "pca"},
    **{"batch": "batch", "notes": "notes", "patches": "patches", "records": "records", "voice": "voice"},
    **{"voices": "bank", "checkpoint": "gansynth_checkpoint"},
}
"""The material that a hostile file of a kind is made from, where the valid call has none in that place."""

EMPTY = "place/empty-name"
"""The member that is an empty text."""

BUNDLED = Path(__file__).resolve().parents[2] / "inversynth" / "pretrained"


@dataclass(frozen=True)
class Case:
    """An argument of a command, and the member that takes its place."""

    argument: Argument
    member: Member

    @property
    def name(self) -> str:
        return f"{self.argument.command} {self.argument.name} {self.member.name}"

    @property
    def number(self) -> int:
        """A number that is the same in every process."""
        return zlib.crc32(self.name.encode())


@dataclass(frozen=True)
class Result:
    """What came of a case: the promises that did not hold, none where all did."""

    case: Case
    outcome: Outcome
    faults: Sequence[str]


def all_arguments() -> list[Argument]:
    """Return the arguments of all commands, and `.env` of each as one more."""
    settings = classes()
    found = []
    for name, call in CALLS.items():
        mine = arguments(name, settings[name], settings.get(call.beside))
        found += [argument for argument in mine if call.own is None or argument.field in call.own]
        if call.own is None:
            found.append(Argument(name, ".env", False, ".env"))
    return found


def all_cases(seed: int = 0, *, crossed: bool = False) -> list[Case]:
    """Return all cases in the order of the table.

    Members that test a reader are dealt out in turn, as the seed begins, for arguments of a kind share their reader.
    Of those that test what a command makes of a value, each argument meets a third. Where all are `crossed`, every
    argument meets every member that fits it.
    """
    found = []
    by_kind: dict[str, list[Argument]] = {}
    for argument in all_arguments():
        by_kind.setdefault(argument.kind, []).append(argument)
    by_kind["records"] = [argument for argument in by_kind["notes"] if argument.field == "notes_from"]
    everywhere = Counter(kind for member in corpus() if member.everywhere for kind in member.fits)
    dealt = dict.fromkeys(by_kind, seed)
    turn = dict.fromkeys(by_kind, seed)
    for member in corpus():
        for kind in member.fits:
            fitting = by_kind.get(kind, [])
            if kind == ".env":
                chosen = [fitting[(dealt[kind] + i) % len(fitting)] for i in range(6)]
                dealt[kind] += 6
            elif crossed or (member.everywhere and (everywhere[kind] <= FEW or len(fitting) < TURNS)):
                chosen = fitting
            elif member.everywhere:
                chosen = fitting[turn[kind] % TURNS :: TURNS]
                turn[kind] += 1
            else:
                chosen = [fitting[(dealt[kind] + i) % len(fitting)] for i in range(min(MEETINGS, len(fitting)))]
                dealt[kind] += MEETINGS
            found += [Case(argument, member) for argument in chosen]
    order = {name: place for place, name in enumerate(CALLS)}
    return sorted(found, key=lambda case: order[case.argument.command])


def sample(cases: Sequence[Case], seed: int) -> Iterator[Case]:
    """Walk cases in an order drawn by a seed, such that each command comes up as early as any."""
    generator = random.Random(seed)
    by_command: dict[str, list[Case]] = {}
    for case in cases:
        by_command.setdefault(case.argument.command, []).append(case)
    for several in by_command.values():
        generator.shuffle(several)
    while by_command:
        for name in generator.sample(sorted(by_command), len(by_command)):
            yield by_command[name].pop()
            if not by_command[name]:
                del by_command[name]


LENGTHY = ("train", "invert", "demo", "grid", "interpolate", "decode", "encode")
"""Commands whose valid calls take seconds: in a short sample they meet what must be refused, which takes none."""


def short_sample(cases: Sequence[Case], seed: int, count: int | None = None) -> list[Case]:
    """Draw so many cases, among them each command, and each kind of argument with each group of members it meets.

    Without a count no more than these. Raises: ValueError for a count that they exceed.
    """
    quick = [
        case
        for case in sample(cases, seed)
        if case.member.must == "refuse" or not case.argument.command.startswith(LENGTHY)
    ]
    seen: set[object] = set()
    first, others = [], []
    for case in quick:
        strata = {case.argument.command, (case.argument.kind, case.member.group)}
        (others if strata <= seen else first).append(case)
        seen |= strata
    if count is None:
        return first
    if len(first) > count:
        raise ValueError(f"{len(first)} cases are needed for one of each. Received: {count}")
    return [*first, *others][:count]


def run_case(case: Case, worker: Worker, materials: Mapping[str, str]) -> Result:
    """Run a case in a sandbox of its own, and say which promises did not hold."""
    member = case.member
    with sandbox() as box:
        try:
            job = prepare(case, box, materials)
        except Exception as error:  # the corpus is at fault, and the other cases go on
            return Result(case, Outcome(0, b"", b""), [f"corpus: cannot make the member: {error!r:.200}"])
        before = snapshot(box)
        outcome = worker.run(job)
        after = snapshot(box)
        disk = os.fsencode(box / "work" / "disk")
        after = {path: said for path, said in after.items() if not (member.disk and path.startswith(disk))}
        return Result(case, outcome, broken_promises(outcome, before, after, must=must_of(case, materials)))


def must_of(case: Case, materials: Mapping[str, str]) -> Must:
    """Return what has to come of a case.

    Only a file out of the valid call itself must be accepted by another name, and an empty text need not be refused
    where it is the default, which names nothing.
    """
    must = case.member.must
    if case.member.name == EMPTY and case.argument.kind != ".env":
        return "either" if classes()[case.argument.command].model_fields[case.argument.field].default == "" else must
    own = own_file(case.argument, CALLS[case.argument.command], case.member, materials)
    return "either" if must == "accept" and own is None else must


def prepare(case: Case, box: Path, materials: Mapping[str, str]) -> Job:
    """Make the hostile value in a sandbox, and return the call with it."""
    argument, member, call = case.argument, case.member, CALLS[case.argument.command]
    value = member.make(Place(box / "in", valid_file(argument, call, member, materials), case.number))
    changes = dict(changes_for(argument, call, member))
    if argument.kind != ".env":
        changes[argument.field] = str(value)
    return Job(
        words(call, materials, changes),
        box / "work",
        member.variables,
        box / "work" / "disk" if member.disk else None,
        member.ordinary,
        CPU_SECONDS * call.slower,
    )


def changes_for(argument: Argument, call: Call, member: Member) -> Mapping[str, Value | None]:
    """Return what else of the valid call changes where a member takes the place of an argument."""
    return call.changes.get(f"{argument.field} {member.fits[0]}", call.changes.get(argument.field, {}))


def valid_file(argument: Argument, call: Call, member: Member, materials: Mapping[str, str]) -> Path | None:
    """Return the file that the valid call has in the place of an argument, or another of its kind."""
    own = own_file(argument, call, member, materials)
    kind = _kind(argument, member)
    if own is not None or kind not in VALID:
        return own
    bundled = _bundled(argument) if kind == "model" else None
    return bundled if bundled is not None and bundled.exists() else Path(materials[VALID[kind]])


def own_file(argument: Argument, call: Call, member: Member, materials: Mapping[str, str]) -> Path | None:
    """Return the file that the valid call has in the place of an argument, or None where it has none there."""
    kind = _kind(argument, member)
    if kind not in VALID or kind in ("records", "notes", "patches"):
        return None
    changed = changes_for(argument, call, member)
    held = {**call.positionals, **call.flags, **{k: v for k, v in changed.items() if v is not None}}.get(argument.field)
    first = held[0] if isinstance(held, tuple) and held else held
    if not isinstance(first, str):
        return None
    path = Path(materials.get(first.strip("{}"), first))
    if kind == "model" and path.is_dir():
        path /= "best.keras"
    elif kind == "model" and not path.exists():
        path = BUNDLED / f"{first}.keras"
    return path if path.exists() else None


def _kind(argument: Argument, member: Member) -> str:
    return "records" if "records" in member.fits else argument.kind


def _bundled(argument: Argument) -> Path:
    """Return the bundled model that an argument names where it is left out."""
    name = classes()[argument.command].model_fields[argument.field].default
    return BUNDLED / f"{name}.keras"
