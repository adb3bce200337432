"""The settings of `inversynth generate notes`, and the note source that they describe."""

import logging
from pathlib import Path
from typing import ClassVar, Literal

from pydantic import Field
from pydantic_settings import CliToggleFlag

from generators.errors import ParameterError, SettingsError
from generators.notes.folder import Fit, checked_labels, folder_source
from generators.notes.labels import NORMAL
from generators.notes.naming import NoteNaming
from generators.notes.nsynth import gansynth_subset, nsynth_source
from generators.notes.pitches import midi_number, note_list
from generators.notes.soundfont_source import HELD, LENGTH, PITCHES, SAMPLE_RATE, VELOCITIES, soundfont_source
from generators.notes.source import NoteSource
from generators.notes.splits import SplitBy, natural_split, split_notes
from generators.settings import DatasetName, Shard, Words

log = logging.getLogger(__name__)


class NoteSettings(NoteNaming):
    """Generate a dataset of notes with their labels into one HDF5 file."""

    other_names: ClassVar = {"name": ("dataset_name",), "dataset_directory": ("dataset_dir",)}
    flags_only: ClassVar = frozenset({"note_names", "regenerate_samples", "shard"})

    source: Literal["soundfont", "folder", "nsynth"] = Field("soundfont", description="where notes come from")
    notes_from: Path | None = Field(
        None,
        description="for folder: where sounds named <sound>_<note>.wav are; for nsynth: folders of examples.json and "
        "audio, or TFRecord files, or a folder of these",
    )
    subset: Literal["gansynth"] | None = Field(None, description="for nsynth: gansynth takes acoustic, pitch 24 to 84")
    soundfont: Path | None = Field(
        None, description="for soundfont: an SF2 or SF3 file; by default that of General MIDI"
    )
    instruments: Words = Field(
        (), description="names to take; for soundfont programs by name or number, or bank:number; by default all"
    )
    families: Words = Field((), description="families to take, e.g. string,brass; by default all")
    instrument_sources: Words = Field((), description="of acoustic, electronic, synthetic; by default all")
    styles: Words = Field((), description=f"playing styles to take, e.g. {NORMAL},tremolo; by default all")
    pitches: str | None = Field(
        None, description="notes to take, as 60,62 or 24:84:4 or C3:C5; for soundfont 24:84:4, else all"
    )
    velocities: str | None = Field(None, description="velocities to take, as 25:125:25; for soundfont 100, else all")
    held: float = Field(HELD, gt=0, description="for soundfont: seconds until a note is released")
    length: float = Field(LENGTH, gt=0, le=60, description="seconds per sound")
    sample_rate: int = Field(SAMPLE_RATE, ge=1000, le=192_000, description="hertz")
    labels: Path | None = Field(
        None, description="for folder: a CSV file with a column file, and others of labels and tags"
    )
    tags: Words = Field((), description="for folder: labels of all sounds, e.g. family=string,mood=calm")
    default_pitch: str | None = Field(None, description="for folder: the note of sounds without one in their name")
    convert: bool = Field(False, description="for folder: mix channels down and change the sample rate where needed")
    pad: bool = Field(False, description="for folder: add silence to sounds that are too short")
    trim: bool = Field(False, description="for folder: cut the end off sounds that are too long")
    chop: bool = Field(False, description="for folder: cut sounds that are too long into pieces")
    chop_step: float | None = Field(
        None, gt=0, description="for folder: seconds from one piece to the next; by default their length"
    )
    gain: float = Field(1.0, gt=0, allow_inf_nan=False, description="for soundfont: factor of the level")
    split_by: SplitBy | None = Field(
        None,
        description="keeps each instrument, pitch or note within one split; by default the split of the data if it has "
        "one, else instrument",
    )
    validation_split: float = Field(0.1, ge=0, lt=1, description="part of the instruments (pitches, notes) for valid")
    test_split: float = Field(0.1, ge=0, lt=1, description="part of the instruments (pitches, notes) for test")
    name: DatasetName | None = Field(None, description="name of the dataset; notes by default")
    dataset_directory: Path = Field(Path("test_datasets"), description="where <name>.hdf5 is written")
    wavefile_directory: Path = Field(Path("test_waves"), description="where <name>/<instrument>/… are written")
    wavefiles: bool = Field(False, description="also write every note as <instrument>_<pitch>.wav, 16 bits")
    regenerate_samples: CliToggleFlag[bool] = Field(False, description="replace a dataset of that name")
    normalise: CliToggleFlag[bool] = Field(False, description="scale every sound to a peak of 1")
    seed: int = Field(0, ge=0, description="the split is drawn with it")
    shard: Shard | None = Field(
        None, description="k/n: make part k of n alone, in <name>.<k>of<n>.hdf5, so that machines can share the work"
    )
    workers: int | None = Field(None, ge=1, description="threads; by default one per core")
    resume: bool = Field(True, description="go on with an unfinished dataset (else begin it again)")

    def note_source(self) -> NoteSource:
        """Return the notes that these settings describe, with their split.

        Raises: InversynthError as the sources do.
        """
        source = {"soundfont": self._soundfont, "folder": self._folder, "nsynth": self._nsynth}[self.source]()
        if self.split_by is None and source.has_split:
            return source
        by = self.split_by or natural_split(source.table, source.recordings)
        if by is None or (self.split_by is None and by != "instrument"):
            log.info(
                "too few instruments for a split by them: %s", "all notes train" if by is None else f"split by {by}"
            )
        if by is None:
            return source
        shares = self.validation_split, self.test_split
        return source.with_table(split_notes(source.table, by, *shares, self.seed, source.recordings))

    def _soundfont(self) -> NoteSource:
        return soundfont_source(
            self.soundfont,
            instruments=self.instruments,
            families=self.families,
            sources=self.instrument_sources,
            styles=self.styles,
            pitches=note_list(self.pitches, self.note_names) if self.pitches else PITCHES,
            velocities=velocity_list(self.velocities) if self.velocities else VELOCITIES,
            held=self.held,
            length=self.length,
            sample_rate=self.sample_rate,
            gain=self.gain,
        )

    def _folder(self) -> NoteSource:
        if self.notes_from is None:
            raise SettingsError("notes are read from a folder of sounds. Received: none. Name it: --notes_from FOLDER")
        if self.trim and self.chop:
            raise SettingsError("a sound that is too long is trimmed or chopped. Received: both. Keep one")
        pairs = [tag.partition("=") for tag in self.tags]
        if not all(name.strip() and value.strip() for name, _, value in pairs):
            raise SettingsError(f"tags are written name=value. Received: {','.join(self.tags)}")
        fit = Fit(
            self.sample_rate,
            round(self.length * self.sample_rate),
            convert=self.convert,
            pad=self.pad,
            trim=self.trim,
            chop=self.chop,
            step=max(round(self.chop_step * self.sample_rate), 1) if self.chop_step else None,
        )
        return self._chosen(
            folder_source(
                self.notes_from,
                labels=self.labels,
                tags=checked_labels({name.strip(): value.strip() for name, _, value in pairs}, "tags", self.note_names),
                pitch=midi_number(self.default_pitch, self.note_names) if self.default_pitch else None,
                fit=fit,
                note_names=self.note_names,
            )
        )

    def _nsynth(self) -> NoteSource:
        if self.notes_from is None:
            raise SettingsError(
                "source nsynth needs the files of NSynth. Received: none. Name them: --notes_from FOLDER"
            )
        samples = round(self.length * self.sample_rate)
        source = nsynth_source(self.notes_from, sample_rate=self.sample_rate, samples=samples)
        return self._chosen(gansynth_subset(source) if self.subset else source)

    def _chosen(self, source: NoteSource) -> NoteSource:
        return source.select(
            instruments=self.instruments,
            families=self.families,
            sources=self.instrument_sources,
            styles=self.styles,
            pitches=note_list(self.pitches, self.note_names) if self.pitches else None,
            velocities=velocity_list(self.velocities) if self.velocities else None,
        )


def velocity_list(text: str) -> tuple[int, ...]:
    """Return the velocities of a list written as pitches are. Raises ParameterError for 0, which is no note."""
    numbers = note_list(text)
    if 0 in numbers:
        raise ParameterError(f"velocities run from 1 to 127. Received: '{text}'")
    return numbers
