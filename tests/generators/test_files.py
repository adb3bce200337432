"""Files: what is refused before it is read, and writing that is whole, alone in its folder and safe in a crowd."""

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from generators import files
from generators.errors import AudioError, InversynthError
from generators.files import check_readable_file, locked, made_folders, real_path, written_whole

ROOT = Path(__file__).parents[2]
posix = pytest.mark.skipif(os.name != "posix", reason="named pipes and the kernel's file locks are POSIX")


def python(code, *arguments, **options):
    command = [sys.executable, "-c", code, *map(str, arguments)]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **options)


# --- before reading ---------------------------------------------------------------------------------------------------


def test_a_readable_file_has_its_size(tmp_path):
    (tmp_path / "a").write_bytes(b"12345")
    assert check_readable_file(tmp_path / "a", most_bytes=5) == 5


def pipe(folder):
    os.mkfifo(folder / "pipe")
    return folder / "pipe"


def linked_to_itself(folder):
    (folder / "loop").symlink_to("loop")
    return folder / "loop"


def below_a_file(folder):
    (folder / "file").touch()
    return folder / "file" / "sound.wav"


@posix
@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda folder: folder, "a sound is a file. Received: the folder"),
        (lambda folder: folder / "none", "no such sound: "),
        (lambda folder: folder / ("n" * 300), "File name too long"),
        (lambda folder: folder / "/".join("d" * 2500), "File name too long"),
        (lambda folder: "a\0b", "no such sound: 'a\\x00b'"),
        (lambda folder: "/dev/zero", "/dev/zero, a device. Save its content in a file first"),
        (pipe, "a named pipe. Save its content in a file first"),
        (below_a_file, "no such sound"),
        (linked_to_itself, "cannot read"),
    ],
    ids=["folder", "none", "long-name", "long-path", "nul", "device", "pipe", "below-a-file", "link-loop"],
)
def test_what_is_no_readable_file_is_refused_at_once(tmp_path, make, message):
    with pytest.raises(AudioError) as fault:
        check_readable_file(make(tmp_path), "sound", AudioError)
    assert message in str(fault.value)


def test_a_file_over_its_bound_is_refused(tmp_path):
    (tmp_path / "a").write_bytes(b"1" * 3_000_001)
    with pytest.raises(InversynthError, match=r"an index has at most 3 MB\. Received: .* of 3 MB"):
        check_readable_file(tmp_path / "a", "index", most_bytes=3_000_000)


@posix
@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root becomes an ordinary user")
def test_an_ordinary_user_learns_of_a_file_without_permission(tmp_path):
    (tmp_path / "closed").touch(0)
    tmp_path.chmod(0o755)
    code = "import os, sys; from generators.files import check_readable_file\nos.chdir(sys.argv[1]); os.setuid(65534)\n"
    code += "try: check_readable_file('closed')\nexcept Exception as e: print(e)"
    out, err = python(code, tmp_path).communicate()
    assert (out, err) == ("cannot read closed: Permission denied. Name a file that you may read\n", "")


# --- writing ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("durable", [False, True])
def test_a_file_is_replaced_whole_or_left_alone(tmp_path, durable):
    path = tmp_path / "a" / "b.txt"
    with written_whole(path, durable=durable) as partial:
        assert (partial.parent, partial.suffix) == (path.parent, ".txt")
        partial.write_text("new")
    assert path.read_text() == "new"

    def interrupted():
        with written_whole(path, durable=durable) as partial:
            partial.write_text("half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert [(each.name, each.read_text()) for each in path.parent.iterdir()] == [("b.txt", "new")]


def test_a_failed_write_removes_the_folders_that_it_made(tmp_path):
    (tmp_path / "kept").mkdir()
    with pytest.raises(ZeroDivisionError), written_whole(tmp_path / "kept" / "a" / "b" / "c.txt") as partial:
        partial.write_text(str(1 / 0))
    assert [path.name for path in tmp_path.rglob("*")] == ["kept"]

    with pytest.raises(OSError, match="Is a directory"), made_folders(tmp_path / "kept" / "d" / "e"):
        (tmp_path / "kept" / "d" / "file").write_bytes((tmp_path / "kept").read_bytes())
    assert [path.name for path in tmp_path.rglob("*")] == ["kept"]

    def used_by_another():
        with made_folders(tmp_path / "kept" / "d" / "e"):
            (tmp_path / "kept" / "d" / "file").touch()
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        used_by_another()
    assert (tmp_path / "kept" / "d" / "file").exists()


@posix
@pytest.mark.parametrize("stem", ["n" * 251, "ü" * 125, "\udcff" * 251], ids=["plain", "wide", "no-utf8"])
def test_names_may_be_as_long_as_the_file_system_allows(tmp_path, stem):
    path = tmp_path / f"{stem}.txt"
    with written_whole(path) as partial:
        partial.write_text("x")
    assert path.read_text() == "x"
    with pytest.raises(OSError, match="File name too long"), written_whole(tmp_path / f"{stem}nn.txt"):
        raise AssertionError("work begun in vain")
    assert len(list(tmp_path.iterdir())) == 1


@posix
def test_only_regular_files_are_replaced(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "folder").mkdir()
    with pytest.raises(OSError, match="it is no regular file"), written_whole(tmp_path / "pipe"):
        raise AssertionError("work begun in vain")
    with pytest.raises(OSError, match="it is a folder"), written_whole(tmp_path / "folder"):
        raise AssertionError("work begun in vain")


@posix
def test_partial_files_of_dead_processes_are_removed(tmp_path, monkeypatch):
    code = "import sys; from generators.files import written_whole\n"
    code += (
        "with written_whole(sys.argv[1]) as partial: partial.write_text('half'); print(flush=True); sys.stdin.read()"
    )
    process = python(code, tmp_path / "a.txt", stdin=subprocess.PIPE)
    process.stdout.readline()
    (left,) = tmp_path.iterdir()
    other = tmp_path / left.name.replace(f"-{process.pid}-", f"-{os.getpid()}-")
    elsewhere = tmp_path / f".a.00000000-{process.pid}-01234567.partial.txt"
    own = [tmp_path / name for name in (".partial", "a.partial.txt", ".a.partial.txt", ".a.x-1.partial")]
    for each in (other, elsewhere, *own):
        each.touch()

    def write():
        files._remove_stale.cache_clear()
        with written_whole(tmp_path / "b.txt") as partial:
            partial.touch()

    write()
    assert left.exists()
    process.send_signal(signal.SIGKILL)
    process.communicate()
    write()
    assert set(tmp_path.iterdir()) == {other, elsewhere, *own, tmp_path / "b.txt"}


SCRATCH = """
import sys
from pathlib import Path
from generators.files import scratch_folder
with scratch_folder(sys.argv[1]) as folder:
    (folder / "inner").mkdir()
    (folder / "inner" / "file").write_text("half")
    print(flush=True)
    sys.stdin.read()
"""


@posix
def test_scratch_folders_of_dead_processes_are_removed_and_those_of_living_ones_stay(tmp_path):
    living, dead = (python(SCRATCH, tmp_path, stdin=subprocess.PIPE) for _ in range(2))
    for process in (living, dead):
        process.stdout.readline()
    assert len(list(tmp_path.iterdir())) == 2
    dead.send_signal(signal.SIGKILL)
    dead.communicate()
    files._remove_stale.cache_clear()
    with written_whole(tmp_path / "b.txt") as partial:
        partial.touch()
    (left,) = [path for path in tmp_path.iterdir() if path.is_dir()]
    assert f"-{living.pid}-" in left.name
    assert (left / "inner" / "file").read_text() == "half"
    living.communicate()
    assert [path.name for path in tmp_path.iterdir()] == ["b.txt"]


FULL = """
import resource, sys
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[1]),) * 2)
from generators import registry
from generators.audio import write_audio
if sys.argv[2] == "generate":
    sys.exit(registry.main(["sine", "--length", "0.1", *sys.argv[3:]]))
try:
    write_audio(sys.argv[2], [0.1, -0.7, 0.3] * 30_000, 16000)
except Exception as error:
    print(f"{type(error).__name__}: {error}", file=sys.stderr)
"""


@posix
@pytest.mark.parametrize(
    ("most", "arguments", "reasons"),
    [
        (30_000, ["a.wav"], "the disk may be full"),
        (5_000, ["a.flac"], "the disk may be full"),
        (30_000, ["generate", "--no-wavefiles"], "File too large"),
        (3_000, ["generate", "--num_examples", "2", "--wavefiles"], "File too large"),
    ],
    ids=["wav", "flac", "dataset", "small-dataset"],
)
def test_where_there_is_no_room_one_short_line_says_so(tmp_path, most, arguments, reasons):
    command = [sys.executable, "-c", FULL, str(most), *arguments]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    (line,) = done.stderr.splitlines()
    assert f": {reasons}. Name a" in line
    assert len(line) < 200
    assert not list(tmp_path.iterdir())


CROWD_SECONDS = float(os.environ.get("CROWD_SECONDS", "3"))
"""For a whole minute, and its figures: `CROWD_SECONDS=60 pytest -s tests/generators/test_files.py -k six`."""

CROWD = """
import sys, time
from generators.files import written_whole
path, number, seconds = sys.argv[1], sys.argv[2], float(sys.argv[3])
end, count = time.monotonic() + seconds, 0
while time.monotonic() < end:
    with written_whole(path) as partial, partial.open("w") as file:
        for _ in range(20):
            file.write(number * 4096)
            file.flush()
    count += 1
print(count)
"""


def test_six_writers_of_one_file_never_fail_nor_mix(tmp_path):
    path = tmp_path / "shared.txt"
    writers = [python(CROWD, path, number, CROWD_SECONDS) for number in range(6)]
    reads = 0
    while any(writer.poll() is None for writer in writers):
        if path.exists():
            content = path.read_bytes()
            assert len(content) == 20 * 4096
            assert len(set(content)) == 1
            reads += 1
        time.sleep(0.001)
    results = [writer.communicate() for writer in writers]
    assert [err for _, err in results] == [""] * 6
    assert all(int(out) > 0 for out, _ in results)
    assert reads > 100
    assert [each.name for each in tmp_path.iterdir()] == ["shared.txt"]
    print(f"{sum(int(out) for out, _ in results):,} files written by six in {CROWD_SECONDS:g} s, {reads:,} read whole")


# --- one writer at a time ---------------------------------------------------------------------------------------------

HOLD = """
import sys
from generators.errors import InversynthError
from generators.files import locked
try:
    with locked(sys.argv[1], "{holder} has it", InversynthError):
        print("held", flush=True)
        sys.stdin.read()
except InversynthError as error:
    print(error)
"""


@posix
def test_a_lock_names_its_holder_and_is_free_when_that_dies(tmp_path):
    lock = tmp_path / ".lock"
    first = python(HOLD, lock, stdin=subprocess.PIPE)
    assert first.stdout.readline() == "held\n"
    out, _ = python(HOLD, lock, stdin=subprocess.PIPE).communicate()
    assert out == f"process {first.pid} on {socket.gethostname()} has it\n"
    first.kill()
    first.communicate()
    assert lock.exists()
    with locked(lock, "{holder} has it", InversynthError):
        assert lock.read_text() == f"process {os.getpid()} on {socket.gethostname()}\n"
    assert not lock.exists()


@posix
def test_a_lock_file_of_something_else_is_not_quoted(tmp_path):
    (tmp_path / ".lock").write_text("process \x1b[31m")
    assert files.lock_holder(tmp_path / ".lock") == "another process"
    assert files.lock_holder(tmp_path / "none") == "another process"


TURNS = """
import sys, time
from generators.errors import InversynthError
from generators.files import locked
turns, end = 0, time.monotonic() + 1.5
while time.monotonic() < end:
    try:
        with locked(sys.argv[1] + ".lock", "", InversynthError):
            file = open(sys.argv[1], "x")
            turns += 1
            file.close()
            __import__("os").unlink(sys.argv[1])
    except InversynthError:
        pass
print(turns)
"""


@posix
def test_two_never_hold_a_lock_together(tmp_path):
    results = [each.communicate() for each in [python(TURNS, tmp_path / "a") for _ in range(3)]]
    assert [err for _, err in results] == [""] * 3
    assert sum(int(out) for out, _ in results) > 50


def test_a_loop_of_links_leads_somewhere(tmp_path: Path) -> None:
    (tmp_path / "one").symlink_to("two")
    (tmp_path / "two").symlink_to("one")
    (tmp_path / "folder").mkdir()
    (tmp_path / "to_folder").symlink_to("folder")
    assert real_path(tmp_path / "to_folder" / ".." / "folder" / "x") == real_path(tmp_path) / "folder" / "x"
    assert real_path(tmp_path / "one" / "x").name == "x"
