"""Every command with a valid call, and what each of its arguments names.

A command or a text argument that stands in no table here fails a test: who adds one adds a line. Numbers, choices and
switches need none: their types say what they are.
"""

import typing
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from docs.write_settings import settings_classes
from generators.settings import Settings

Value = str | bool | tuple[str, ...]

NAMED: dict[str, str] = {
    **dict.fromkeys(("dataset", "dataset_file"), "dataset"),
    **dict.fromkeys(("sounds", "sound"), "sound"),
    **dict.fromkeys(("model", "models", "runs", "mcnn", "compare", "what", "patch_or_model", "run"), "model"),
    **dict.fromkeys(
        ("output_directory", "output_dir", "wavefile_directory", "dataset_directory", "directory"), "folder"
    ),
    **dict.fromkeys(("name", "dataset_name", "run_name"), "stem"),
    **dict.fromkeys(("instruments", "families", "instrument_sources", "styles", "tags", "budgets"), "words"),
    **dict.fromkeys(("pitches", "velocities", "default_pitch", "note", "notes", "root"), "word"),
    **dict.fromkeys(("style", "style_label", "condition", "preset", "synth", "command", "fade", "share"), "word"),
    **{"dataset_dir": "data_folder", "parameters_file": "space", "patches": "patches", "patch": "patch"},
    **{"midi": "midi", "output": "output", "batch": "batch", "inputs": "codes", "corners": "notes"},
    **{"bank": "voices", "to_bank": "output"},
    **{
        "examples_dir": "folder",
        "latents": "latents",
        "latent": "latents",
        "origin": "latents",
        "target": "latents",
        "pca": "pca",
    },
    **{"soundfont": "soundfont", "labels": "csv", "notes_from": "notes", "shard": "word"},
    "checkpoint": "checkpoint",
}
"""What arguments of text are, by their name; a command says otherwise in `kinds`."""


@dataclass(frozen=True)
class Call:
    """A valid call of a command.

    A command whose switch leads to other code has a call of that, too, named with it: `invert --synth dx7`.

    Attributes:
        positionals, flags: values by field; `{name}` stands for a material, and () for a switch.
        kinds: what arguments of text are, where `NAMED` is wrong. changes: by the field that is put to the test, what
            else has to change for it to count; None takes a flag away. A field may have changes of its own for members
            of one kind: `notes_from records`.
        slower: by what its work is more than that of others, a factor of the time that a case may take.
        own: fields that are put to the test here; None means all. Others are those of another command, with its code.
    """

    command: str
    positionals: Mapping[str, Value] = field(default_factory=dict)
    flags: Mapping[str, Value] = field(default_factory=dict)
    kinds: Mapping[str, str] = field(default_factory=dict)
    changes: Mapping[str, Mapping[str, Value | None]] = field(default_factory=dict)
    beside: str = ""
    own: tuple[str, ...] | None = None
    slower: float = 1.0


GROUPS = ("gansynth", "wae", "import")
"""Commands that are the first word of others."""

QUICK = {"pictures": False, "page": False}
ONCE = {"epochs": "1", "steps_per_epoch": "1", "batch_size": "4"}
SMOKE = {**ONCE, "size": "smoke", "dataset_file": "{notes_dataset}"}
SMALL = {"num_examples": "3", "length": "0.05", "sample_rate": "8000"}
SAMPLED = {"seconds": "0.1", "notes": "C4"}
TRANSFER = {"model": "{wae_run}", "mcnn": "{mcnn_run}", **QUICK}
FROM_FOLDER: dict[str, Value | None] = {
    **{"source": "folder", "soundfont": None, "pitches": None, "notes_from": "{notes}"},
    **{"sample_rate": "8000", "length": "0.125"},
}

CALLS: dict[str, Call] = {
    call.command: call
    for call in (
        Call("start"),
        Call("generate", {"synth": "sine"}, SMALL),
        Call("generate envelope", {}, {"num_examples": "3", "seq_length": "64"}, beside="generate"),
        Call(
            "generate dx7",
            {},
            {"num_examples": "3", "length": "0.05", "sample_rate": "8000", "families": "organ"},
            beside="generate",
        ),
        Call(
            "generate notes",
            {},
            {"source": "soundfont", "soundfont": "{soundfont}", "pitches": "60:62", "length": "0.05", "held": "0.02"},
            changes={
                "wavefile_directory": {"wavefiles": True},
                "notes_from": {
                    **{"source": "folder", "soundfont": None, "pitches": None, "sample_rate": "16000", "length": "0.1"},
                    **{"convert": True, "pad": True, "trim": True},
                },
                "notes_from records": {
                    **{"source": "nsynth", "soundfont": None, "pitches": None, "sample_rate": "16000"},
                    **{"length": "0.025"},
                },
                "labels": FROM_FOLDER,
                "subset": {"source": "nsynth", "notes_from": "{records}", "soundfont": None, "sample_rate": "8000"},
                **dict.fromkeys(("tags", "default_pitch", "chop_step", "convert", "pad", "trim", "chop"), FROM_FOLDER),
            },
        ),
        Call(
            "train",
            {},
            {"model": "C1", "dataset_file": "{sine}", **ONCE},
            kinds={"model": "word"},
            changes={
                "synth": {"dataset_file": None, "stream": True, "length": "0.05", "sample_rate": "8000"},
                "length": {"dataset_file": None, "stream": True, "synth": "sine", "sample_rate": "8000"},
                "sample_rate": {"dataset_file": None, "stream": True, "synth": "sine", "length": "0.05"},
                "dataset_dir": {"dataset_file": None, "dataset_name": "sine"},
                "dataset_name": {"dataset_file": None},
            },
        ),
        Call(
            "train macros",
            {},
            {"patches": "{patches}", "macros": "2", "epochs": "1", "batch_size": "4"},
            beside="train",
        ),
        Call("train neurosynth", {}, {**ONCE, "dsize": "8", "conv_dim": "2", "critic_steps": "1"}, beside="train"),
        Call(
            "train neurosynth-published",
            {},
            {**ONCE, "dsize": "8", "conv_dim": "2", "critic_steps": "1"},
            beside="train neurosynth",
        ),
        Call("train nsynth", {}, {**SMOKE, "crop": "512"}, beside="train"),
        Call("train nsynth-baseline", {}, {**ONCE, "size": "short", "dataset_file": "{notes_dataset}"}, beside="train"),
        Call("train note-classifier", {}, {**ONCE, "size": "short", "dataset_file": "{notes_dataset}"}, beside="train"),
        Call(
            "train gansynth",
            {},
            {
                **{name: value for name, value in SMOKE.items() if name != "steps_per_epoch"},
                **{"epoch_images": "64", "total_images": "132", "stable_images": "8", "transition_images": "8"},
            },
            beside="train",
        ),
        Call("train wae", {}, SMOKE, beside="train"),
        Call("train mcnn", {}, SMOKE, beside="train"),
        Call("train dx7", {}, {**ONCE, "repeats": "1"}, beside="train", slower=3.0),
        Call(
            "invert",
            {"sounds": "{fm_sound}"},
            {"budget": "none"},
            changes={
                "model": {},
                "renders": {"budget": "fast", "synth": "dx7"},
                **{name: {"synth": "dx7"} for name in ("bank", "to_bank")},
                "notes": {"sounds": ("{fm_sound}", "{fm_sound}"), "one_patch": (), "velocities": "40,100"},
                "velocities": {"sounds": ("{fm_sound}", "{fm_sound}"), "one_patch": (), "notes": "60,60"},
                "one_patch": {"sounds": ("{fm_sound}", "{fm_sound}"), "notes": "60,60", "velocities": "40,100"},
            },
        ),
        Call(
            "invert --synth dx7",
            {"sounds": "{fm_sound}"},
            {"budget": "none"},
            own=("sounds", "start", "output_dir", "budget"),
        ),
        Call("refine", {"patch": "{patch}", "sound": "{fm_sound}"}, {"budget": "none"}),
        Call(
            "play",
            {"patch": "{patch}"},
            {"notes": "C4", "length": "0.1"},
            changes={"midi": {"notes": None, "length": None}},
        ),
        Call(
            "export",
            {"patch_or_model": "{patch}"},
            {"format": "csv", "output": "written.csv"},
            kinds={"patch_or_model": "patch"},
            changes={
                "mcnn": {"patch_or_model": "wae", "format": "saved_model", "output": "written"},
                **{
                    name: {**SAMPLED, "format": "wav", "output": "written.wav"}
                    for name in ("notes", "step", "velocities", "seconds", "sample_rate")
                },
                "loops": {**SAMPLED, "format": "sfz", "output": "written.sfz"},
            },
        ),
        Call(
            "export --format syx",
            {"patch_or_model": "{voice}"},
            {"output": "written.syx"},
            kinds={"patch_or_model": "voices"},
            own=("patch_or_model", "output"),
        ),
        Call("vary", {"patch": "{voice}"}, {"count": "1", "page": False}, kinds={"patch": "voice"}),
        Call(
            "morph",
            {"first": "{patch}", "second": "{patch}"},
            {"steps": "2", "page": False},
            kinds={"first": "patch", "second": "patch"},
            changes={"first voice": {"second": "{voice}"}, "second voice": {"first": "{voice}"}},
        ),
        Call("macros", {"run": "{macros_run}"}, {"positions": "2"}),
        Call(
            "shape",
            {"sounds": "{sound}"},
            {},
            changes={"batch": {"sounds": (), "output": "out.npz"}, "output": {"sounds": (), "batch": "{batch}"}},
        ),
        Call("encode", {"sounds": "{note}"}, {"length": "0.1"}),
        Call("decode", {"inputs": "{codes}"}, {"length": "0.032"}),
        Call(
            "interpolate",
            {"inputs": ("{codes}", "{codes}")},
            {"length": "0.032", "batch_size": "1"},
            changes={
                "fade": {"how": "crossfade"},
                "factor": {"how": "stretch", "inputs": "{codes}"},
                "inputs": {"how": "stretch", "length": None, "factor": "1"},
            },
        ),
        Call(
            "grid",
            {"corners": ("{corner_a}", "{corner_b}", "{corner_c}", "{corner_d}")},
            {"resolution": "2", "final_length": "512", "pitches": "60", "batch_size": "1"},
            kinds={"sounds": "words"},
            changes={"corners": {"check": True}, "sounds": {"corners": "{corner_a}", "check": True}},
        ),
        Call("gansynth", {"command": "random"}, {"count": "1", **QUICK}),
        Call("gansynth random", {}, {"count": "1", "note": "60", **QUICK}, changes={"latents": {"count": None}}),
        Call("gansynth interpolate", {}, {"steps": "2", "note": "60", **QUICK}),
        Call(
            "gansynth hallucinate",
            {},
            {"points": "2", "steps": "1", "spacing": "0.1", "sustain": "0.1", "attack": "0.1", "release": "0.1"}
            | {"note": "60", **QUICK},
            changes={"latents": {"points": None}},
        ),
        Call("gansynth midi", {"midi": "{midi}"}, {"skip_unknown": True, **QUICK}),
        Call(
            "gansynth pca",
            {},
            {"pca": "{pca}", "sliders": "1,-1", **QUICK},
            changes={
                "note": {"pca": None, "sliders": None, "samples": "16", "components": "2", "steps": "2"},
                "samples": {"pca": None, "sliders": None, "components": "2", "steps": "2"},
                "components": {"pca": None, "sliders": None, "samples": "16", "steps": "2"},
                "reach": {"sliders": None, "steps": "2"},
                "steps": {"sliders": None},
                "latent": {"on_top": True},
            },
        ),
        Call("wae", {"command": "random"}, {**TRANSFER, "note": "60"}),
        Call("wae random", {}, {**TRANSFER, "note": "60", "style": "flute"}),
        Call(
            "wae reconstruct",
            {"sounds": "{sound}"},
            {**TRANSFER, "note": "60"},
            changes={
                "dataset_file": {"sounds": (), "note": None, "count": "1"},
                "count": {"sounds": (), "note": None, "dataset_file": "{notes_dataset}"},
            },
        ),
        Call("wae morph", {}, {**TRANSFER, "steps": "2", "note": "60"}, kinds={"origin": "word", "target": "word"}),
        Call("wae transfer", {"sound": "{sound}"}, {**TRANSFER, "style": "flute", "note": "60"}),
        Call("wae map", {}, {"models": "{wae_run}", "dataset_file": "{notes_dataset}"}),
        Call("import", {"command": "nsynth", "checkpoint": "{nsynth_checkpoint}"}, {"output": "a.keras"}),
        Call("import gansynth", {"checkpoint": "{gansynth_checkpoint}"}, {"notes": "60:62", "output": "a.keras"}),
        Call("import nsynth", {"checkpoint": "{nsynth_checkpoint}"}, {"output": "a.keras"}),
        Call("compare", {}, {"model": "{run}", "dataset": "{sine}", "num": "1"}),
        Call(
            "evaluate",
            {"runs": "{run}"},
            {"dataset": "{sine}", "num_examples": "2", "identifiability": "0", "output": "scores.json"},
        ),
        Call("explain", {"patch": "{patch}"}),
        Call("inspect", {"what": "{run}"}, changes={"preset": {"what": "C1"}}),
        Call("list"),
        Call("demo", {}, {"budget": "none"}, kinds={"model": "word"}),
    )
}
"""A valid call of each command, as `docs.write_settings` names them."""

Kind = Literal["integer", "number", "numbers", "integers", "choice", "switch"] | str


@dataclass(frozen=True)
class Argument:
    """An argument of a command: the field that it sets, whether it stands alone, and what it is."""

    command: str
    field: str
    positional: bool
    kind: Kind
    description: str = ""

    @property
    def name(self) -> str:
        return self.field.upper() if self.positional else f"--{self.field}"


def classes() -> dict[str, type[Settings]]:
    """Return the settings class of each command, and of each call with a switch in its name."""
    from docs.write_commands import settings_of
    from inversynth.cli import COMMANDS

    found = {"start": settings_of(COMMANDS["start"].load()), **settings_classes()}
    return found | {name: found[base_command(name)] for name in CALLS if base_command(name) in found}


def base_command(name: str) -> str:
    """Return the name of a command without the switches that the name of a call may hold."""
    return name.partition(" --")[0]


def arguments(command: str, settings: type[Settings], beside: type[Settings] | None = None) -> Iterator[Argument]:
    """Walk the arguments of a command; those that are the same in the settings `beside` it are left out.

    Raises: LookupError for an argument of text of which no table says what it is.
    """
    for name, info in settings.model_fields.items():
        if beside and name in beside.model_fields:
            other = beside.model_fields[name]
            if (other.description, other.annotation, other.metadata) == (
                info.description,
                info.annotation,
                info.metadata,
            ):
                continue
        yield Argument(command, name, _is_positional(info), _kind(command, name, info), info.description or "")


def _kind(command: str, name: str, info: Any) -> str:
    own = CALLS[command].kinds if command in CALLS else {}
    if name in own:
        return own[name]
    types = set(_types(info.annotation))
    if types & {"Path", "PosixPath", "str"}:
        if name in NAMED:
            return NAMED[name]
        raise LookupError(f"say in tests/hostile/commands.py what --{name} of '{command}' is, in NAMED or kinds")
    many = typing.get_origin(_plain(info.annotation)) in (tuple, list)
    if "float" in types:
        return "numbers" if many else "number"
    if "int" in types:
        return "integers" if many else "integer"
    if "bool" in types:
        return "switch"
    return "choice"


def _plain(annotation: Any) -> Any:
    """Take `Annotated` and `None` from around a type."""
    origin = typing.get_origin(annotation)
    if origin is typing.Annotated:
        return _plain(typing.get_args(annotation)[0])
    if origin in (typing.Union, getattr(__import__("types"), "UnionType", None)):
        kept = [each for each in typing.get_args(annotation) if each is not type(None)]
        return _plain(kept[0]) if len(kept) == 1 else annotation
    return annotation


def _types(annotation: Any) -> Iterator[str]:
    plain = _plain(annotation)
    inner = typing.get_args(plain)
    if typing.get_origin(plain) is Literal:
        return
    if inner:
        for each in inner:
            if each is not Ellipsis:
                yield from _types(each)
    elif isinstance(plain, type):
        yield plain.__name__


def _is_positional(info: Any) -> bool:
    return any("Positional" in repr(mark) for mark in info.metadata)


def words(call: Call, materials: Mapping[str, str], changes: Mapping[str, Value | None]) -> list[str]:
    """Return the words after `inversynth` of a valid call with some of its arguments changed.

    Args:
        changes: values by field; None takes a flag away, () a positional.
    """
    command, *behind = call.command.split()
    start = [command, "--model", *behind] if command == "train" and behind else [command, *behind]
    positionals = {**call.positionals, **{k: v for k, v in changes.items() if k in call.positionals and v is not None}}
    flags = {**call.flags, **{k: v for k, v in changes.items() if k not in call.positionals}}
    found = []
    for name, value in flags.items():
        if isinstance(value, bool):
            found.append(f"--{name}" if value else f"--no-{name}")
            continue
        for each in (value,) if isinstance(value, str) else value or ():
            found.append(f"--{name}={filled(each, materials)}")
    standing = []
    for value in positionals.values():
        assert not isinstance(value, bool)
        standing += [filled(each, materials) for each in ((value,) if isinstance(value, str) else value)]
    if any(word.startswith("-") for word in standing):
        standing = ["--", *standing]
    if command in GROUPS and not behind:  # a group's command stands before its flags
        return [*start, *standing, *found]
    return [*start, *found, *standing]


def filled(text: str, materials: Mapping[str, str]) -> str:
    """Return the path of a material for its name in braces, and any other text as it is."""
    name = text[1:-1] if text.startswith("{") and text.endswith("}") else ""
    return materials.get(name, text)
