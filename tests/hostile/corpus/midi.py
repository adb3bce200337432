"""Hostile MIDI files, those that players accept among them, and patches written as control changes."""

import struct
from collections.abc import Iterator

from tests.hostile.corpus.member import Member, Must, written

NOTE = b"\0\x90\x3c\x64\x60\x80\x3c\0"
END = b"\0\xff\x2f\0"


def track(events: bytes, size: int | None = None) -> bytes:
    """Return a track, whose size may lie."""
    return b"MTrk" + struct.pack(">I", len(events) if size is None else size) + events


def midi(*tracks: bytes, form: int = 0, count: int | None = None, division: int = 96, head: int = 6) -> bytes:
    """Return a MIDI file, whose header may lie."""
    number = len(tracks) if count is None else count
    return b"MThd" + struct.pack(">IHHH", head, form, number, division) + b"".join(tracks)


def _files() -> Iterator[tuple[str, bytes, Must]]:
    good = track(NOTE + END)
    yield "velocity-255", midi(track(b"\0\x90\x3c\xff\x60\x80\x3c\0" + END)), "either"
    yield "pitch-200", midi(track(b"\0\x90\xc8\x64" + END)), "either"
    yield "eight-sharps", midi(track(b"\0\xff\x59\x02\x08\0" + NOTE + END)), "either"
    yield "key-signature-odd", midi(track(b"\0\xff\x59\x02\x7f\x7f" + NOTE + END)), "either"
    yield "key-signature-short", midi(track(b"\0\xff\x59\0" + NOTE + END)), "either"
    yield "tempo-0", midi(track(b"\0\xff\x51\x03\0\0\0" + NOTE + END)), "either"
    yield "tempo-short", midi(track(b"\0\xff\x51\x01\1" + NOTE + END)), "either"
    yield "tempo-slowest", midi(track(b"\0\xff\x51\x03\xff\xff\xff" + NOTE + END), division=1), "either"
    yield "meter-odd", midi(track(b"\0\xff\x58\x04\0\xff\0\0" + NOTE + END)), "either"
    yield "cut", midi(good)[:-5], "either"
    yield "cut-in-head", midi(good)[:10], "refuse"
    yield "cut-in-event", midi(track(NOTE + b"\0\x90\x3c")), "either"
    yield "no-end", midi(track(NOTE)), "either"
    yield "missing-track", midi(good, count=2), "either"
    yield "extra-track", midi(good, good, count=1), "either"
    yield "no-track", midi(count=0), "refuse"
    yield "tracks-65535", midi(good, count=65535, form=1), "either"
    yield "format-1", midi(good, good, form=1), "either"
    yield "format-2", midi(good, good, form=2), "either"
    yield "format-7", midi(good, form=7), "either"
    yield "division-0", midi(good, division=0), "either"
    yield "smpte-25", midi(good, division=0xE728), "either"
    yield "smpte-odd", midi(good, division=0x8001), "either"
    yield "head-long", midi(good, head=6).replace(b"\0\0\0\6", b"\0\0\0\x0a", 1)[:14] + bytes(4) + good, "either"
    yield "head-4-gb", midi(good, head=2**32 - 1), "either"
    yield "track-4-gb", midi(track(NOTE + END, 2**32 - 1)), "either"
    yield "track-size-0", midi(track(NOTE + END, 0)), "either"
    yield "delta-huge", midi(track(b"\xff\xff\xff\x7f" + NOTE[1:] + END)), "either"
    yield "delta-endless", midi(track(b"\xff" * 50 + NOTE + END)), "either"
    yield "days-long", midi(track((NOTE + b"\xff\xff\xff\x7f\xb0\7\x40") * 20 + END)), "either"
    yield "running-status-first", midi(track(b"\0\x3c\x64" + END)), "either"
    yield "unknown-status", midi(track(b"\0\xf4\0\xfd" + NOTE + END)), "either"
    yield "sysex-endless", midi(track(b"\0\xf0\xff\xff\xff\x7f" + NOTE)), "either"
    yield "meta-huge", midi(track(b"\0\xff\1\xff\xff\xff\x7fabc")), "either"
    yield "text-not-latin", midi(track(b"\0\xff\1\4\xff\xfe\x1b[" + NOTE + END)), "either"
    yield "port-prefix", midi(track(b"\0\xff\x21\0\0\xff\x20\0" + NOTE + END)), "either"
    yield "unknown-meta", midi(track(b"\0\xff\x7e\2ab" + NOTE + END)), "either"
    yield "unended-note", midi(track(b"\0\x90\x3c\x64\x60\xb0\7\0" + END)), "either"
    yield "off-without-on", midi(track(b"\0\x80\x3c\0" + NOTE + END)), "either"
    yield "pedal-never-up", midi(track(b"\0\xb0\x40\x7f" + NOTE + END)), "either"
    yield "bend", midi(track(b"\0\xe0\x7f\x7f" + NOTE + END)), "either"
    yield "percussion-only", midi(track(b"\0\x99\x3c\x64\x60\x89\x3c\0" + END)), "either"
    yield "no-notes", midi(track(END)), "either"
    yield "hundred-thousand-notes", midi(track(b"\0\x90\x3c\x64\1\x80\x3c\0" * 100_000 + END)), "either"
    yield "thousand-at-once", midi(track(b"\0\x90\x3c\x64" * 1000 + b"\x60\x80\x3c\0" * 1000 + END)), "either"
    yield (
        "rmid",
        b"RIFF" + struct.pack("<I", 100) + b"RMIDdata" + struct.pack("<I", len(midi(good))) + midi(good),
        "either",
    )
    yield (
        "rmid-lies",
        b"RIFF" + struct.pack("<I", 2**31) + b"RMIDdata" + struct.pack("<I", 2**31) + midi(good),
        "either",
    )
    yield "junk-before", b"\0" * 128 + midi(good), "either"
    yield "junk-after", midi(good) + b"\xff" * 500, "either"


def members() -> Iterator[Member]:
    """Walk hostile MIDI files."""
    for name, content, must in _files():
        yield Member(f"midi/{name}", 8, ("midi",), written("hostile.mid", content), must)
    texts = {
        **{"synth-unknown": "inversynth synth=\x1b[31m", "rate": "inversynth sample_rate=1e999", "none": "inversynth "},
        **{"value-nan": "inversynth value f1=nan", "length": "inversynth length=" + "9" * 400},
    }
    for name, text in texts.items():
        event = b"\0\xff\1" + _quantity(len(text)) + text.encode("latin-1")
        content = midi(track(b"\0\xff\1" + bytes([21]) + b"inversynth synth=sine" + event + END))
        yield Member(f"patch/midi-{name}", 5, ("patch",), written("hostile.mid", content), "refuse")
    for name in ("velocity-255", "cut", "no-track", "division-0", "track-4-gb", "sysex-endless"):
        content = next(content for each, content, _ in _files() if each == name)
        yield Member(f"patch/midi-{name}", 8, ("patch",), written("hostile.mid", content), "refuse")


def _quantity(number: int) -> bytes:
    """Return a variable-length quantity."""
    digits = [number & 127]
    while number := number >> 7:
        digits.append(128 | number & 127)
    return bytes(reversed(digits))
