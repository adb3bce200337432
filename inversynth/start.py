"""`inversynth start`: create `.env`, the data folders and a folder of examples in the working folder.

Run again, it creates what is missing and keeps what exists; an existing `.env` is never overwritten.
"""

import contextlib
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import ClassVar

from pydantic import Field

from generators.command import run_command
from generators.errors import SettingsError, shown
from generators.files import made_folders, written_whole
from generators.settings import ENV_FILE, Settings
from inversynth.examples import SONG, bundled_sounds, song

EXAMPLE = ".env.example"

BUNDLED_EXAMPLE = Path(__file__).with_name("env.example")
"""A copy of `.env.example` for installations without the checkout; docs/write_settings.py writes both."""


class StartSettings(Settings):
    """Create .env, the folders of datasets, WAV files and training runs, and examples to try the commands on."""

    other_names: ClassVar = {"dataset_directory": ("dataset_dir",)}
    flags_only: ClassVar = frozenset({"examples_dir"})

    dataset_directory: Path = Field(Path("test_datasets"), description="folder of the datasets")
    wavefile_directory: Path = Field(Path("test_waves"), description="folder of the WAV files")
    output_dir: Path = Field(Path("runs"), description="folder of the runs")
    examples_dir: Path = Field(Path("examples"), description="folder of five sounds and a MIDI file")


def create_env_file(folder: Path) -> bool:
    """Copy `.env.example` to `.env` in `folder`, unless there is one.

    Returns: whether it was created. Raises: SettingsError where `.env` is a folder.
    """
    target = folder / ENV_FILE
    if target.is_dir():
        raise SettingsError(f"{target} must be a file. Received: a folder. Move it away")
    if target.exists() or target.is_symlink():
        return False
    content = _example(folder).read_bytes()
    with target.open("xb") as file:
        try:
            file.write(content)
            file.flush()
        except OSError:  # a full disk: half an `.env` would pass for the user's own next time
            target.unlink()
            raise
    return True


def _example(folder: Path) -> Path:
    """Return the example in the working folder, else the bundled one."""
    return folder / EXAMPLE if (folder / EXAMPLE).is_file() else BUNDLED_EXAMPLE


def write_examples(folder: Path) -> bool:
    """Write the bundled sounds and a song as a MIDI file into a folder, those that it lacks: all of them or none.

    Returns: whether any was written.
    """
    files = {path.name: path.read_bytes() for path in bundled_sounds()} | {SONG: song()}
    missing = {folder / name: content for name, content in files.items() if not (folder / name).exists()}
    try:
        for path, content in missing.items():
            with written_whole(path) as partial:
                partial.write_bytes(content)
    except BaseException:
        for path in missing:
            path.unlink(missing_ok=True)
        raise
    return bool(missing)


@contextlib.contextmanager
def created_folder(path: Path) -> Iterator[bool]:
    """Create a folder, unless it exists; it is removed again if the block fails.

    Yields: whether it was created. Raises: SettingsError where a file has its name.
    """
    if path.is_dir():
        yield False
        return
    with contextlib.ExitStack() as stack:
        try:
            stack.enter_context(made_folders(path))
        except (FileExistsError, NotADirectoryError):
            raise SettingsError(
                f"{path} must be a folder. Received: a file there. Move it away, or name another"
            ) from None
        yield True


@contextlib.contextmanager
def created_env_file(folder: Path) -> Iterator[bool]:
    """Copy `.env.example` to `.env` as `create_env_file` does; it is removed again if the block fails."""
    created = create_env_file(folder)
    try:
        yield created
    except BaseException:
        if created:
            (folder / ENV_FILE).unlink(missing_ok=True)
        raise


def start(settings: StartSettings) -> None:
    """Create what is missing, all of it or nothing, and print what was created and what was kept."""
    with contextlib.ExitStack() as stack:
        created = stack.enter_context(created_env_file(Path()))
        lines = [f"created {ENV_FILE} from {EXAMPLE}" if created else f"kept {ENV_FILE}"]
        for folder in (settings.dataset_directory, settings.wavefile_directory, settings.output_dir):
            created = stack.enter_context(created_folder(folder))
            lines.append(f"{'created' if created else 'kept'} {shown(folder)}")
        stack.enter_context(created_folder(settings.examples_dir))
        written = write_examples(settings.examples_dir)
        lines.append(f"{'created' if written else 'kept'} {shown(settings.examples_dir)}: five sounds and {SONG}")
    print(*lines, sep="\n")


def main(argv: Sequence[str] | None = None, prog: str = "inversynth start") -> int:
    """Create the files and folders; returns the exit code."""
    return run_command(StartSettings, start, argv, prog)


if __name__ == "__main__":
    sys.exit(main(prog="python -m inversynth.start"))
