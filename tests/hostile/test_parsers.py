"""Whatever bytes a file holds, a parser returns what it promises or raises one of our errors, and nothing else."""

import json
import os
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from generators.audio import Sound, read_audio
from generators.dx7.sysex import VoiceFile, parse_syx, split_address
from generators.errors import InversynthError
from generators.notes.nsynth import nsynth_source
from generators.notes.soundfont import SoundFont
from generators.notes.source import NoteSource
from generators.parameters import ParameterSpace
from generators.registry import GenerateSettings, build_synth
from inversynth.gansynth.latents import read_latents
from inversynth.nsynth.codes import Codes, read_codes
from inversynth.patches.formats import patch_from_csv, read_controls
from inversynth.patches.patch import Patch, patch_from_json
from inversynth.playback.midi import Score, read_score
from models.model_files import ModelCard
from tests.generators.notes.fonts import sine_font
from tests.hostile.corpus.arrays import head, npy, saved, zipped
from tests.hostile.corpus.audio import chunk, form, wav
from tests.hostile.corpus.midi import END, NOTE, midi, track
from tests.hostile.corpus.notes import example, feature, field, floats, integers, record
from tests.hostile.corpus.texts import HOSTILE_JSON
from tests.hostile.corpus.voices import FULL, PACKED, SINGLE, dump

EXAMPLES = int(os.environ.get("HOSTILE_EXAMPLES", "25"))
"""Inputs of each kind; `python -m tests.hostile --all` tries many more."""

fuzzed = settings(
    max_examples=EXAMPLES,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


def damaged(content: bytes) -> st.SearchStrategy[bytes]:
    """Return bytes that begin as a valid file: cut, with pieces overwritten, put in, or left out."""
    piece = st.tuples(st.integers(0, len(content)), st.integers(0, 8), st.binary(max_size=8))

    def apply(pieces: list[tuple[int, int, bytes]], end: int) -> bytes:
        whole = content[:end]
        for at, count, new in pieces:
            whole = whole[:at] + new + whole[at + count :]
        return whole

    full = st.one_of(st.just(len(content)), st.integers(0, len(content)))
    return st.builds(apply, st.lists(piece, max_size=4), full)


def any_of(*valid: bytes) -> st.SearchStrategy[bytes]:
    """Return any bytes, or what becomes of valid files."""
    return st.one_of(st.binary(max_size=200), *map(damaged, valid))


def values() -> st.SearchStrategy[Any]:
    """Return what JSON can hold, as Python reads it: NaN and integers of any length, too."""
    leaves = st.one_of(
        st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=8), st.just(10**400), st.just(2**63)
    )
    return st.recursive(
        leaves,
        lambda each: st.one_of(st.lists(each, max_size=3), st.dictionaries(st.text(max_size=5), each, max_size=3)),
    )


def changed(card: dict[str, Any]) -> st.SearchStrategy[str]:
    """Return a card as JSON with up to three of its values replaced, at any depth of objects."""
    places = list(_places(card))

    def apply(changes: list[tuple[int, Any]]) -> str:
        copy = json.loads(json.dumps(card))
        for number, value in changes:
            inner = copy
            *path, last = places[number]
            try:
                for step in path:
                    inner = inner[step]
                inner[last] = value
            except (TypeError, LookupError):
                continue
        return json.dumps(copy)

    return st.builds(apply, st.lists(st.tuples(st.integers(0, len(places) - 1), values()), min_size=1, max_size=3))


def _places(content: Any, path: tuple[Any, ...] = ()) -> Any:
    items = content.items() if isinstance(content, dict) else enumerate(content) if isinstance(content, list) else ()
    for key, value in items:
        yield (*path, key)
        yield from _places(value, (*path, key))


def holds(read: Callable[[], Any], kind: type) -> None:
    """Assert that something is read as what it should be, or refused in one line."""
    try:
        found = read()
    except InversynthError as error:
        message = str(error)
    else:
        assert isinstance(found, kind)
        return
    assert message.strip()
    assert len(message) < 2000


@pytest.fixture(scope="module")
def patch_card() -> dict[str, Any]:
    synth = build_synth("sine", 8000, 0.25)
    middle = synth.space.unit_to_values(np.full(len(synth.space), 0.5))
    card: dict[str, Any] = json.loads(Patch(synth.space, middle, 8000, 0.25, model="C6").to_json())
    return card


# --- JSON ---------------------------------------------------------------------------------------------------------


@fuzzed
@given(data=st.data())
def test_any_patch_is_read_or_refused(patch_card: dict[str, Any], data: st.DataObject) -> None:
    text = data.draw(st.one_of(st.text(max_size=40), changed(patch_card), values().map(json.dumps)))
    holds(lambda: patch_from_json(text), Patch)


@pytest.mark.parametrize("name", HOSTILE_JSON)
def test_hostile_json_is_no_patch_no_space_and_no_card(name: str) -> None:
    text = HOSTILE_JSON[name]
    for read in (
        lambda: patch_from_json(text),
        lambda: ParameterSpace.from_json(text),
        lambda: ModelCard.from_json(text, Path("a.keras")),
        lambda: ModelCard.from_json(text.encode("utf-8", "surrogatepass"), Path("a.keras")),
    ):
        with pytest.raises(InversynthError):
            read()


@fuzzed
@given(data=st.data())
def test_any_space_is_read_or_refused(data: st.DataObject) -> None:
    card = json.loads(build_synth("sine", 8000, 0.25).space.to_json())
    text = data.draw(st.one_of(st.text(max_size=40), changed(card), values().map(json.dumps)))
    holds(lambda: ParameterSpace.from_json(text), ParameterSpace)


@fuzzed
@given(data=st.data())
def test_any_card_of_a_model_is_read_or_refused(data: st.DataObject) -> None:
    space = build_synth("sine", 8000, 0.25).space.to_json()
    card = json.loads(ModelCard("C1", "sine", space, 8000, 0.25, {"fft_length": 512}, {"epoch": 1}).to_json())
    text = data.draw(st.one_of(st.text(max_size=40), changed(card), values().map(json.dumps)))

    def read() -> ModelCard:
        found = ModelCard.from_json(text, Path("a.keras"))
        assert isinstance(found.samples, int)  # what every reader of a card asks it
        assert isinstance(found.takes, str)
        assert len(found.widths) == 2
        return found

    holds(read, ModelCard)


# --- CSV and .env ---------------------------------------------------------------------------------------------------


@fuzzed
@given(
    text=st.one_of(
        st.text(max_size=60),
        st.lists(st.lists(st.text(max_size=6), max_size=5), max_size=6).map(
            lambda rows: "name,value,unit,class\n" + "\n".join(",".join(row) for row in rows)
        ),
        st.text(alphabet='#name,value"\n\r\0-1e9', max_size=80).map("name,value,unit,class\n".__add__),
    )
)
def test_any_table_is_a_patch_or_refused(text: str) -> None:
    holds(lambda: patch_from_csv(text), Patch)


@fuzzed
@given(
    content=st.one_of(
        st.binary(max_size=80),
        st.text(alphabet="SEDMODL=\"'\\\n\r\t #${}_0159-.\0\x1b", max_size=80).map(str.encode),
        st.text(max_size=30).map(lambda text: f"SEED={text}\nLENGTH={text}\n".encode("utf-8", "replace")),
    )
)
def test_any_env_file_is_settings_or_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / ".env").write_bytes(content)
    holds(lambda: GenerateSettings.parse(["sine"]), GenerateSettings)


# --- binary ---------------------------------------------------------------------------------------------------------


@fuzzed
@given(content=any_of(midi(track(NOTE + NOTE + END)), midi(track(b"\0\xff\x51\x03\7\xa1\x20" + NOTE + END), form=1)))
def test_any_midi_file_is_a_score_or_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "any.mid"
    path.write_bytes(content)
    holds(lambda: read_score(path), Score)
    holds(lambda: read_controls(path), Patch)


VOICE_FILES = (
    *(SINGLE, FULL, PACKED, SINGLE + dump(5, bytes(49))),
    midi(track(b"\0\xf0\x81\x22" + SINGLE[1:] + END)),
)


@fuzzed
@given(content=any_of(*VOICE_FILES))
def test_any_voice_file_is_voices_or_refused(content: bytes) -> None:
    holds(lambda: parse_syx(content), VoiceFile)


@fuzzed
@given(address=st.builds("#".join, st.lists(st.one_of(st.text(max_size=5), st.just("bank.syx")), max_size=4)))
def test_any_address_of_a_voice_is_a_path_or_refused(address: str) -> None:
    holds(lambda: split_address(address), tuple)


@pytest.fixture(scope="module")
def font_file(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    return sine_font(tmp_path_factory.mktemp("font") / "sine.sf2").read_bytes()


@fuzzed
@given(data=st.data())
def test_any_soundfont_is_played_or_refused(tmp_path: Path, font_file: bytes, data: st.DataObject) -> None:
    tables = font_file.index(b"pdta")  # what is before are samples, of which all are good
    content = data.draw(
        st.one_of(
            st.binary(max_size=100),
            damaged(font_file),
            damaged(font_file[tables:]).map(lambda end: font_file[:tables] + end),
        )
    )
    path = tmp_path / "any.sf2"
    path.write_bytes(content)

    def read() -> SoundFont:
        font = SoundFont(path)
        for bank, number in font.presets:
            assert isinstance(font.name(bank, number), str)
            assert isinstance(font.regions(bank, number, 60, 100), list)
        return font

    holds(read, SoundFont)


@fuzzed
@given(
    content=st.one_of(
        any_of(record(example())),
        damaged(example()).map(record),  # checksums agree: what is in the record is what counts
        st.lists(st.tuples(st.text(max_size=9), st.binary(max_size=30)), max_size=4).map(
            lambda features: record(field(1, b"".join(feature(*each) for each in features)))
        ),
        st.builds(
            lambda pitch, audio: record(example(pitch=integers(pitch), audio=floats(*audio))),
            st.integers(-(2**63), 2**63 - 1),
            st.lists(st.floats(width=32), max_size=5),
        ),
    )
)
def test_any_records_are_notes_or_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "nsynth-train.tfrecord"
    path.write_bytes(content)
    holds(lambda: nsynth_source(path, sample_rate=16000, samples=400), NoteSource)


@fuzzed
@given(
    content=st.one_of(
        any_of(wav(), wav(chunk(b"fmt ", form(3, bits=32)))),
        st.builds(
            lambda tag, channels, rate, bits, size: wav(
                chunk(b"fmt ", form(tag, channels, rate, bits)), data_size=size
            ),
            st.sampled_from((1, 2, 3, 6, 7, 17, 0xFFFE)),
            st.integers(0, 65535),
            st.integers(0, 2**32 - 1),
            st.integers(0, 65535),
            st.one_of(st.none(), st.integers(0, 2**32 - 1)),
        ),
    )
)
def test_any_wav_is_a_sound_or_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "any.wav"
    path.write_bytes(content)
    holds(lambda: read_audio(path), Sound)


ARRAY = saved(np.arange(32, dtype=np.float32).reshape(2, 16))


@fuzzed
@given(
    content=st.one_of(
        any_of(ARRAY),
        st.builds(
            lambda shape, kind, content: npy(head(shape, kind), content),
            st.lists(st.integers(-2, 2**40), max_size=4).map(tuple),
            st.sampled_from(("<f4", ">f8", "|O", "<U3", "<M8[s]", "|V9", "<i8", "nonsense")),
            st.binary(max_size=300),
        ),
    )
)
def test_any_array_is_latents_and_codes_or_refused(tmp_path: Path, content: bytes) -> None:
    player: Any = SimpleNamespace(name="a test", latent=16, fingerprint="f")
    bare, packed, coded = tmp_path / "any.npy", tmp_path / "any.npz", tmp_path / "any.codes.npz"
    bare.write_bytes(content)
    packed.write_bytes(zipped({"latents.npy": content, "fingerprint.npy": saved(np.asarray("f"))}))
    coded.write_bytes(zipped({"codes.npy": content, "card.npy": saved(np.asarray("{}"))}))
    for path in (bare, packed):
        holds(lambda path=path: read_latents(path, player), np.ndarray)
    for path in (bare, coded):
        holds(lambda path=path: read_codes(path), Codes)


@fuzzed
@given(data=st.data())
def test_any_archive_is_codes_or_refused(tmp_path: Path, data: st.DataObject) -> None:
    card = {"schema": "inversynth-codes/1", "name": "a", "fingerprint": "f", "hop": 512, "sample_rate": 16000}
    card |= {"samples": 1000, "pitch": 60, "statistics": {}}
    whole = zipped({"codes.npy": ARRAY, "card.npy": saved(np.asarray(json.dumps(card)))})
    text = data.draw(changed(card))
    path = tmp_path / "any.codes.npz"
    for content in (data.draw(damaged(whole)), zipped({"codes.npy": ARRAY, "card.npy": saved(np.asarray(text))})):
        path.write_bytes(content)
        holds(lambda: read_codes(path), Codes)


def test_the_fuzzers_begin_with_what_is_valid(tmp_path: Path, font_file: bytes) -> None:
    """Damage means nothing unless the undamaged file is read."""
    for name, content in {"a.mid": midi(track(NOTE + END)), "a.sf2": font_file, "a.wav": wav(), "a.npy": ARRAY}.items():
        (tmp_path / name).write_bytes(content)
    (tmp_path / "nsynth-train.tfrecord").write_bytes(record(example()))
    assert len(read_score(tmp_path / "a.mid").notes) == 1
    assert SoundFont(tmp_path / "a.sf2").presets
    assert read_audio(tmp_path / "a.wav").sample_rate == 16000
    assert read_codes(tmp_path / "a.npy").codes.shape == (2, 16)
    assert len(nsynth_source(tmp_path / "nsynth-train.tfrecord", sample_rate=16000, samples=400).table) == 1
    assert [len(parse_syx(content).voices) for content in VOICE_FILES] == [1, 32, 32, 1, 1]
