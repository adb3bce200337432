"""Names and places that no program expects: what is no file, what cannot be read or written, what has an odd name."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

from tests.hostile.corpus.member import FILES, OUTPUTS, Maker, Member, Must, Place, constant, copied, sparse, written

ODD_NAMES: dict[str, bytes] = {
    **{"quotes": b'it\'s "so"', "newline": b"one\ntwo", "tab": b"a\tb", "escape": b"\x1b[31mred", "dash": b"-rf"},
    **{"no-utf8": b"caf\xe9", "surrogate": b"\xed\xa0\x80", "space": b" ", "comma": b"a,b;c", "percent": b"%s%n{0}"},
    **{"html": b"<img src=x onerror=alert(1)>", "colon": b"a:1", "glob": b"[a-z]*?", "rtl": "\u202egnp".encode()},
    **{"bell": b"\x07\x08", "emoji": "🎹".encode(), "dots": b"...", "dollar": b"$HOME `id`", "equals": b"a=b"},
}
"""Names that a file may have on Linux."""


def _refused(name: str, group: int, make: Maker, **options: object) -> Member:
    return Member(f"place/{name}", group, FILES, make, "refuse", everywhere=True, **options)  # type: ignore[arg-type]


def _named(name: bytes) -> Maker:
    def make(place: Place) -> Path:
        ending = b"" if place.valid is None or place.valid.is_dir() else os.fsencode("".join(place.valid.suffixes))
        return copied(place, name + ending)

    return make


def _fifo(place: Place) -> Path:
    path = place.path("pipe")
    os.mkfifo(path)
    return path


def _linked(target: str) -> Maker:
    def make(place: Place) -> Path:
        path = place.path("link")
        path.symlink_to(target if target else path.name)
        return path

    return make


def _closed(place: Place) -> Path:
    path = copied(place, "closed" + ("" if place.valid is None or place.valid.is_dir() else place.valid.suffix))
    path.chmod(0)
    return path


def _in_closed_folder(place: Place) -> Path:
    (place.folder / "shut").mkdir()
    path = copied(place, "shut/file" + ("" if place.valid is None or place.valid.is_dir() else place.valid.suffix))
    path.parent.chmod(0)
    return path


def _folder(place: Place) -> Path:
    path = place.path("folder")
    path.mkdir()
    return path


def _damaged(change: Callable[[bytearray, Place], bytes | bytearray]) -> Maker:
    """Return a maker of a valid file with other bytes; of a folder, the first of its files gets them."""

    def make(place: Place) -> Path:
        if place.valid is not None and place.valid.is_dir():
            path = copied(place, "damaged")
            inner = min(file for file in path.rglob("*") if file.is_file())
            inner.write_bytes(change(bytearray(inner.read_bytes()), place))
            return path
        path = place.path("damaged")
        path.write_bytes(change(bytearray(place.content()), place))
        return path

    return make


def _cut(part: float) -> Maker:
    return _damaged(lambda content, place: content[: max(1, round(part * len(content)) - (part == 1.0))])


def _flipped(seed: int, first: int | None, count: int) -> Maker:
    def change(content: bytearray, place: Place) -> bytearray:
        generator = place.generator if seed < 0 else _generator(seed)
        for at in generator.integers(0, min(first or len(content), len(content)), count):
            content[at] ^= int(generator.integers(1, 256))
        return content

    return _damaged(change)


def _generator(seed: int):  # type: ignore[no-untyped-def]
    import numpy as np

    return np.random.default_rng(seed)


def readable() -> Iterator[Member]:
    """Walk what may stand where a file is read."""
    yield _refused("absent", 4, constant("no/such/thing"))
    yield Member(
        "place/folder", 4, tuple(kind for kind in FILES if kind not in ("notes", "patches")), _folder, "refuse"
    )
    yield Member("place/empty-folder", 4, ("notes", "patches"), _folder, "refuse")
    yield _refused("empty", 4, written("empty", b""))
    for size in (1, 8, 4096):
        yield _refused(f"zeros-{size}", 4, written("zeros", bytes(size)))
    yield _refused("noise", 4, written("noise", lambda place: place.generator.bytes(5000)))
    yield _refused("text", 4, written("text", b"To be, or not to be\n" * 40))
    yield _refused("pipe", 4, _fifo)
    for device in ("/dev/null", "/dev/zero", "/dev/full", "/dev/stdin"):
        yield _refused(device.strip("/").replace("/", "-"), 4, constant(device))
    for file in ("/proc/self/mem", "/proc/self/environ", "/proc/self/maps", "/sys/kernel/mm/transparent_hugepage"):
        yield _refused(file.strip("/").replace("/", "-"), 4, constant(file))
    yield _refused("proc-folder", 4, constant("/proc/self/task"))
    yield _refused("link-loop", 4, _linked(""))
    yield _refused("link-dangling", 4, _linked("nowhere"))
    yield _refused("link-to-device", 4, _linked("/dev/zero"))
    yield _refused("below-a-file", 4, constant("notes.txt/inner"))
    yield _refused("name-of-300", 4, constant("n" * 300))
    yield _refused("path-of-5000", 4, constant("d/" * 2500 + "n"))
    yield _refused("empty-name", 4, constant(""))
    yield _refused("closed", 4, _closed, ordinary=True)
    yield _refused("in-closed-folder", 4, _in_closed_folder, ordinary=True)
    yield _refused("huge", 5, sparse("huge", 1 << 40))
    for part in (0.02, 0.5, 0.9, 1.0):
        yield Member(f"place/cut-at-{part:g}", 8, FILES, _cut(part))
    for seed in range(4):
        yield Member(f"place/flipped-{seed}", 8, FILES, _flipped(seed, None, 20))
        yield Member(f"place/flipped-head-{seed}", 8, FILES, _flipped(seed + 100, 256, 4))
    for name, odd in ODD_NAMES.items():
        yield Member(f"name/{name}", 3, FILES, _named(odd), "accept")
    yield Member("name/of-255", 3, FILES, lambda place: copied(place, _longest(place, 255)))  # outputs add to it
    yield Member("name/of-200-letters", 3, FILES, lambda place: copied(place, _longest(place, 200)), "accept")


def _longest(place: Place, count: int) -> str:
    ending = "" if place.valid is None or place.valid.is_dir() else "".join(place.valid.suffixes)
    return "n" * (count - len(ending)) + ending


def _made(change: Callable[[Path], None], name: str = "out") -> Maker:
    def make(place: Place) -> Path:
        path = place.folder / name
        change(path)
        return path

    return make


def _read_only(path: Path) -> None:
    path.mkdir()
    path.chmod(0o555)


def writable() -> Iterator[Member]:
    """Walk what may stand where something is written."""

    def to_folder(name: str, make: Maker, must: Must = "either", **options: object) -> Member:
        return Member(f"target/{name}", 9 if "disk" in name else 4, OUTPUTS, make, must, everywhere=True, **options)  # type: ignore[arg-type]

    yield to_folder("below-a-file", constant("notes.txt/inner/out.json"), "refuse")
    yield to_folder("proc", constant("/proc/self/out.json"), "refuse")
    yield to_folder("sys", constant("/sys/out.json"), "refuse")
    yield to_folder("below-null", constant("/dev/null/out.json"), "refuse")
    yield to_folder("name-of-300", constant("n" * 300), "refuse")
    yield to_folder("path-of-5000", constant("d/" * 2500 + "n"), "refuse")
    yield to_folder("name-of-255", constant("n" * 255))
    yield to_folder("name-of-240", constant("n" * 240))
    yield Member("target/link-loop", 4, ("folder",), _linked(""), "refuse", everywhere=True)
    # A command that adds an ending to the name writes beside the link.
    yield Member("target/link-loop-as-file", 4, ("output",), _linked(""), everywhere=True)
    yield to_folder("empty-name", constant(""))
    yield to_folder("read-only", _made(_read_only), ordinary=True)
    yield to_folder("closed", _made(lambda path: (path.mkdir(), path.chmod(0))), ordinary=True)  # type: ignore[arg-type]
    yield to_folder("disk-full", constant("disk"), disk=True)
    yield Member("target/a-file", 4, ("folder",), constant("notes.txt"), "refuse")
    yield Member("target/null", 4, ("folder",), constant("/dev/null"), "refuse")
    yield Member("target/full", 4, ("folder",), constant("/dev/full"), "refuse")
    yield Member("target/a-folder", 4, ("output",), _made(Path.mkdir), "refuse")
    yield Member("target/a-device", 4, ("output",), constant("/dev/full"), "refuse")
    yield Member("target/dangling-link", 4, OUTPUTS, _linked("nowhere"))
    for name, odd in ODD_NAMES.items():
        text = os.fsdecode(odd)
        yield Member(f"target/{name}", 3, OUTPUTS, constant(text))
