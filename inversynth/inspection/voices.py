"""Descriptions of DX7 voice files: what a bank holds, and one voice in the words of the instrument's panel.

Nothing is rendered: all that is said stands in the bytes. `inversynth explain` says what is heard of a voice.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from generators.dx7 import panel
from generators.dx7.algorithms import ALGORITHMS
from generators.dx7.sysex import read_syx, read_voice, split_address
from generators.dx7.voice import OPERATORS, PARAMETERS, Voice
from generators.errors import one_line, shown
from inversynth.report.tables import text_table

SUFFIX = ".syx"

SCALING = ("break_point", "left_depth", "left_curve", "right_depth", "right_curve", "rate_scaling")
SENSITIVITY = ("am_sensitivity", "velocity_sensitivity")
SHARED = ("algorithm", "feedback", "oscillator_sync", "transpose", "pitch_sensitivity")
LFO = ("lfo_wave", "lfo_speed", "lfo_delay", "lfo_pitch_depth", "lfo_amplitude_depth", "lfo_sync")
"""Parameters in the order in which they are shown, beside frequencies, levels and envelopes."""


def is_voice_file(what: str) -> bool:
    """Tell whether a name is that of a voice file, or of one voice in it: `bank.syx`, `bank.syx#5`."""
    path, number = split_address(what)
    return number is not None or Path(path).suffix.lower() == SUFFIX


def describe_voices(address: str) -> dict[str, Any]:
    """Describe the voices of a file, or the one that an address names, or a file holds.

    Raises: ParameterError for a file that cannot be read, and for a number that it does not hold.
    """
    path, number = split_address(address)
    file = read_syx(path)
    if number is None and len(file.voices) > 1:
        return {
            "kind": "voices",
            "path": str(path),
            "file_bytes": Path(path).stat().st_size,
            "remarks": list(file.remarks),
            "voices": [_summary(k, voice) for k, voice in enumerate(file.voices, 1)],
        }
    voice = read_voice(address)
    remarks = list(file.remarks) if len(file.voices) == 1 else []
    values = {parameter.name: voice[parameter.name] for parameter in PARAMETERS}
    return {"kind": "voice", "path": address, **_summary(number or 1, voice), "remarks": remarks, "parameters": values}


def voices_text(d: Mapping[str, Any]) -> str:
    """Format what a file of several voices holds."""
    rows = [
        [
            str(voice["number"]),
            voice["name"],
            str(voice["algorithm"]),
            " ".join(map(str, voice["carriers"])),
            str(voice["feedback"]),
            " ".join(voice["frequencies"]),
        ]
        for voice in d["voices"]
    ]
    path = one_line(d["path"])
    head = f"{len(rows)} DX7 voices in {path}; one of them by its number: inversynth inspect {path}#1"
    columns = ["#", "name", "algorithm", "carriers", "feedback", "frequencies of operators 1 to 6"]
    remarks = [f"  {shown(remark, 300)}" for remark in d["remarks"]]
    return "\n".join([head, *remarks, "", text_table(columns, rows)])


def voice_text(d: Mapping[str, Any]) -> str:
    """Format one voice in panel words: a column an operator, then what all share."""
    values = d["parameters"]

    def row(name: str) -> list[str]:
        label = panel.label(f"op1_{name}").removeprefix("OP 1 ")
        cells = [panel.shown_value(f"op{k}_{name}", values[f"op{k}_{name}"]) for k in range(1, OPERATORS + 1)]
        return [label, *cells]

    def envelope(prefix: str, part: str) -> str:
        return " ".join(f"{values[f'{prefix}{part}_{k}']:>2}" for k in range(1, 5))

    operators = range(1, OPERATORS + 1)
    rows = [
        ["", *("carrier" if k in d["carriers"] else "modulator" for k in operators)],
        ["FREQUENCY", *d["frequencies"]],
        row("detune"),
        row("output_level"),
        ["EG RATE 1 TO 4", *(envelope(f"op{k}_", "rate") for k in operators)],
        ["EG LEVEL 1 TO 4", *(envelope(f"op{k}_", "level") for k in operators)],
        *(row(name) for name in (*SCALING, *SENSITIVITY)),
    ]
    pairs = [[panel.label(name), panel.shown_value(name, values[name])] for name in (*SHARED, *LFO)]
    pairs += [[f"PITCH EG {part.upper()} 1 TO 4", envelope("pitch_", part)] for part in ("rate", "level")]
    width = max(len(label) for label, _ in pairs)
    path, _ = split_address(d["path"])
    return "\n".join(
        [
            f"DX7 voice {d['number']} of {one_line(path)}: {d['name']}",
            *(f"  {shown(remark, 300)}" for remark in d["remarks"]),
            "",
            text_table(["", *(f"OP {k}" for k in operators)], rows),
            "",
            *(f"{label:<{width}}  {value}" for label, value in pairs),
        ]
    )


def _summary(number: int, voice: Voice) -> dict[str, Any]:
    algorithm = ALGORITHMS[voice["algorithm"]]
    return {
        "number": number,
        "name": voice.name,
        "algorithm": voice["algorithm"] + 1,
        "carriers": list(algorithm.carriers),
        "feedback": voice["feedback"],
        "frequencies": [panel.frequency(voice, k) for k in range(1, OPERATORS + 1)],
    }
