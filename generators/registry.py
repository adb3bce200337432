"""The table of synthesizers, and the command `inversynth generate SYNTH`.

A synth is found by a plain name (built in, registered by `register_synth`, or an entry point of the group
`inversynth.synths` of an installed package), or by a reference `package.module:Class`, which needs no registration.
Datasets, model cards and patches store the name or the reference that the synth was found by, and lead back to it.
"""

import importlib
import importlib.metadata
import inspect
import logging
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

from pydantic import Field
from pydantic_settings import CliPositionalArg

from generators.command import run_command
from generators.dx7.synth import Dx7Synth
from generators.envelope_generator import EnvelopeSynth
from generators.errors import InversynthError, ParameterError, SettingsError, unknown
from generators.fm_generator import FmSynth
from generators.generate import GeneratorSettings, generate_from_settings
from generators.oscillator_spec import Oscillator, oscillator_columns
from generators.parameters import ParameterSpace
from generators.sine_generator import SineSynth
from generators.synth import A4, DEFAULT_LENGTH, DEFAULT_SAMPLE_RATE, Synth

log = logging.getLogger(__name__)

ENTRY_POINTS = "inversynth.synths"
"""Entry points of this group add synths: `my_name = "my_package.my_synth:MySynth"`."""


@dataclass(frozen=True)
class Generator:
    """A row of the table: a synth, and the module of its `main(argv, prog)` if it has settings of its own.

    Notes are no synth; patches of the DX7 are not drawn parameter by parameter, so it stands in `VOICE_SYNTHS`.
    A module is imported when its command is called.
    """

    name: str
    synth: type[Synth] | None
    module: str | None = None


GENERATORS = (
    Generator(FmSynth.name, FmSynth),
    Generator(SineSynth.name, SineSynth),
    Generator(EnvelopeSynth.name, EnvelopeSynth, "generators.envelope_generator"),
    Generator(Dx7Synth.name, None, "generators.dx7.dataset"),
    Generator("notes", None, "generators.note_generator"),
)
"""What `inversynth generate` offers; a new synth is a module of its own and a row here."""

SYNTHS: dict[str, type[Synth]] = {row.name: row.synth for row in GENERATORS if row.synth}
"""Synths by name: the built-in ones, and what `register_synth` adds."""

VOICE_SYNTHS: dict[str, type[Synth]] = {Dx7Synth.name: Dx7Synth}
"""Synths whose datasets are not made by drawing each parameter, which gives hardly a voice that one would play."""

OWN_COMMANDS = {row.name: row.module for row in GENERATORS if row.module}
"""Modules of the commands of what has settings of its own."""


def register_synth(synth: type[Synth]) -> type[Synth]:
    """Make a synth known by its `name` in this process, and return it, so that this serves as a decorator.

    Raises: ParameterError for a class that is no complete synth, and for a name that another class has.
    """
    name = getattr(synth, "name", "")
    if not name or ":" in name:
        raise ParameterError(f"a synth to register has a plain name. Received: '{name}' of {synth!r}")
    known = SYNTHS.get(name)
    if known is not None and (known.__module__, known.__qualname__) != (synth.__module__, synth.__qualname__):
        raise ParameterError(f"synth '{name}' is registered already, as {known.__module__}:{known.__qualname__}")
    SYNTHS[name] = _checked(synth, name)
    return synth


def find_synth(name: str) -> type[Synth]:
    """Return a synth class by its name or by a reference `package.module:Class`.

    The class has that name, also in its parameter space. Modules are looked for in the working folder too.
    Raises: ParameterError for an unknown name, with the nearest one, and for a reference that leads to no synth.
    """
    if name in SYNTHS or name in VOICE_SYNTHS:
        return SYNTHS.get(name) or VOICE_SYNTHS[name]
    if ":" in name:
        return _referenced(name)
    points = _entry_points()
    if name in points:
        return _from_entry_point(points[name])
    raise ParameterError(unknown("synth", name, (*SYNTHS, *points)))


def is_synth(name: str) -> bool:
    """Return whether `find_synth` looks for a synth of that name: registered, an entry point, or any reference."""
    module, colon, attribute = name.partition(":")
    is_reference = bool(colon) and all(part.isidentifier() for part in (*module.split("."), *attribute.split(".")))
    return name in SYNTHS or is_reference or name in _entry_points()


def all_synths() -> dict[str, type[Synth]]:
    """Return all synths by name, those of installed packages last; one that cannot be loaded is logged in a line."""
    found = dict(SYNTHS)
    for name, point in _entry_points().items():
        try:
            found.setdefault(name, _from_entry_point(point))
        except ParameterError as error:
            log.warning("synth '%s' is left out: %s", name, error)
    return found


def build_synth(
    name: str, sample_rate: int = DEFAULT_SAMPLE_RATE, length: float = DEFAULT_LENGTH, root: float = A4
) -> Synth:
    """Return a synthesizer by name or reference, at a sample rate (hertz), length (seconds) and root (MIDI number).

    Raises: ParameterError for an unknown name, and for what the synth does not allow.
    """
    return find_synth(name)(sample_rate, length).at_root(root)


def declared_oscillators(space: ParameterSpace) -> tuple[Oscillator, ...]:
    """Return the oscillators that the synth of a space declares, where one network can take all of them as input.

    That is where the space has all their parameters, all on one grid of levels; none are returned otherwise.
    """
    try:
        oscillators = find_synth(space.synth).oscillators
    except ParameterError:  # notes, and synths of packages that are not installed here
        return ()
    if not {name for one in oscillators for name in one.parameters} <= set(space.names):
        return ()
    levels = {tuple(space.levels(name) for name in (one.frequency, one.rate, one.depth)) for one in oscillators}
    return oscillators if len(levels) == 1 else ()


def _entry_points() -> dict[str, importlib.metadata.EntryPoint]:
    return {point.name: point for point in importlib.metadata.entry_points(group=ENTRY_POINTS)}


@cache
def _from_entry_point(point: importlib.metadata.EntryPoint) -> type[Synth]:
    return _checked(_import(point.module, point.attr, f"entry point '{point.name}' ({point.value})"), point.name)


@cache
def _referenced(reference: str) -> type[Synth]:
    module, _, attribute = reference.partition(":")
    found = _import(module, attribute, f"'{reference}'")
    built_in = next((synth for synth in SYNTHS.values() if synth is found), None)
    return built_in or _checked(found, reference)


def _import(module: str, attribute: str, reference: str) -> Any:
    """Return what a reference leads to, imported from the path and last from the working folder.

    Last, because a folder `models` of the user's must not hide the package `models` of this project.
    Modules of the standard library hold no synths and are never imported, for a file may name any module.
    Raises: ParameterError in one line for whatever fails, also inside the module.
    """
    if module.partition(".")[0] in sys.stdlib_module_names:
        own = f"Python's own module '{module}'"
        raise ParameterError(f"synth {reference} must be in a module of yours. Received: {own}")
    folder = str(Path.cwd())
    if folder not in sys.path and "" not in sys.path:
        sys.path.append(folder)
    importlib.invalidate_caches()
    try:
        found = importlib.import_module(module)
    except InversynthError as error:
        raise ParameterError(f"synth {reference} is at fault: {error}") from None
    except Exception as error:
        absent = isinstance(error, ModuleNotFoundError) and error.name and f"{module}.".startswith(f"{error.name}.")
        reason = f"no module '{module}'" if absent else f"{type(error).__name__}: {error}"
        hint = " Name it as package.module:Class, as Python finds it from this folder" if absent else ""
        raise ParameterError(f"cannot import synth {reference}: {reason}.{hint}") from None
    for part in attribute.split("."):
        if not hasattr(found, part):
            known = [name for name, each in vars(found).items() if inspect.isclass(each) and issubclass(each, Synth)]
            raise ParameterError(unknown(f"synth in module {module}:", part, [n for n in known if n != Synth.__name__]))
        found = getattr(found, part)
    return found


def _checked(found: Any, name: str) -> type[Synth]:
    """Return a synth class under a name: itself where that is its name, else a subclass that differs in that alone.

    Raises: ParameterError unless it is a synth that can be built, with a parameter space.
    """
    if not (inspect.isclass(found) and issubclass(found, Synth)):
        raise ParameterError(f"'{name}' must be a subclass of generators.synth.Synth. Received: {found!r}")
    missing = sorted(found.__abstractmethods__)
    if missing:
        raise ParameterError(f"synth '{name}' lacks what it must define: {', '.join(missing)}")
    space = getattr(found, "space", None)
    if not isinstance(space, ParameterSpace):
        raise ParameterError(f"synth '{name}' needs a ParameterSpace as its attribute space. Received: {space!r}")
    oscillator_columns(space, found.oscillators)
    if found.structure is not None:
        oscillator_columns(space, found.structure.oscillators)
        found.structure.effect_columns(space)
    if getattr(found, "name", None) == space.synth == name:
        return found

    class Named(found):
        """A synth under the name that it was found by, which is stored with its sounds."""

        def __init__(self, *args: Any, **options: Any) -> None:
            super().__init__(*args, **options)
            self.space: ParameterSpace = replace(self.space, synth=name)

    Named.name, Named.space = name, replace(space, synth=name)
    Named.__name__, Named.__qualname__ = found.__name__, found.__qualname__
    Named.__module__, Named.__doc__ = found.__module__, found.__doc__
    return Named


class GenerateSettings(GeneratorSettings):
    """Generate a dataset of sounds with known parameters into one HDF5 file."""

    flags_only = GeneratorSettings.flags_only | {"synth"}

    synth: CliPositionalArg[str] = Field(
        description=f"which synthesizer: {', '.join(SYNTHS)}, or package.module:Class; or "
        f"{', '.join(row.name for row in GENERATORS if not row.synth)}. "
        "--synth SYNTH is the same"
    )


def main(argv: Sequence[str] | None = None, prog: str = "inversynth generate") -> int:
    """Generate a dataset of a synth, by its own command if it has one; returns the exit code."""
    words = _synth_first(list(sys.argv[1:] if argv is None else argv))
    if words and words[0] in OWN_COMMANDS:
        return int(importlib.import_module(OWN_COMMANDS[words[0]]).main(words[1:], f"{prog} {words[0]}"))

    def action(settings: GenerateSettings) -> None:
        name = settings.synth
        if name in OWN_COMMANDS:
            raise SettingsError(f"'{name}' comes before its flags. Received: it after them. Write: {prog} {name} …")
        synth = find_synth(name)(settings.sample_rate, settings.length)
        generate_from_settings(synth, settings, settings.sampling_method)

    return run_command(GenerateSettings, action, words, prog)


def _synth_first(words: list[str]) -> list[str]:
    """Write `--synth NAME`, as other commands have it, as the first word."""
    for place, word in enumerate(words):
        flag, equals, name = word.partition("=")
        if flag == "--synth" and (equals or place + 1 < len(words)):
            rest = words[:place] + words[place + (1 if equals else 2) :]
            return [name if equals else words[place + 1], *rest]
    return words


if __name__ == "__main__":
    sys.exit(main(prog="python -m generators.registry"))
