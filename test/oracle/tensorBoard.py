"""Writes fixtures/tensorBoard.json: records of TensorBoard's own writer. With a folder, prints what its reader finds there.

    python3 -m venv v && v/bin/pip install tensorboard && v/bin/python test/oracle/tensorBoard.py [folder]
"""

import base64
import io
import json
import sys
from pathlib import Path

from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.compat.proto.event_pb2 import Event
from tensorboard.compat.proto.summary_pb2 import HistogramProto, Summary
from tensorboard.summary.writer.record_writer import RecordWriter


def found(folder):
    reader = EventAccumulator(folder, size_guidance={"scalars": 0, "histograms": 0}).Reload()
    scalars = {tag: [(e.step, e.value) for e in reader.Scalars(tag)] for tag in reader.Tags()["scalars"]}
    histograms = {
        tag: [(e.step, vars(e.histogram_value)) for e in reader.Histograms(tag)]
        for tag in reader.Tags()["histograms"]
    }
    return {"version": reader.file_version, "scalars": scalars, "histograms": histograms}


def record(event):
    out = io.BytesIO()
    RecordWriter(out).write(event.SerializeToString())
    return base64.b64encode(out.getvalue()).decode()


HISTOGRAM = {
    "min": -1.5,
    "max": 2.5,
    "num": 9.0,
    "sum": 0.0,
    "sum_squares": 1e3,
    "bucket_limit": [-0.5, 0.5, 2.5],
    "bucket": [3.0, 2.0, 4.0],
}
EVENTS = [
    (0, {"epoch_loss": 0.0}),
    (1, {"epoch_loss": 0.6931471824645996, "epoch_größe": -1e30}),
    (127, {"a": 1.0}),
    (128, {"a": -0.0}),
    (2**40 + 3, {"x" * 200: 0.5}),
    (5, {"dense_1/kernel/histogram": HISTOGRAM, "epoch_loss": float("inf")}),
]


def event(time, step, values):
    summary = Summary()
    for tag, value in values.items():
        if isinstance(value, dict):
            summary.value.add(tag=tag, histo=HistogramProto(**value))
        else:
            summary.value.add(tag=tag, simple_value=value)
    return Event(wall_time=time, step=step, summary=summary)


if len(sys.argv) > 1:
    print(json.dumps(found(sys.argv[1]), indent=1))
else:
    infinite = lambda values: {t: "Infinity" if v == float("inf") else v for t, v in values.items()}
    fixture = {
        "time": 1795802400.125,
        "header": record(Event(wall_time=1795802400.125, file_version="brain.Event:2")),
        "events": [
            {"step": step, "values": infinite(values), "record": record(event(1795802400.125, step, values))}
            for step, values in EVENTS
        ],
    }
    path = Path(__file__).parent / "fixtures" / "tensorBoard.json"
    path.write_text(json.dumps(fixture) + "\n")
