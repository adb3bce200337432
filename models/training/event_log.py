"""TensorBoard curves of a run, written without TensorFlow, so that every backend has them."""

import time
from collections.abc import Mapping
from pathlib import Path

PARTS = {"train": "", "validation": "val_"}
"""Folder of each curve, and the prefix of its measures: TensorBoard plots equal names in one chart."""


class EventLog:
    """Appends one point an epoch. Each start of a run begins files of its own, so a torn last record harms nothing."""

    def __init__(self, folder: Path, first_epoch: int) -> None:
        self._files = {part: folder / part / f"events.out.tfevents.{first_epoch:06d}" for part in PARTS}
        for path in self._files.values():
            path.unlink(missing_ok=True)

    def add(self, row: Mapping[str, float]) -> None:
        """Write the measures of an epoch."""
        from tensorboard.compat.proto.event_pb2 import Event
        from tensorboard.compat.proto.summary_pb2 import Summary
        from tensorboard.summary.writer.record_writer import RecordWriter

        validation = {name for name in row if name.startswith(PARTS["validation"])}
        for part, path in self._files.items():
            names = validation if part == "validation" else row.keys() - validation - {"epoch"}
            prefix = PARTS[part]
            values = [
                Summary.Value(tag=f"epoch_{name.removeprefix(prefix)}", simple_value=row[name])
                for name in sorted(names)
            ]
            path.parent.mkdir(parents=True, exist_ok=True)
            begin = not path.exists()
            with path.open("ab") as file:
                records = RecordWriter(file)
                if begin:
                    records.write(Event(wall_time=time.time(), file_version="brain.Event:2").SerializeToString())
                event = Event(wall_time=time.time(), step=int(row["epoch"]), summary=Summary(value=values))
                records.write(event.SerializeToString())
