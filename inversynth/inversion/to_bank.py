"""Many sounds become banks of DX7 voices: 32 each, named after the sounds; what an equal command found is kept."""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from generators.audio import read_audio
from generators.dx7.synth import Dx7Synth
from generators.dx7.sysex import BANK_VOICES, write_syx
from generators.dx7.voice import NAME_LENGTH, Voice
from generators.errors import InversynthError
from inversynth.inversion.result import Inversion
from inversynth.inversion.target import Target
from inversynth.inversion.voices import describe_assumptions
from inversynth.patches.formats import voice_from_patch
from inversynth.patches.patch import read_patch

SAME = 1e-6
"""Difference of two sounds below which they are the same: what is kept of a sound as 32-bit floats is exact."""


@dataclass
class BankWriter:
    """Gathers the voices of sounds, and writes them into banks.

    Attributes: path: of the first bank; further ones are numbered. budget, details: of the searches, by which those of
        an equal command are known again. voices: found so far, with the address and distance in dB of each.
    """

    path: Path
    budget: str
    details: Mapping[str, Any]
    voices: list[Voice] = field(default_factory=list)
    ranks: list[tuple[float, str, str]] = field(default_factory=list)

    def known(self, target: Target, folder: Path) -> Inversion | None:
        """Return what an equal command found for a sound, which its folder holds; None where there is nothing."""
        with suppress(InversynthError):
            patch = read_patch(folder / "patch.json")
            searched = patch.refinement
            equal = searched.get("budget") == self.budget and not searched.get("interrupted")
            equal &= all(searched.get(key) == self.details.get(key) for key in ("limit", "bank", "bank_voices"))
            sounds = [read_audio(folder / name).audio for name in ("target.wav", "match.wav")]
            same = len(sounds[0]) == len(target.audio) and float(np.abs(sounds[0] - target.audio).max()) < SAME
            if equal and same and patch.space.synth == Dx7Synth.name:
                return Inversion(target, patch, sounds[1], None, describe_assumptions(patch.synth(), round(patch.root)))
        return None

    def add(self, inversion: Inversion) -> Inversion:
        """Add the voice of a sound and write its bank; returns the inversion with the voice's address in its source.

        Raises: ParameterError where the bank cannot be written.
        """
        number = len(self.voices)
        address = f"{self._bank(number // BANK_VOICES).name}#{number % BANK_VOICES + 1}"
        name = self._name(inversion.target.name)
        source = {**inversion.patch.source, "voice": name, "bank": address}
        patch = replace(inversion.patch, source=source)
        self.voices.append(voice_from_patch(patch))
        self.ranks.append((float(patch.scores["log_mel_distance"]), name, address))
        self._write(number // BANK_VOICES)
        return replace(inversion, patch=patch)

    def lines(self) -> list[str]:
        """Return in lines which banks hold how many voices, and all voices, nearest first."""
        lines = []
        for first in range(0, len(self.voices), BANK_VOICES):
            count = min(len(self.voices) - first, BANK_VOICES)
            lines.append(f"{count} voice{'' if count == 1 else 's'} -> {self._bank(first // BANK_VOICES)}")
        for rank, (distance, name, address) in enumerate(sorted(self.ranks), start=1):
            lines.append(f"{rank:>4}. {distance:5.2f} dB  {name:<{NAME_LENGTH}}  {address}")
        return lines

    def _write(self, number: int) -> None:
        part = self.voices[number * BANK_VOICES : (number + 1) * BANK_VOICES]
        write_syx(self._bank(number), [*part, Voice()] if len(part) == 1 else part)  # one alone would be no bank

    def _bank(self, number: int) -> Path:
        return self.path if not number else self.path.with_stem(f"{self.path.stem}-{number + 1}")

    def _name(self, sound: str) -> str:
        """Return a name of ten ASCII characters that no voice has yet: `KICK`, `KICK 2`."""
        plain = "".join(c if c.isascii() and c.isprintable() else "?" for c in sound).upper()
        plain = plain[:NAME_LENGTH].rstrip() or "VOICE"
        taken, name, number = {voice.name for voice in self.voices}, plain, 2
        while name in taken:
            name = f"{plain[: NAME_LENGTH - len(f' {number}')].rstrip()} {number}"
            number += 1
        return name
