"""Files of voices: bit-equal round trips, what circulates, and one line for what is none."""

import mido
import pytest
from hypothesis import given
from hypothesis import strategies as st

from generators.dx7.sysex import (
    BANK_HEADER,
    MAX_BYTES,
    MAX_MESSAGES,
    SINGLE_HEADER,
    checksum,
    format_syx,
    parse_syx,
    read_syx,
    read_voice,
    split_address,
    write_syx,
)
from generators.dx7.voice import Voice, pack_voice
from generators.errors import InversynthError, ParameterError
from tests.generators.dx7.test_voice import voices

BANK = tuple(Voice().replaced(name=f"VOICE {k}", op1_fine=k, algorithm=k) for k in range(32))

MIDI_HEAD = b"MThd\x00\x00\x00\x06\x00\x00\x00\x01\x00`"


def framed(kind, data):
    """A dump of Yamaha's in any format, with its right checksum."""
    return bytes((0xF0, 0x43, 0x00, *kind)) + data + bytes((checksum(data), 0xF7))


@given(st.lists(voices, min_size=1, max_size=3))
def test_written_voices_are_read_to_the_bit(some):
    content = format_syx(some)
    read = parse_syx(content)
    assert read.voices[: len(some)] == tuple(some)
    assert read.remarks == ()
    assert format_syx(read.voices) == content


def outcome(content):
    """The voices of a content, or the message that refuses it."""
    try:
        return parse_syx(content).voices
    except InversynthError as error:
        return str(error)


@given(st.binary(max_size=400), st.sampled_from([b"", SINGLE_HEADER, MIDI_HEAD + b"MTrk\x00\x00\x01\x90"]))
def test_any_bytes_give_voices_or_one_error(data, head):
    found = outcome(head + data)
    assert found
    assert isinstance(found, tuple) or "\n" not in found


def test_sizes_and_headers_are_those_of_the_format(tmp_path):
    single = write_syx(tmp_path / "one.syx", BANK[:1]).read_bytes()
    bank = write_syx(tmp_path / "bank.syx", BANK).read_bytes()
    assert (len(single), len(bank)) == (163, 4104)
    assert single[:6].hex() == "f0430000011b"
    assert bank[:6].hex() == "f04300092000"
    for dump in (single, bank):
        assert dump[-1] == 0xF7
        assert sum(dump[6:-1]) % 128 == 0


def test_a_short_bank_is_filled_and_more_voices_make_more_banks(tmp_path):
    path = write_syx(tmp_path / "bank.syx", (*BANK, BANK[0]))
    assert path.stat().st_size == 2 * 4104
    assert read_syx(path).voices == (*BANK, BANK[0], *[Voice()] * 31)


def test_several_dumps_in_one_file_are_read_in_order():
    read = parse_syx(b"text" + format_syx(BANK[3:4]) + b"\x00" + format_syx(BANK) + format_syx(BANK[:1]))
    assert read.voices == (BANK[3], *BANK, BANK[0])


def test_any_midi_channel_is_accepted():
    dump = bytearray(format_syx(BANK))
    dump[2] = 0x0F
    assert parse_syx(bytes(dump)).voices == BANK


def test_bank_without_frame_is_read():
    bare = b"".join(map(pack_voice, BANK))
    assert len(bare) == 4096
    assert parse_syx(bare) == parse_syx(format_syx(BANK))
    assert parse_syx(bare[: 31 * 128]).remarks == ("31 packed voices without a frame, no whole banks",)


@pytest.mark.parametrize("kind", [0, 1])
def test_midi_file_that_holds_dumps_is_read(tmp_path, kind):
    track = mido.MidiTrack(
        [
            mido.MetaMessage("track_name", name="bank"),
            mido.Message("program_change", program=3),
            mido.Message("note_on", note=60),
            mido.Message("sysex", data=format_syx(BANK)[1:-1]),
            mido.Message("note_off", note=60, time=10),
            mido.Message("sysex", data=format_syx(BANK[5:6])[1:-1]),
        ]
    )
    file = mido.MidiFile(type=kind)
    file.tracks.append(track)
    file.save(tmp_path / "bank.mid")
    assert read_syx(tmp_path / "bank.mid") == parse_syx(format_syx(BANK) + format_syx(BANK[5:6]))


def test_midi_file_that_sends_a_dump_in_pieces_is_read():
    dump = format_syx(BANK[:1])
    track = bytes((0, 0xF0, 50)) + dump[1:51] + bytes((5, 0xF7, len(dump) - 51)) + dump[51:] + b"\x00\xff\x2f\x00"
    head = MIDI_HEAD + b"MTrk" + len(track).to_bytes(4, "big")
    assert parse_syx(head + track).voices == BANK[:1]


def test_wrong_checksum_is_accepted_and_said():
    dump = bytearray(format_syx(BANK))
    right = dump[-2]
    dump[-2] ^= 1
    read = parse_syx(bytes(dump))
    assert read.voices == BANK
    assert read.remarks == (f"dump 1 has the checksum {right ^ 1}, where its data give {right}",)


def test_values_above_their_range_are_clamped_and_said():
    data = bytearray(BANK[0].data)
    data[16], data[137] = 127, 100
    read = parse_syx(framed((0x00, 0x01, 0x1B), bytes(data)))
    assert (read.voices[0]["op6_output_level"], read.voices[0]["lfo_speed"]) == (99, 99)
    assert read.remarks == ("voice 1 'VOICE 0': values above their range are clamped: op6_output_level, lfo_speed",)


def test_bytes_above_127_in_a_dump_of_the_right_size_lose_their_highest_bit():
    dump = bytearray(format_syx(BANK))
    dump[6] |= 0x80
    read = parse_syx(bytes(dump))
    assert read.voices == BANK
    assert read.remarks[0] == "dump 1 has bytes above 127, whose highest bit is dropped"


def test_bank_of_31_voices_gives_31():
    read = parse_syx(framed((0x09, 0x20, 0x00), b"".join(map(pack_voice, BANK[:31]))))
    assert read.voices == BANK[:31]
    assert read.remarks == ("dump 1 is a bank of 31 voices instead of 32",)


SUPPLEMENTS = framed((0x06, 0x08, 0x60), bytes(1120))


def test_voices_beside_foreign_dumps_are_read_and_the_others_named():
    read = parse_syx(SUPPLEMENTS + format_syx(BANK))
    assert read.voices == BANK
    assert read.remarks == ("dump 1 holds the supplements of a DX7II or TX802 bank, no DX7 voice",)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "x.syx must hold DX7 voices: single voices of 163 bytes, banks of 4,104 or 4,096. Received: a file of 0"),
        (b"RIFF" + bytes(range(256)), "Received: a file of 260 bytes without a system exclusive dump|is no dump of Y"),
        (bytes(128) + b"\x01", "Received: a file of 129 bytes without a system exclusive dump"),
        (b"\x7f" * 4096, "Received: a file of 4,096 bytes without a system exclusive dump"),
        (b"MThd\x00\x00\x00\x06\x00\x00\x00\x00\x00`", "Received: a MIDI file of 14 bytes without a system exclusive"),
        (format_syx(BANK)[:2000], "x.syx holds no DX7 voice: dump 1, a bank, is truncated: 2,000 of 4,104 bytes"),
        (format_syx(BANK[:1])[:100], "x.syx holds no DX7 voice: dump 1, a voice, is truncated: 100 of 163 bytes"),
        (BANK_HEADER + bytes(100) + b"\xf7", "dump 1, a bank, has 99 bytes of data instead of 4,096"),
        (SINGLE_HEADER + b"\xf7", "dump 1, a voice, has 0 bytes of data instead of 155"),
        (SUPPLEMENTS, "dump 1 holds the supplements of a DX7II or TX802 bank, no DX7 voice"),
        (framed((0x05, 0x00, 0x31), bytes(49)), "dump 1 holds the supplement of a DX7II or TX802 voice"),
        (framed((0x7E, 0x01, 0x28), b"LM  8952PM" + bytes(40)), "dump 1 holds performances of a TX802"),
        (framed((0x7E, 0x01, 0x28), b"LM  8973PM" + bytes(40)), "dump 1 holds performances or system data of a DX7II"),
        (framed((0x04, 0x20, 0x00), bytes(4096)), "dump 1 holds a bank of a four-operator synthesizer"),
        (framed((0x55, 0x00, 0x00), bytes(9)), "dump 1 holds data of Yamaha's format 85"),
        (b"\xf0\x43\x10\x01\x1b\x05\xf7", "dump 1 is no dump but a parameter change or a request"),
        (b"\xf0\x41\x10\x16\x12\x00\xf7", "dump 1 is no dump of Yamaha's"),
    ],
)
def test_file_without_voices_is_refused_in_one_line(tmp_path, content, message):
    path = tmp_path / "x.syx"
    path.write_bytes(content)
    with pytest.raises(ParameterError, match=message) as error:
        read_syx(path)
    assert "\n" not in str(error.value)


def test_many_foreign_messages_give_few_remarks():
    read = parse_syx(b"\xf0" * 40_000 + format_syx(BANK))
    assert read.voices == BANK
    assert len(read.remarks) == 41
    assert read.remarks[-1] == "39,960 further remarks are left out"


def test_large_file_is_refused_unread(tmp_path):
    path = tmp_path / "large.syx"
    with path.open("wb") as file:
        file.truncate(100_000_000)
    with pytest.raises(ParameterError, match=r"a DX7 voice file has at most 4.1943 MB. Received: .* of 100 MB"):
        read_syx(path)
    assert MAX_BYTES < 100_000_000


def test_missing_file_and_folder_are_refused(tmp_path):
    with pytest.raises(ParameterError, match="no such DX7 voice file"):
        read_syx(tmp_path / "none.syx")
    with pytest.raises(ParameterError, match=r"a DX7 voice file is a file. Received: the folder"):
        read_syx(tmp_path)


def test_voice_is_read_by_its_address(tmp_path):
    path = write_syx(tmp_path / "bank.syx", BANK)
    assert read_voice(f"{path}#5") == BANK[4]
    assert read_voice(write_syx(tmp_path / "one.syx", BANK[6:7])) == BANK[6]
    with pytest.raises(ParameterError, match=r"holds the DX7 voices 1 to 32. Received: #33"):
        read_voice(f"{path}#33")
    with pytest.raises(ParameterError, match=r"holds 32 DX7 voices. Name one of them: .*bank.syx#1 … .*bank.syx#32"):
        read_voice(path)


def test_file_whose_name_looks_like_an_address_is_meant_itself(tmp_path):
    path = write_syx(tmp_path / "bank#2", BANK[1:2])
    assert split_address(path) == (str(path), None)
    assert split_address(tmp_path / "other#2") == (str(tmp_path / "other"), 2)
    assert read_voice(path) == BANK[1]


def test_nothing_is_written_where_no_voice_is_given(tmp_path):
    with pytest.raises(ParameterError, match=r"holds at least one voice. Received: none"):
        write_syx(tmp_path / "none.syx", [])
    assert not list(tmp_path.iterdir())
    with pytest.raises(ParameterError, match="cannot write"):
        write_syx(tmp_path, BANK)


@pytest.mark.parametrize("number", ["x", "", "-1", "1.5", "1-5", " 1", "1\n", "\u0665", "9" * 400])
def test_only_a_number_names_a_voice_of_a_file(tmp_path, number):
    path = write_syx(tmp_path / "bank.SYX", BANK)
    with pytest.raises(ParameterError, match=r"is named by its number: .*bank\.SYX#1\. Received: #") as refusal:
        read_voice(f"{path}#{number}")
    assert len(str(refusal.value)) < 400


def test_a_file_of_more_messages_than_voices_could_be_is_refused_at_once():
    changes = bytes((0xF0, 0x43, 0x10, 1, 2, 3, 0xF7)) * (MAX_MESSAGES - 1)
    assert parse_syx(changes + format_syx(BANK[:1])).voices == BANK[:1]
    with pytest.raises(ParameterError, match=r"more than 50,000 system exclusive messages, 0 voices among them"):
        parse_syx(b"\xf0" * MAX_BYTES)
