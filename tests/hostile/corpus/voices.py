"""Hostile files of DX7 voices, those that circulate among them, and addresses of voices that a bank does not hold."""

from collections.abc import Callable, Iterator
from pathlib import Path

from generators.dx7.sysex import BANK_HEADER, SINGLE_HEADER, checksum, format_syx
from generators.dx7.voice import Voice, pack_voice
from tests.hostile.corpus.member import Member, Must, Place, sparse, written
from tests.hostile.corpus.midi import END, midi, track

BANK = tuple(Voice().replaced(name=f"VOICE {number}", op1_fine=number, algorithm=number) for number in range(32))
SINGLE, FULL = format_syx(BANK[:1]), format_syx(BANK)
PACKED = b"".join(map(pack_voice, BANK))

KINDS = ("voice", "patch")
"""Kinds of arguments that name one voice."""


MANY: dict[str, Must] = {
    **dict.fromkeys(("two-voices", "bank", "no-frame-31", "midi-bank"), "accept"),
    **dict.fromkeys(("bank-of-31", "bank-of-33", "bank-truncated", "thousand-banks"), "either"),
}
"""What has to come of several voices where any number is taken."""


def dump(form: int, data: bytes, size: int | None = None, device: int = 0, end: bytes = b"\xf7") -> bytes:
    """Return a dump of Yamaha's, whose size may lie."""
    high, low = divmod(len(data) if size is None else size, 128)
    return bytes((0xF0, 0x43, device, form, high & 127, low)) + data + bytes((checksum(data),)) + end


def _dumps() -> Iterator[tuple[str, bytes, Must]]:
    """Yield single voices and banks with something wrong: those that players accept must be accepted.

    Of files with several voices, a command may want one, or take them all.
    """
    lead = BANK[0].data
    yield "empty", b"", "refuse"
    yield "one-byte", b"\xf0", "refuse"
    yield "header-alone", SINGLE_HEADER, "refuse"
    yield "truncated", SINGLE[:-20], "refuse"
    yield "truncated-by-one", SINGLE[:-1], "refuse"
    yield "wrong-checksum", SINGLE[:-2] + bytes((SINGLE[-2] ^ 1, 0xF7)), "accept"
    yield "values-above-99", dump(0, bytes([127] * 155)), "accept"
    yield "bytes-above-127", SINGLE_HEADER + bytes([255] * 155) + b"\0\xf7", "accept"
    yield "no-end", SINGLE[:-1] + b"\0" * 40, "refuse"
    yield "size-lies", dump(0, lead, size=16383), "either"
    yield "size-0", dump(0, lead, size=0), "either"
    yield "a-byte-short", dump(0, lead[:-1]), "refuse"
    yield "a-byte-long", dump(0, lead + b"\0"), "refuse"
    yield "other-channel", dump(0, lead, device=15), "accept"
    yield "parameter-change", bytes((0xF0, 0x43, 0x10, 1, 2, 3, 0xF7)), "refuse"
    yield "request", bytes((0xF0, 0x43, 0x20, 9, 0xF7)), "refuse"
    yield "other-maker", bytes((0xF0, 0x41, 0x10, 0x16, 0x12, 4, 0, 0, 0xF7)), "refuse"
    yield "four-operators", dump(3, bytes(93)), "refuse"
    yield "four-operator-bank", dump(4, bytes(4096)), "refuse"
    yield "dx7ii-supplement", dump(5, bytes(49)), "refuse"
    yield "dx7ii-performances", dump(0x7E, b"LM  8973PM" + bytes(1632)), "refuse"
    yield "tx802-performances", dump(0x7E, b"LM  8952PM" + bytes(128)), "refuse"
    yield "tx7-functions", dump(1, bytes(94)), "refuse"
    yield "format-unknown", dump(0x55, bytes(155)), "refuse"
    yield "escape-in-name", dump(0, lead[:145] + b"\x1b[31m\r\n\0\7 "), "accept"
    yield "name-of-slashes", dump(0, lead[:145] + b"../../../."), "accept"
    yield "two-voices", SINGLE * 2, "either"
    yield "bank", FULL, "either"
    yield "bank-of-31", dump(9, PACKED[: 31 * 128]), "either"
    yield "bank-of-33", dump(9, PACKED + PACKED[:128]), "refuse"
    yield "bank-of-none", dump(9, b""), "refuse"
    yield "bank-truncated", FULL[:2000], "refuse"
    yield "voice-then-junk", SINGLE + b"\xff" * 500, "accept"
    yield "junk-then-voice", b"text before it\r\n" + SINGLE, "accept"
    yield "voice-then-foreign", SINGLE + dump(5, bytes(49)), "accept"
    yield "starts-alone", b"\xf0" * 4_000_000, "refuse"
    yield "headers-alone", BANK_HEADER * 600_000, "refuse"
    yield "thousand-banks", FULL * 1000, "either"
    yield "changes-alone", bytes((0xF0, 0x43, 0x10, 1, 2, 3, 0xF7)) * 500_000, "refuse"
    yield "no-frame", PACKED[:128], "accept"
    yield "no-frame-31", PACKED[: 31 * 128], "either"
    yield "no-frame-of-spaces", b" " * 128, "either"
    yield "zeros", bytes(4096), "either"
    yield "other-content", b"MZ\x90\0" + bytes(4092), "either"
    yield "midi", _midi(SINGLE), "accept"
    yield "midi-bank", _midi(FULL), "either"
    yield "midi-truncated", _midi(SINGLE)[:-60], "refuse"
    yield "midi-size-lies", midi(track(b"\0\xf0\xff\xff\xff\x7f" + SINGLE[1:])), "either"
    yield "midi-in-pieces", midi(track(b"\0\xf0\x32" + SINGLE[1:51] + b"\5\xf7\x70" + SINGLE[51:] + END)), "accept"
    yield "midi-without-dump", midi(track(b"\0\x90\x3c\x64\x60\x80\x3c\0" + END)), "refuse"
    yield "midi-head-4-gb", midi(track(END), head=2**32 - 1), "refuse"


def _midi(content: bytes) -> bytes:
    """Return a MIDI file of one system exclusive message."""
    high, low = divmod(len(content) - 1, 128)
    return midi(track(b"\0\xf0" + bytes((128 | high, low)) + content[1:] + END))


def _addressed(number: str, content: bytes = FULL, name: str = "bank.syx") -> Callable[[Place], str]:
    """Return a maker of a bank, and of an address in it."""

    def make(place: Place) -> str:
        path = place.folder / name
        path.write_bytes(content)
        return f"{path}#{number}"

    return make


ADDRESSES: dict[str, tuple[str, Must]] = {
    **{"first": ("1", "accept"), "last": ("32", "accept"), "zeros": ("00005", "accept")},
    **{"0": ("0", "refuse"), "33": ("33", "refuse"), "six-digits": ("999999", "refuse"), "word": ("x", "refuse")},
    **{"400-digits": ("9" * 400, "refuse"), "nothing": ("", "refuse"), "two-marks": ("#1", "refuse")},
    **{"two": ("1#2", "refuse"), "minus": ("-1", "refuse"), "fraction": ("1.5", "refuse"), "range": ("1-5", "refuse")},
    **{"arabic": ("٥", "either"), "newline": ("1\n", "refuse"), "blank": (" 1", "refuse"), "hex": ("0x1", "refuse")},
}
"""Numbers of voices in a bank of 32, as they stand in an address, and what has to come of each."""


def members() -> Iterator[Member]:
    """Walk hostile voices, banks and addresses."""
    for name, content, must in _dumps():
        yield Member(f"voice/{name}", 8, KINDS, written("hostile.syx", content), must)
        yield Member(f"voices/{name}", 8, ("voices",), written("hostile.syx", content), MANY.get(name, must))
    for name, (number, must) in ADDRESSES.items():
        yield Member(f"voice/address-{name}", 9, KINDS, _addressed(number), must, everywhere=True)
    yield Member("voice/100-mb", 8, KINDS, sparse("hostile.syx", 100 << 20, SINGLE), "refuse")
    yield Member("voice/100-mb-addressed", 8, KINDS, _sparse_address, "refuse")
    yield Member("voice/4-tb", 8, KINDS, sparse("hostile.syx", 4 << 40), "refuse")
    yield Member("voice/address-of-midi", 8, KINDS, _addressed("2", _midi(FULL), "bank.mid"), "accept")
    yield Member("voice/address-of-text", 8, KINDS, _addressed("2", b'{"schema": 1}', "patch.json"), "refuse")
    yield Member("voice/address-of-nothing", 4, KINDS, lambda place: f"{place.folder / 'none.syx'}#1", "refuse")
    yield Member("voice/address-of-folder", 4, KINDS, _folder, "refuse")
    yield Member("voice/address-is-a-file", 3, KINDS, written("bank.syx#40", SINGLE), "accept")
    yield Member("voice/upper-case", 3, KINDS, written("LEAD.SYX", SINGLE), "accept")
    yield Member("voice/no-ending", 3, KINDS, _no_ending, "either")


def _no_ending(place: Place) -> Path:
    path = place.folder / "voice"
    path.write_bytes(SINGLE)
    return path


def _sparse_address(place: Place) -> str:
    return f"{sparse('hostile.syx', 100 << 20, FULL)(place)}#5"


def _folder(place: Place) -> str:
    (place.folder / "bank.syx").mkdir()
    return f"{place.folder / 'bank.syx'}#1"
