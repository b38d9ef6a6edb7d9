"""Writes test/oracle/tensorFiles.json: files by the format's own library, and what its reader says of odd ones.

    python3 -m venv v && v/bin/pip install safetensors numpy && v/bin/python test/oracle/tensorFiles.py
"""

import base64
import json
import struct
from pathlib import Path

import numpy as np
from safetensors.numpy import load, save

f32 = np.arange(6, dtype=np.float32).reshape(2, 3) / 4 - 1
FILES = {
    "one": ({"attn.0": f32}, None),
    "mixed": (
        {
            "dense_1/kernel": f32,
            "dense_1/bias": np.array([0.5, -0.0, np.inf], np.float32),
            "labels": np.array([[-1, 2], [3, -(2**31)]], np.int32),
            "größe/😀": np.array([0, 128, 255], np.uint8),
            "scalar": np.array(7, np.float32),
            "empty": np.zeros((0, 4), np.float32),
        },
        {"format": "np", "quote\"\n": "ü \\ \u2028"},
    ),
    "none": ({}, None),
}


def raw(header, body=b""):
    text = header if isinstance(header, bytes) else header.encode()
    return struct.pack("<Q", len(text)) + text + body


t = '{"dtype":"F32","shape":[1],"data_offsets":[%d,%d]}'
ODD = {
    "a hole": raw('{"a":' + t % (0, 4) + ',"b":' + t % (8, 12) + "}", bytes(12)),
    "an overlap": raw('{"a":' + t % (0, 4) + ',"b":' + t % (0, 4) + "}", bytes(4)),
    "offsets not in the order of names": raw('{"a":' + t % (4, 8) + ',"b":' + t % (0, 4) + "}", bytes(8)),
    "bytes after the last tensor": raw('{"a":' + t % (0, 4) + "}", bytes(5)),
    "past the end": raw('{"a":' + t % (0, 4) + "}", bytes(3)),
    "a space first": raw(' {"a":' + t % (0, 4) + "}", bytes(4)),
    "padding": raw('{"a":' + t % (0, 4) + "}    ", bytes(4)),
    "metadata that is no string": raw('{"__metadata__":{"a":1},"a":' + t % (0, 4) + "}", bytes(4)),
    "invalid UTF-8": raw(b'{"\xff":' + (t % (0, 4)).encode() + b"}", bytes(4)),
    "a fraction": raw('{"a":{"dtype":"F32","shape":[1.5],"data_offsets":[0,6]}}', bytes(6)),
    "a negative size": raw('{"a":{"dtype":"F32","shape":[-1],"data_offsets":[0,4]}}', bytes(4)),
    "an overflow": raw('{"a":{"dtype":"F32","shape":[4294967296,4294967296],"data_offsets":[0,0]}}'),
    "an unknown dtype": raw('{"a":{"dtype":"F31","shape":[1],"data_offsets":[0,4]}}', bytes(4)),
    "an empty file": b"",
    "a header of nothing": raw(""),
    "trailing text": raw('{"a":' + t % (0, 4) + "} x", bytes(4)),
    "__proto__ as a name": raw('{"__proto__":' + t % (0, 4) + "}", bytes(4)),
}


def loads(data):
    try:
        load(data)
        return True
    except Exception:
        return False


def b64(data):
    return base64.b64encode(data).decode()


out = {
    "files": {
        name: {
            "bytes": b64(save(tensors, metadata)),
            "tensors": {k: {"shape": v.shape, "data": b64(v.tobytes())} for k, v in tensors.items()},
            "metadata": metadata or {},
        }
        for name, (tensors, metadata) in FILES.items()
    },
    "odd": {name: {"bytes": b64(data), "loads": loads(data)} for name, data in ODD.items()},
}
path = Path(__file__).with_suffix(".json")
path.write_text(json.dumps(out, indent=1) + "\n")
