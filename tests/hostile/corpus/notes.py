"""Hostile collections of notes: TFRecord files, `examples.json`, folders of sounds and of patches; and `.env`."""

import json
import struct
from collections.abc import Callable, Iterator
from pathlib import Path

import google_crc32c

from tests.hostile.corpus.audio import SAMPLES, wav
from tests.hostile.corpus.member import Maker, Member, Must, Place, copied, written
from tests.hostile.corpus.texts import HOSTILE_JSON, ODD_VALUES

BASS = "bass_acoustic_001-060-100"


def masked(data: bytes) -> int:
    """Return the checksum of TFRecord files: CRC-32C, rotated, plus a constant."""
    checksum = int(google_crc32c.value(data))
    return ((checksum >> 15 | checksum << 17) + 0xA282EAD8) & 0xFFFFFFFF


def record(data: bytes, length: int | None = None) -> bytes:
    """Return a record whose length may lie, with right checksums."""
    head = struct.pack("<Q", len(data) if length is None else length)
    return head + struct.pack("<I", masked(head)) + data + struct.pack("<I", masked(data))


def varint(number: int) -> bytes:
    """Return a number as Protocol Buffers write it."""
    digits = []
    while number > 127:
        digits.append(128 | number & 127)
        number >>= 7
    return bytes([*digits, number])


def field(number: int, content: bytes, wire: int = 2, size: int | None = None) -> bytes:
    """Return a field whose length may lie."""
    return varint(number << 3 | wire) + varint(len(content) if size is None else size) + content


def feature(name: str, content: bytes) -> bytes:
    """Return an entry of the map of features."""
    return field(1, field(1, name.encode("utf-8", "surrogatepass")) + field(2, content))


def integers(*numbers: int) -> bytes:
    """Return a list of integers."""
    return field(3, field(1, b"".join(varint(number & (1 << 64) - 1) for number in numbers)))


def floats(*numbers: float) -> bytes:
    """Return a list of floats."""
    return field(2, field(1, struct.pack(f"<{len(numbers)}f", *numbers)))


def example(**changes: bytes | None) -> bytes:
    """Return an Example of a note with some of its features replaced or left out."""
    features = {
        **{"note_str": field(1, field(1, BASS.encode())), "audio": floats(*[0.1] * 400), "pitch": integers(60)},
        **{"velocity": integers(100), "instrument_family": integers(0), "instrument_source": integers(0)},
        **{"qualities": integers(*[0] * 10)},
        **changes,
    }
    return field(1, b"".join(feature(name, content) for name, content in features.items() if content is not None))


def _records() -> Iterator[tuple[str, bytes]]:
    good = example()
    yield "good-but-short", record(good)
    for length in (0, 1, len(good) + 1, 1 << 31, 1 << 40, (1 << 64) - 1):
        yield f"length-{length}", record(good, length)
    yield "checksum", record(good)[:-1] + b"\0"
    yield "cut", record(good)[:-20]
    yield "cut-in-head", record(good)[:7]
    yield "no-data", record(b"")
    yield "noise", record(bytes(range(256)) * 4)
    yield "varint-endless", record(b"\xff" * 500)
    yield "field-lies", record(field(1, b"abc", size=1 << 40))
    yield "field-0", record(field(0, b"abc"))
    yield "groups", record(b"\x0b" * 20_000)
    yield "nested", record(_nested(2000))
    yield "same-note-twice", record(good) * 2
    yield "hundred-thousand", record(b"") * 100_000
    for name in ("note_str", "audio", "pitch", "velocity", "instrument_family", "instrument_source", "qualities"):
        yield f"no-{name}", record(example(**{name: None}))
        yield f"{name}-none", record(example(**{name: b""}))
        yield f"{name}-of-integers", record(example(**{name: integers(1, 2, 3)}))
        yield f"{name}-of-floats", record(example(**{name: floats(float("nan"))}))
        yield f"{name}-of-bytes", record(example(**{name: field(1, field(1, b"\xff\x1b[31m"))}))
        yield f"{name}-odd-floats", record(example(**{name: field(2, field(1, b"abc"))}))
    for number in (-1, 128, 2**31, 2**63 - 1, -(2**63)):
        for name in ("pitch", "velocity", "instrument_family", "instrument_source"):
            yield f"{name}-{number}", record(example(**{name: integers(number)}))
    for value in (float("nan"), float("inf"), 3e38):
        yield f"audio-{value}", record(example(audio=floats(*[value] * 400)))
    yield "name-up", record(example(note_str=field(1, field(1, b"../../../evil-060-100"))))
    yield "name-nul", record(example(note_str=field(1, field(1, b"a\0b\x1b[31m-060-100"))))


def _nested(depth: int) -> bytes:
    content = b""
    for _ in range(depth):
        content = field(1, content)
    return content


def _examples(change: Callable[[dict[str, object]], object]) -> Callable[[Place], Path]:
    def make(place: Place) -> Path:
        note: dict[str, object] = {"instrument_str": BASS[:17], "pitch": 60, "velocity": 100, "qualities": [0] * 10}
        note |= {"instrument_family": 0, "instrument_source": 0, "sample_rate": 16000}
        content = {BASS: note}
        changed = change(content)  # type: ignore[arg-type]
        return _collection(place, json.dumps(content if changed is None else changed))

    return make


def _collection(place: Place, text: str) -> Path:
    folder = place.folder / "nsynth-train"
    (folder / "audio").mkdir(parents=True)
    (folder / "examples.json").write_text(text, encoding="utf-8", errors="surrogatepass")
    (folder / "audio" / f"{BASS}.wav").write_bytes(wav(data=SAMPLES[:800]))
    return folder


def _sounds(*names: bytes, content: bytes = b"") -> Maker:
    """Return a maker of a folder of sounds of these names."""

    def make(place: Place) -> Path:
        folder = place.folder / "sounds"
        folder.mkdir()
        for name in names:
            with open(bytes(folder) + b"/" + name, "wb") as file:
                file.write(content or wav())
        return folder

    return make


def members() -> Iterator[Member]:
    """Walk hostile collections of notes."""

    def notes(name: str, make: Maker, must: Must = "either", group: int = 8) -> Member:
        return Member(f"notes/{name}", group, ("notes",), make, must)

    for name, content in _records():
        yield Member(f"tfrecord/{name}", 8, ("records",), written("nsynth-train.tfrecord", content))
    for name, text in HOSTILE_JSON.items():
        make = lambda place, t=text: _collection(place, t)  # noqa: E731
        yield Member(f"examples/json-{name}", 5, ("records",), make, "refuse")
    for key in ("pitch", "velocity", "instrument_family", "instrument_source", "instrument_str", "qualities"):
        for name, value in ODD_VALUES.items():
            make = _examples(lambda content, k=key, v=value: content[BASS].__setitem__(k, v))  # type: ignore[attr-defined]
            yield Member(f"examples/{key}-{name}", 5, ("records",), make)
    yield Member(
        "examples/name-up", 5, ("records",), _examples(lambda content: {"../../notes": content[BASS]}), "refuse"
    )
    yield Member("examples/name-nul", 5, ("records",), _examples(lambda content: {"a\0b": content[BASS]}), "refuse")
    for name, file in {
        **{
            "odd-name": b"caf\xe9_60.wav",
            "newline": b"a\nb_60.wav",
            "escape": b"\x1b[31m_60.wav",
            "dash": b"-a_60.wav",
        },
        **{"no-note": b"sound.wav", "note-128": b"a_128.wav", "note-huge": b"a_" + b"9" * 200 + b".wav"},
        **{"note-minus": b"a_-1.wav", "note-only": b"_60.wav", "html": b"<img src=x>_60.wav", "quotes": b"'\"_60.wav"},
        **{"no-sound": b"a_60.txt", "arabic": "a_٦٠.wav".encode(), "comma": b"a,b_60.wav", "equals": b"a=b_60.wav"},
    }.items():
        yield notes(f"folder-{name}", _sounds(file), group=3)
    for name, content in {"text": b"text", "empty": b"\0", "of-nothing": wav(data=b""), "cut": wav()[:50]}.items():
        must: Must = "either" if name == "cut" else "refuse"  # what could be decoded is used
        yield notes(f"folder-of-{name}", _sounds(b"a_60.wav", b"b_61.wav", content=content), must)
    yield notes("same-note-twice", _sounds(b"a_60.wav", b"a_C4.wav"))
    yield notes("many", _sounds(*(b"a%d_60.wav" % number for number in range(3000)), content=b"x"), "refuse")
    yield notes("link-to-itself", _around_itself)
    for name, text in {"deep": "[" * 60_000, "nan": "NaN", "empty": "", "list": "[]"}.items():
        yield Member(f"patches/one-is-{name}", 5, ("patches",), _patches(text), "refuse")


def _around_itself(place: Place) -> Path:
    path = copied(place, "around") if place.valid is not None else place.folder
    (path / "again").symlink_to("..")
    return path


def _patches(text: str) -> Maker:
    def make(place: Place) -> Path:
        path = copied(place, "patches")
        next(path.rglob("patch.json")).write_text(text)
        return path

    return make


ENV: dict[str, bytes] = {
    **{
        "latin-1": b"MODEL=caf\xe9\n",
        "utf-16": "MODEL=C1\n".encode("utf-16"),
        "nul": b"SEED=\0\n",
        "bom": b"\xef\xbb\xbfSEED=1\n",
    },
    **{
        "quote": b"MODEL='C1\nSEED=2\n",
        "double-quote": b'MODEL="C1\n',
        "escape": b"SEED=\x1b[31m\n",
        "newline": b'SEED="1\n2"\n',
    },
    **{
        "nan": b"LENGTH=nan\nSEED=nan\n",
        "digits": b"SEED=" + b"9" * 5000 + b"\n",
        "seed-2-to-64": b"SEED=18446744073709551616\n",
    },
    **{
        "expand": b"MODEL=${MODEL}\nSEED=${SEED}\n",
        "long": b"OUTPUT_DIR=" + b"a" * 100_000 + b"\n",
        "equals": b"=\n==\n=1\n",
    },
    **{
        "twice": b"SEED=1\nSEED=x\n",
        "contradiction": b"MODEL=C1\nARCHITECTURE=C2\nDATASET_DIR=a\nDATASET_DIRECTORY=b\n",
    },
    **{
        "no-value": b"SEED\nMODEL\n",
        "export": b"export SEED=x\n",
        "many": b"A=1\n" * 50_000,
        "noise": bytes(range(256)) * 4,
    },
    **{
        "surrogate": b"MODEL=\xed\xa0\x80\n",
        "quotes-deep": b"MODEL=" + b"'\"" * 20_000 + b"\n",
        "returns": b"SEED=1\rMODEL=C1\r",
    },
    **{"options": b"NUM_EXAMPLES=-1\nEPOCHS=x\nBATCH_SIZE=1e9\nSAMPLE_RATE=inf\nWORKERS=0\n"},
}
"""Contents of `.env`."""


def env_members() -> Iterator[Member]:
    """Walk hostile `.env` files and environments; they stand beside a valid call."""

    def put(place: Place, name: str, change: Callable[[Path], object]) -> Path:
        path = place.folder.parent / "work" / ".env"
        change(path)
        return path

    import os

    for name, content in ENV.items():
        yield Member(
            f"env/{name}", 9, (".env",), lambda place, c=content: put(place, ".env", lambda path: path.write_bytes(c))
        )
    yield Member("env/folder", 4, (".env",), lambda place: put(place, ".env", Path.mkdir))
    yield Member("env/pipe", 4, (".env",), lambda place: put(place, ".env", os.mkfifo))
    yield Member(
        "env/device", 4, (".env",), lambda place: put(place, ".env", lambda path: path.symlink_to("/dev/zero"))
    )
    yield Member("env/loop", 4, (".env",), lambda place: put(place, ".env", lambda path: path.symlink_to(".env")))
    yield Member("env/huge", 5, (".env",), lambda place: put(place, ".env", _huge))
    closed = lambda path: (path.write_bytes(b"SEED=1\n"), path.chmod(0))  # noqa: E731
    yield Member("env/closed", 4, (".env",), lambda place: put(place, ".env", closed), ordinary=True)
    for name, variables in {
        **{"surrogate": {"INVERSYNTH_MODEL": "\udcff", "SEED": "\udcff"}, "escape": {"SEED": "\x1b[31m"}},
        **{"long": {"OUTPUT_DIR": "a" * 100_000}, "blank": {"SEED": " ", "MODEL": " "}, "nan": {"LENGTH": "nan"}},
    }.items():
        yield Member(f"environment/{name}", 9, (".env",), lambda place: "", variables=variables)


def _huge(path: Path) -> None:
    with path.open("wb") as file:
        file.truncate(1 << 40)
