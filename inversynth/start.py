"""`inversynth start`: create `.env` and the data folders in the working folder.

Run again, it creates what is missing and keeps what exists; an existing `.env` is never overwritten.
"""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

from pydantic import Field

from generators.command import run_command
from generators.errors import SettingsError
from generators.settings import ENV_FILE, Settings

EXAMPLE = ".env.example"


class StartSettings(Settings):
    """Create .env and the folders of datasets, WAV files and training runs."""

    other_names: ClassVar = {"dataset_directory": ("dataset_dir",)}

    dataset_directory: Path = Field(Path("test_datasets"), description="folder of the datasets")
    wavefile_directory: Path = Field(Path("test_waves"), description="folder of the WAV files")
    output_dir: Path = Field(Path("runs"), description="folder of the runs")


def create_env_file(folder: Path) -> bool:
    """Copy `.env.example` to `.env` in `folder`, unless there is one.

    Returns: whether it was created. Raises: SettingsError where there is no example, or `.env` is a folder.
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
    """Find the example in the working folder, else at the root of the checkout that this file belongs to."""
    places = (folder, Path(__file__).resolve().parents[1])
    for place in places:
        if (place / EXAMPLE).is_file():
            return place / EXAMPLE
    raise SettingsError(
        f"{EXAMPLE} must be in the working folder. Received: {folder.resolve()}. Go to the checkout's root"
    )


def create_folder(path: Path) -> bool:
    """Create a folder, unless it exists.

    Returns: whether it was created. Raises: SettingsError where a file has its name.
    """
    if path.is_dir():
        return False
    try:
        path.mkdir(parents=True)
    except (FileExistsError, NotADirectoryError):
        raise SettingsError(f"{path} must be a folder. Received: a file there. Move it away, or name another") from None
    return True


def start(settings: StartSettings) -> None:
    """Create what is missing, and print what was created and what was kept."""
    created = create_env_file(Path())
    print(f"created {ENV_FILE} from {EXAMPLE}" if created else f"kept {ENV_FILE}")
    for folder in (settings.dataset_directory, settings.wavefile_directory, settings.output_dir):
        print(f"created {folder}" if create_folder(folder) else f"kept {folder}")


def main(argv: Sequence[str] | None = None, prog: str = "inversynth start") -> int:
    """Create the files and folders; returns the exit code."""
    return run_command(StartSettings, start, argv, prog)


if __name__ == "__main__":
    sys.exit(main(prog="python -m inversynth.start"))
