"""`inversynth invert SOUND…`: estimate the settings behind sounds, and write a report for each.

Each sound gets a folder of its own, and all reports of the output folder are listed in its index.html. A sound at fault
does not stop the others. Ctrl-C writes the best patch so far and ends with 130.
"""

import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field
from pydantic_settings import CliPositionalArg, CliToggleFlag

from generators.command import EXIT_FAULT, run_command
from generators.errors import AudioError, InversynthError, ParameterError, SettingsError, error_line, one_line, shown
from generators.files import check_writable
from generators.notes.folder import SUFFIXES, sounds_below
from generators.settings import Settings
from inversynth.inputs import check_inputs_kept, unique_names

if TYPE_CHECKING:
    from inversynth.inversion.result import Inversion
    from inversynth.inversion.target import Target
    from inversynth.inversion.to_bank import BankWriter
    from inversynth.inversion.voices import Banks
    from inversynth.search.search import StageReport
    from models.model_files import LoadedModel


INDEX = "index.html"
"""The page that lists all reports of the output folder."""

MOST_RENDERS = 10_000_000
"""Sounds that a search may be asked to render: hours of work."""

REACHABLE = "reachable"
"""The grade of a sound that the synth makes (`inversynth.inversion.verdict`)."""


class InvertSettings(Settings):
    """Estimate the synthesizer settings behind sounds (WAV, FLAC, OGG, MP3, AIFF) and write a report for each."""

    flags_only: ClassVar = frozenset(
        {"sounds", "model", "synth", "output_dir", "start", "synth_info", "budget", "continuous", "every_onset"}
        | {"renders", "bank", "one_patch", "notes", "velocities", "to_bank"}
    )
    renamed: ClassVar = {"output_directory": "output_dir"}

    sounds: CliPositionalArg[list[Path]] = Field(
        [], description="the sounds, of any rate, length and channel count, and folders of such"
    )
    model: str = Field("inverter", description="a bundled model (inverter, C6XL), a run folder, or a .keras file")
    synth: Literal["fm", "dx7", "nearest"] | None = Field(
        None,
        description="dx7: a voice for the Yamaha DX7 and Dexed, as voice.syx; fm: the synth of the bundled models; "
        "nearest: both, of which the nearer one is kept; by default the synth of the model",
    )
    budget: Literal["none", "fast", "full"] = Field(
        "fast", description="how long to search on from the model's estimate"
    )
    renders: int | None = Field(
        None, ge=1, le=MOST_RENDERS, description="sounds that a search may render, in place of the budget's number"
    )
    continuous: CliToggleFlag[bool] = Field(
        False, description="finally move the parameters between their levels, by gradient descent"
    )
    bank: Path | None = Field(None, description="DX7 voices to begin with, too: a .syx file, or a folder of such (dx7)")
    one_patch: CliToggleFlag[bool] = Field(
        False, description="find one DX7 voice for all sounds: several notes of one instrument, soft and hard"
    )
    notes: str = Field(
        "",
        description="note of each sound for one_patch, such as C2,C4,C6; by default those in the names of the files, "
        "else those heard",
    )
    velocities: str = Field(
        "",
        description="velocity of each sound for one_patch, such as 40,100,40; by default those in the names of the "
        "files, else 100",
    )
    to_bank: Path | None = Field(
        None,
        description="also write the voices into banks of 32, KIT.syx and KIT-2.syx (dx7); goes on where it stopped",
    )
    output_dir: Path = Field(Path("output"), description="where a folder for each sound is made, and index.html")
    start: float | None = Field(None, ge=0, description="second at which to begin; by default the sound's onset")
    every_onset: CliToggleFlag[bool] = Field(
        False, description="invert every note of a sound, each into its own folder"
    )
    synth_info: CliToggleFlag[bool] = Field(False, description="print what is assumed of the sounds; needs none")


def main(argv: Sequence[str] | None = None, prog: str = "inversynth invert") -> int:
    """Invert the sounds named; returns the exit code, which is 2 where one of them is at fault."""
    faults: list[str] = []
    code = run_command(InvertSettings, lambda settings: _run(settings, faults), argv, prog, resumes=False)
    return code or (EXIT_FAULT if faults else 0)


@dataclass(frozen=True)
class _Inverter:
    """What inverts sounds: how it needs them, what it takes for granted, and `invert(target, options)`."""

    synth: str
    sample_rate: int
    length: float
    normalised: bool
    assumptions: Mapping[str, str]
    invert: "Callable[[Target, dict[str, Any]], Inversion]"


def _run(settings: InvertSettings, faults: list[str]) -> None:
    _check_flags(settings)
    banks = None
    if settings.bank is not None:
        from inversynth.inversion.voices import read_banks

        banks = read_banks(settings.bank)
        if banks.remarks:
            more = f" and {len(banks.remarks) - 1} more remarks" if len(banks.remarks) > 1 else ""
            print(one_line(f"{len(banks.voices)} voices of {settings.bank}; {banks.remarks[0]}{more}"))
    inverters = _inverters(settings, banks)
    if settings.synth_info:
        for inverter in inverters:
            for name, words in inverter.assumptions.items():
                print(f"{name + ':':<17}{words}")
    sounds = _find_sounds(settings, faults)
    if settings.one_patch and sounds:
        _invert_together(settings, sounds, inverters[0], banks, faults)
    elif sounds:
        _invert_sounds(settings, sounds, inverters, banks, faults)


def _find_sounds(settings: InvertSettings, faults: list[str]) -> list[Path]:
    """Replace each folder by the sounds in it and below it, but those of an output folder there."""
    own, found = settings.output_dir.resolve(), []
    for path in settings.sounds:
        if not path.is_dir():
            found.append(path)
            continue
        files = [file for file in sounds_below(path) if not file.resolve().is_relative_to(own)]
        found += files
        if not files:
            kinds = ", ".join(sorted(SUFFIXES))
            faults.append(_print_fault(AudioError(f"a folder holds sounds ({kinds}). Received: none in {path}")))
    return found


def _check_flags(settings: InvertSettings) -> None:
    """Raise SettingsError for flags that do not go together."""
    if settings.every_onset and settings.start is not None:
        raise SettingsError("--every_onset finds the beginnings by itself. Received: --start too. Keep one of them")
    if not settings.sounds and not settings.synth_info:
        raise SettingsError("name one or more sounds. Received: none. See --help")
    if settings.renders is not None and settings.budget == "none":
        raise SettingsError("--renders belongs to a search. Received: --budget none too. Keep one of them")
    voices = settings.synth == "dx7" or (settings.one_patch and settings.synth is None)
    for name, given in (("bank", settings.bank), ("to_bank", settings.to_bank), ("one_patch", settings.one_patch)):
        allowed = ("dx7", "nearest") if name == "bank" else ("dx7",)
        if given and not voices and settings.synth not in allowed:
            received = f"--synth {settings.synth}" if settings.synth else "no --synth"
            raise SettingsError(f"--{name} is for DX7 voices. Received: {received}. Add --synth dx7")
    for name in ("notes", "velocities"):
        if getattr(settings, name) and not settings.one_patch:
            raise SettingsError(f"--{name} are those of several sounds of one voice. Received: no --one_patch. Add it")
    for name in ("every_onset", "to_bank"):
        if settings.one_patch and getattr(settings, name):
            raise SettingsError(f"--one_patch makes one voice of all sounds. Received: --{name} too. Keep one of them")


def _inverters(settings: InvertSettings, banks: "Banks | None") -> "tuple[_Inverter, ...]":
    """Return what inverts the sounds: one synth, or all of which the nearest is kept."""
    if settings.synth == "nearest":
        return _model_inverter(settings), _voice_inverter(settings, banks)
    voices = settings.synth == "dx7" or settings.one_patch
    return (_voice_inverter(settings, banks) if voices else _model_inverter(settings),)


def _model_inverter(settings: InvertSettings) -> _Inverter:
    """Return what inverts sounds by a model and its synth; one that does not fit its synth is refused at once."""
    from inversynth.inversion.inversion import (
        describe_assumptions,
        estimate,
        invert_estimate,
        learned_normalised,
        model_synth,
        open_model,
    )

    card, load = open_model(settings.model)
    if settings.synth == "fm" and card.synth != settings.synth:
        raise SettingsError(
            f"--synth {settings.synth} needs a model of it. Received: --model {settings.model}, of synth "
            f"'{card.synth}'. Leave --synth out"
        )
    if settings.sounds:
        model_synth(card)
    only = _is_one_sound(settings)
    model: LoadedModel | None = None

    def invert(target: "Target", options: dict[str, Any]) -> "Inversion":
        nonlocal model
        model = model or load()
        probabilities = estimate(target, model)
        if only:
            model = None  # frees its memory before the search, which needs as much
        return invert_estimate(target, card, probabilities, level="fit", continuous=settings.continuous, **options)

    normalised = learned_normalised(card)
    assumptions = describe_assumptions(card, "fit")
    return _Inverter(card.synth, card.sample_rate, card.length, normalised, assumptions, invert)


def _is_one_sound(settings: InvertSettings) -> bool:
    return len(settings.sounds) == 1 and not settings.every_onset and not settings.sounds[0].is_dir()


def _voice_inverter(settings: InvertSettings, banks: "Banks | None") -> _Inverter:
    """Return what finds DX7 voices."""
    from generators.dx7.synth import SAMPLE_RATE, Dx7Synth
    from inversynth.inversion import voices

    both = settings.synth == "nearest"
    if settings.continuous and not both:
        raise SettingsError("--continuous moves parameters between levels, of which a DX7 voice has none. Leave it out")
    if settings.model != InvertSettings.model_fields["model"].default and not both:
        raise SettingsError(f"--synth dx7 searches without a model. Received: --model {settings.model}. Leave it out")
    return _Inverter(
        Dx7Synth.name,
        SAMPLE_RATE,
        voices.LENGTH,
        False,
        voices.describe_assumptions(Dx7Synth(SAMPLE_RATE, voices.LENGTH)),
        lambda target, options: voices.invert_voice(target, banks=banks, **options),
    )


def _options(settings: InvertSettings) -> dict[str, Any]:
    return {"budget": settings.budget, "limit": settings.renders, "progress": print_stage}


def _invert_sounds(
    settings: InvertSettings,
    sounds: Sequence[Path],
    inverters: Sequence[_Inverter],
    banks: "Banks | None",
    faults: list[str],
) -> None:
    """Invert sounds one after another, each into its folder, and list all reports of the output folder."""
    from inversynth.inversion.result import InversionInterrupted
    from inversynth.report.index import write_index

    index, written, beyond = settings.output_dir / INDEX, 0, 0
    bank: BankWriter | None = None
    if settings.to_bank is not None:
        from inversynth.inversion import to_bank
        from inversynth.inversion.voices import search_details

        check_inputs_kept([settings.to_bank], [*sounds, *(() if banks is None else banks.files)])
        bank = to_bank.BankWriter(settings.to_bank, settings.budget, search_details(settings.renders, banks))
    try:
        for targets, folder in _targets(settings, sounds, inverters, faults):
            if bank is not None and not written:
                check_writable(bank.path, ParameterError)  # now that there is a sound, and before the long work
            print_remarks(targets[0])
            try:
                known = None if bank is None else bank.known(targets[0], folder)
                inversion = known or _nearest(targets, inverters, _options(settings))
            except AudioError as fault:
                faults.append(_print_fault(fault))
                continue
            except InversionInterrupted as stop:
                _write(stop.inversion if bank is None else bank.add(stop.inversion), folder, index)
                written += 1
                raise
            inversion = inversion if bank is None else bank.add(inversion)
            _write(inversion, folder, index)
            written += 1
            beyond += inversion.patch.verdict.get("word") != REACHABLE
        if beyond and settings.synth is None and settings.budget != "none":
            which = "the sound" if written == 1 else f"{beyond} of {written} sounds"
            print(f"{inverters[0].synth} does not reach {which}: a DX7 voice may come nearer. Try --synth dx7")
    finally:
        for line in [] if bank is None else bank.lines():
            print(one_line(line))
        if written:
            print(one_line(f"all reports: {write_index(index, faults)}"))


def _nearest(targets: "Sequence[Target]", inverters: Sequence[_Inverter], options: dict[str, Any]) -> "Inversion":
    """Invert a sound by each inverter and return what is nearest; says both distances where there are several.

    Raises: InversionInterrupted on Ctrl-C, with the nearest so far.
    """
    from inversynth.inversion.nearest import comparable_distance
    from inversynth.inversion.result import InversionInterrupted

    if len(inverters) == 1:
        return inverters[0].invert(targets[0], options)
    found: list[Inversion] = []
    stopped: InversionInterrupted | None = None
    for target, inverter in zip(targets, inverters, strict=True):
        try:
            found.append(inverter.invert(target, options))
        except InversionInterrupted as stop:
            found.append(stop.inversion)
            stopped = stop
            break
    distances = [comparable_distance(one) for one in found]
    best = found[distances.index(min(distances))]
    figures = ", ".join(
        f"{inverter.synth} {distance:.2f} dB" for inverter, distance in zip(inverters, distances, strict=False)
    )
    print(f"  at 16,384 Hz: {figures}: {best.patch.space.synth} is nearest")
    if stopped is not None:
        raise InversionInterrupted(stopped.best, best) from stopped
    return best


def _invert_together(
    settings: InvertSettings,
    sounds: Sequence[Path],
    inverter: _Inverter,
    banks: "Banks | None",
    faults: list[str],
) -> None:
    """Find one voice for all sounds, into the folder of the main one."""
    from generators.notes.pitches import midi_number
    from inversynth.inversion.notes import read_sound
    from inversynth.inversion.one_voice import invert_notes, main_place, played_notes
    from inversynth.inversion.result import InversionInterrupted
    from inversynth.report.index import write_index

    notes_given = _numbers("notes", settings.notes, midi_number)
    velocities = _numbers("velocities", settings.velocities, _velocity)
    targets = [read_sound(path, inverter.sample_rate, inverter.length, settings.start) for path in sounds]
    for target in targets:
        print_remarks(target)
    notes = played_notes(targets, notes_given, velocities)
    index = settings.output_dir / INDEX
    folder = settings.output_dir / name_folders(sounds)[main_place(targets, notes)]
    try:
        inversion = invert_notes(targets, notes, banks=banks, **_options(settings))
    except InversionInterrupted as stop:
        _write(stop.inversion, folder, index)
        print(one_line(f"all reports: {write_index(index, faults)}"))
        raise
    _write(inversion, folder, index)
    for row in inversion.patch.refinement["notes"]:
        print(
            one_line(
                f"  {row['file']}: note {row['note']}, velocity {row['velocity']}: {row['distance']:.2f} dB away, "
                f"level {row['level_error_db']:+.1f} dB"
            )
        )
    print(one_line(f"all reports: {write_index(index, faults)}"))


def _numbers(name: str, text: str, parse: Callable[[str], int]) -> tuple[int, ...]:
    """Return the numbers of a list, in its order: MIDI notes or velocities."""
    try:
        return tuple(parse(part) for part in text.split(",")) if text else ()
    except ParameterError as fault:
        raise SettingsError(f"--{name} lists one for each sound, such as C2,C4 or 40,100. Received: {fault}") from None


def _velocity(text: str) -> int:
    """Parse a MIDI velocity that sounds. Raises ParameterError."""
    digits = text.strip()
    if not (digits.isascii() and digits.isdigit() and len(digits) <= 3 and 1 <= int(digits) <= 127):
        raise ParameterError(f"velocities run from 1 to 127. Received: '{shown(text, 40)}'")
    return int(digits)


def _targets(
    settings: InvertSettings, sounds: Sequence[Path], inverters: Sequence[_Inverter], faults: list[str]
) -> "Iterator[tuple[Sequence[Target], Path]]":
    """Yield sounds made ready for each inverter, with the folder of each; print and collect sounds at fault."""
    from inversynth.inversion.notes import read_notes, read_sound

    needs = [(one.sample_rate, one.length, one.normalised) for one in inverters]
    for path, name in zip(sounds, name_folders(sounds), strict=True):
        folder = settings.output_dir / name
        try:
            if settings.every_onset:
                notes = (read_notes(path, rate, length, normalised) for rate, length, normalised in needs)
                for targets in zip(*notes, strict=True):
                    yield targets, folder / targets[0].name.rpartition("-")[2]
            else:
                yield [read_sound(path, rate, length, settings.start, normal) for rate, length, normal in needs], folder
        except AudioError as fault:
            faults.append(_print_fault(fault))


def name_folders(sounds: Sequence[Path]) -> list[str]:
    """Name a folder after each sound, with a number where two have the same name; none takes that of the index."""
    return unique_names([INDEX, *(sound.stem or "sound" for sound in sounds)])[1:]


def _print_fault(fault: InversynthError) -> str:
    message = error_line(f"{type(fault).__name__}: {fault}")
    print(message, file=sys.stderr)
    return message


def _write(inversion: "Inversion", folder: Path, index: Path) -> None:
    from inversynth.inversion.result import write_inversion
    from inversynth.report.report import describe_match

    report = write_inversion(inversion, folder, index)
    print(one_line(f"{inversion.target.name}: {describe_match(inversion.patch)} -> {report}"))
    if inversion.patch.verdict.get("hint"):
        print(f"  {inversion.patch.verdict['hint']}")


def print_remarks(target: "Target") -> None:
    """Print in one line what a sound plays, and what to beware of."""
    print(one_line(" ".join([f"{target.name}:", *target.remarks])), flush=True)


def print_stage(report: "StageReport") -> None:
    """Print what a stage of the search did, beside what it declares."""
    from inversynth.search.search import STAGES

    declared = STAGES[report.name]
    print(
        f"  {report.name:<9} {report.renders:>6,} renders (about {declared.renders:,}), {report.seconds:5.2f} s (about "
        f"{declared.seconds:g}), {report.distance:5.2f} dB away: {declared.summary}",
        flush=True,
    )


if __name__ == "__main__":
    sys.exit(main(prog="python -m inversynth.inversion.command"))
