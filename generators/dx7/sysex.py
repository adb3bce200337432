"""Files of DX7 voices: single voices and banks as system exclusive dumps (`.syx`), and what circulates beside them.

A file may hold several dumps, be a Standard MIDI File that holds them, or a bank of packed voices without any frame.
What players accept is accepted and remarked upon: wrong checksums, values above their range, banks that are not full.
Dumps of other instruments are named and left out; a file with nothing else is refused.
"""

import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from generators.dx7.voice import PACKED_BYTES, VOICE_BYTES, Voice, clamped_voice, pack_voice, unpack_voice
from generators.errors import ParameterError, os_reason, shown
from generators.files import check_readable_file, writing, written_whole

MAX_BYTES = 4 << 20
"""Size of a file: 1,000 banks, more than any collection in one file. They take four seconds to read."""

MAX_MESSAGES = 50_000
"""System exclusive messages of a file: twice as many as there are single voices in the largest one."""

MAX_REMARKS = 40
"""Remarks on one file; of further ones only their number is kept."""

BANK_VOICES = 32

SINGLE_HEADER = bytes((0xF0, 0x43, 0x00, 0x00, 0x01, 0x1B))
BANK_HEADER = bytes((0xF0, 0x43, 0x00, 0x09, 0x20, 0x00))
"""Start, Yamaha, channel 1, format, count of data bytes in two times seven bits."""

_START, _END, _YAMAHA = 0xF0, 0xF7, 0x43
_SINGLE, _BANK = 0x00, 0x09

_OTHER_FORMATS = {  # Yamaha's dump formats that are no DX7 voices, by number
    0x01: "function parameters of a TX7",
    0x02: "function parameters of 64 TX7 voices",
    0x03: "a voice of a four-operator synthesizer (DX21, DX27, DX100, TX81Z)",
    0x04: "a bank of a four-operator synthesizer (DX21, DX27, DX100, TX81Z)",
    0x05: "the supplement of a DX7II or TX802 voice",
    0x06: "the supplements of a DX7II or TX802 bank",
}

_NAMED_BLOCKS = {  # Yamaha's universal dumps (format 7E) carry ten characters that say what they are
    b"LM  8973": "performances or system data of a DX7II",
    b"LM  8976": "system data of a DX7II",
    b"LM  8952": "performances of a TX802",
    b"LM  8954": "system data of a TX802",
    b"LM  MCR": "a tuning of a DX7II or TX802",
    b"LM  FK": "fractional scaling of a DX7II",
}

_PLAUSIBLE = 0.9
"""Share of voices without values above their range by which a file without any frame is taken as a bank."""


@dataclass(frozen=True)
class VoiceFile:
    """What a file holds: its voices in order, and in words what about it is unusual."""

    voices: tuple[Voice, ...]
    remarks: tuple[str, ...] = ()


@dataclass
class _Findings:
    voices: list[Voice] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)
    left_out: int = 0

    def remark(self, text: str) -> None:
        """Keep a remark, as long as there are few."""
        if len(self.remarks) < MAX_REMARKS:
            self.remarks.append(text)
        else:
            self.left_out += 1

    def all_remarks(self) -> tuple[str, ...]:
        """Return the remarks, and how many more there were."""
        return (*self.remarks, *([f"{self.left_out:,} further remarks are left out"] if self.left_out else []))

    def add(self, data: bytes) -> None:
        """Add a voice of 155 bytes; say what of it was clamped."""
        voice, above = clamped_voice(data)
        self.voices.append(voice)
        if above:
            more = f" and {len(above) - 3} more" if len(above) > 3 else ""
            self.remark(
                f"voice {len(self.voices)} '{voice.name}': values above their range are clamped: "
                f"{', '.join(above[:3])}{more}"
            )

    def add_packed(self, data: bytes) -> None:
        """Add the packed voices of a block."""
        for start in range(0, len(data), PACKED_BYTES):
            self.add(unpack_voice(data[start : start + PACKED_BYTES]))


def read_syx(path: str | os.PathLike[str]) -> VoiceFile:
    """Read all DX7 voices of a file: dumps, one after another or in a MIDI file, or packed voices without a frame.

    Raises: ParameterError, in one line, for a file that cannot be read, is larger than 4 MB or holds no DX7 voice.
    """
    check_readable_file(path, "DX7 voice file", ParameterError, most_bytes=MAX_BYTES)
    try:
        data = Path(path).read_bytes()
    except OSError as error:
        raise ParameterError(f"cannot read {path} as DX7 voices: {os_reason(error)}") from None
    return parse_syx(data, str(path))


def read_voice(address: str | os.PathLike[str]) -> Voice:
    """Read one voice by its address: `bank.syx#5` is the fifth of a file; `lead.syx` must hold one voice.

    Raises: ParameterError for a file that `read_syx` refuses, and for a number that it does not hold.
    """
    path, number = split_address(address)
    voices = read_syx(path).voices
    if number is None:
        if len(voices) > 1:
            raise ParameterError(
                f"{path} holds {len(voices)} DX7 voices. Name one of them: {path}#1 … {path}#{len(voices)}"
            )
        number = 1
    if not 1 <= number <= len(voices):
        raise ParameterError(f"{path} holds the DX7 voices 1 to {len(voices)}. Received: #{number}")
    return voices[number - 1]


def split_address(address: str | os.PathLike[str]) -> tuple[str, int | None]:
    """Return the path and number of a voice's address, None without one; a file of that very name comes first.

    Raises: ParameterError for a file of voices, `bank.syx#`, with anything but a number behind it.
    """
    text = os.fspath(address)
    if os.path.lexists(text):
        return text, None
    if match := re.fullmatch(r"(.+)#([0-9]{1,6})", text, re.DOTALL):
        return match[1], int(match[2])
    if match := re.fullmatch(r"(.+?\.syx)#(.*)", text, re.DOTALL | re.IGNORECASE):
        raise ParameterError(
            f"a voice of a file is named by its number: {match[1]}#1. Received: #{shown(match[2], 60)}"
        )
    return text, None


def write_syx(path: str | os.PathLike[str], voices: Sequence[Voice]) -> Path:
    """Write one voice as a single dump, several as banks of 32; what a bank lacks is filled with the initial voice.

    Raises: ParameterError without voices, and where the file cannot be written; nothing half-written is left.
    """
    content = format_syx(voices)
    with writing(path, ParameterError), written_whole(path) as partial:
        partial.write_bytes(content)
    return Path(path)


def format_syx(voices: Sequence[Voice]) -> bytes:
    """Return the bytes that `write_syx` writes."""
    if not voices:
        raise ParameterError("a DX7 voice file holds at least one voice. Received: none")
    if len(voices) == 1:
        return _dump(SINGLE_HEADER, voices[0].data)
    dumps = []
    for start in range(0, len(voices), BANK_VOICES):
        bank = list(voices[start : start + BANK_VOICES])
        bank += [Voice()] * (BANK_VOICES - len(bank))
        dumps.append(_dump(BANK_HEADER, b"".join(map(pack_voice, bank))))
    return b"".join(dumps)


def checksum(data: bytes) -> int:
    """Return the checksum of a dump's data: its sum and the data's have zeros in the lowest seven bits."""
    return -sum(data) & 127


def _dump(header: bytes, data: bytes) -> bytes:
    return header + data + bytes((checksum(data), _END))


def parse_syx(data: bytes, label: str = "the data") -> VoiceFile:
    """Read the voices of a file's content; see `read_syx`.

    Args:
        label: names the content in messages.
    """
    if data[:4] == b"MThd":
        messages, where = _midi_messages(data), "a MIDI file"
    else:
        messages, where = _messages(data), "a file"
    found = _Findings()
    number = 0
    for number, message in enumerate(messages, 1):
        if number > MAX_MESSAGES:
            raise ParameterError(
                f"{label} must hold DX7 voices. Received: more than {MAX_MESSAGES:,} system exclusive messages, "
                f"{len(found.voices):,} voices among them"
            )
        _read_message(message, f"dump {number}", found)
    if not number and _is_bare_bank(data):
        found.add_packed(data)
        if len(data) % (BANK_VOICES * PACKED_BYTES):
            found.remark(f"{len(found.voices)} packed voices without a frame, no whole banks")
    if found.voices:
        return VoiceFile(tuple(found.voices), found.all_remarks())
    if found.remarks:
        raise ParameterError(f"{label} holds no DX7 voice: {shown('; '.join(found.remarks), 300)}")
    raise ParameterError(
        f"{label} must hold DX7 voices: single voices of 163 bytes, banks of 4,104 or 4,096. "
        f"Received: {where} of {len(data):,} bytes without a system exclusive dump"
    )


def _messages(data: bytes) -> Iterator[bytes]:
    """Yield system exclusive messages, each from its F0 to its F7; one that ends otherwise is cut short before that."""
    place = 0
    while (start := data.find(_START, place)) >= 0:
        length = _framed_length(data, start)
        if length is None:
            match = _BODY.match(data, start + 1)
            length = (match.end() if match else start + 1) - start
        yield data[start : start + length]
        place = start + length


_BODY = re.compile(rb"[\x00-\x7f]*\xf7?")


def _framed_length(data: bytes, start: int) -> int | None:
    """Return the length of a dump of the two DX7 formats whose end is where its size says, whatever its data are."""
    header = data[start : start + 6]
    for known, size in ((SINGLE_HEADER, VOICE_BYTES), (BANK_HEADER, BANK_VOICES * PACKED_BYTES)):
        end = start + len(known) + size + 1
        if _formats_alike(header, known) and data[end : end + 1] == bytes((_END,)):
            return end + 1 - start
    return None


def _formats_alike(header: bytes, known: bytes) -> bool:
    return len(header) == 6 and header[:2] == known[:2] and header[2] < 16 and header[3:] == known[3:]


def _read_message(message: bytes, label: str, found: _Findings) -> None:
    """Add the voices of one message, or a remark on what it is instead."""
    if len(message) < 4 or message[1] != _YAMAHA:
        found.remark(f"{label} is no dump of Yamaha's")
        return
    kind, form = message[2] >> 4, message[3]
    if kind != 0:
        found.remark(f"{label} is no dump but a parameter change or a request")
        return
    if form not in (_SINGLE, _BANK):
        found.remark(f"{label} holds {_foreign_content(message)}, no DX7 voice")
        return
    size, name = (VOICE_BYTES, "a voice") if form == _SINGLE else (BANK_VOICES * PACKED_BYTES, "a bank")
    if message[-1] != _END:
        found.remark(f"{label}, {name}, is truncated: {len(message):,} of {len(SINGLE_HEADER) + size + 2:,} bytes")
        return
    data = message[len(SINGLE_HEADER) : -2]
    whole = len(data) == size if form == _SINGLE else data and len(data) % PACKED_BYTES == 0 and len(data) <= size
    if not whole:
        found.remark(f"{label}, {name}, has {max(len(data), 0):,} bytes of data instead of {size:,}")
        return
    if any(byte > 127 for byte in data):
        found.remark(f"{label} has bytes above 127, whose highest bit is dropped")
        data = bytes(byte & 127 for byte in data)
    if len(data) < size:
        found.remark(f"{label} is a bank of {len(data) // PACKED_BYTES} voices instead of {BANK_VOICES}")
    if message[-2] != checksum(data):
        found.remark(f"{label} has the checksum {message[-2]}, where its data give {checksum(data)}")
    if form == _SINGLE:
        found.add(data)
    else:
        found.add_packed(data)


def _foreign_content(message: bytes) -> str:
    """Say what a dump of Yamaha's holds that is no DX7 voice."""
    if message[3] == 0x7E:
        for mark, content in _NAMED_BLOCKS.items():
            if message[6 : 6 + len(mark)] == mark:
                return content
        return "data of another synthesizer of Yamaha's"
    return _OTHER_FORMATS.get(message[3], f"data of Yamaha's format {message[3]}")


def _is_bare_bank(data: bytes) -> bool:
    """Tell whether a file may be packed voices without a frame: seven-bit bytes, nearly all of them in their range."""
    if not data or len(data) % PACKED_BYTES or max(data) > 127:
        return False
    count = len(data) // PACKED_BYTES
    sound = 0
    for start in range(0, len(data), PACKED_BYTES):
        voice, above = clamped_voice(unpack_voice(data[start : start + PACKED_BYTES]))
        sound += not above and "?" not in voice.name
    return sound >= _PLAUSIBLE * count


# --- Standard MIDI Files ----------------------------------------------------------------------------------------------


def _midi_messages(data: bytes) -> Iterator[bytes]:
    """Yield the system exclusive messages of a MIDI file's tracks; a broken track ends where it breaks."""
    place = 8 + int.from_bytes(data[4:8], "big")
    while place + 8 <= len(data):
        size = int.from_bytes(data[place + 4 : place + 8], "big")
        if data[place : place + 4] == b"MTrk":
            yield from _track_messages(data[place + 8 : place + 8 + size])
        place += 8 + size


_DATA_BYTES = {0x8: 2, 0x9: 2, 0xA: 2, 0xB: 2, 0xC: 1, 0xD: 1, 0xE: 2}
"""Data bytes of channel messages, by the upper half of their status byte."""


def _track_messages(track: bytes) -> Iterator[bytes]:
    """Yield the system exclusive messages of one track; what is sent in pieces (events F7) is joined."""
    place, status, pending = 0, 0, b""
    while place < len(track):
        _, place = _variable_length(track, place)
        if place >= len(track):
            break
        if track[place] & 0x80:
            status, place = track[place], place + 1
        if status in (_START, _END):
            size, place = _variable_length(track, place)
            content = track[place : place + size]
            place += size
            pending = b"\xf0" + content if status == _START else pending + content
            if pending and pending[-1] == _END:
                yield pending
                pending = b""
        elif status == 0xFF:
            size, place = _variable_length(track, place + 1)
            place += size
        elif (count := _DATA_BYTES.get(status >> 4)) is not None:
            place += count
        else:
            break
    if pending:
        yield pending


def _variable_length(track: bytes, place: int) -> tuple[int, int]:
    """Return a number of one to four bytes of seven bits each, and the place after it."""
    number = 0
    for byte in track[place : place + 4]:
        place += 1
        number = number << 7 | byte & 0x7F
        if byte < 0x80:
            break
    return number, place
