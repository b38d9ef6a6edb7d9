# Files that NumPy wrote, and what is in them: npy.json, by name. Run by hand:
#
#   /usr/bin/python3 test/oracle/npy.py

import base64
import io
import json
import os
import tempfile
import warnings

import numpy as np

rng = np.random.RandomState(7)
files, values = {}, {}


def keep(name, data, array):
    files[name] = base64.b64encode(data).decode()
    array = np.asarray(array)
    flat = [v if np.isfinite(v) else str(v) for v in array.astype(float).ravel(order="C").tolist()]
    values[name] = {"shape": list(array.shape), "data": flat}


def npy(array, version=None):
    out = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        np.lib.format.write_array(out, array, version=version, allow_pickle=True)
    return out.getvalue()


for kind in ["f2", "f4", "f8", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "b1"]:
    for order in "<>":
        dtype = np.dtype(order + kind)
        if dtype.itemsize == 1 and order == ">":
            continue
        top = {"f": 1, "i": 100, "u": 100, "b": 2}[kind[0]]
        array = rng.uniform(-top if kind[0] in "fi" else 0, top, (3, 2)).astype(dtype)
        keep(dtype.str, npy(array), array)
        keep(dtype.str + " fortran", npy(np.asfortranarray(array)), array)
half = np.array([0, -0.0, 6e-8, 6.1e-5, 65504, -65504, np.inf, -np.inf, np.nan, 1 / 3], dtype="<f2")
keep("halves", npy(half), half)
cube = np.arange(24, dtype="<i8").reshape(2, 3, 4)
for version in [(1, 0), (2, 0), (3, 0)]:
    keep("version %d" % version[0], npy(cube, version), cube)
keep("cube fortran", npy(np.asfortranarray(cube)), cube)
keep("scalar", npy(np.float64(2.5)), np.float64(2.5))
keep("empty", npy(np.zeros((0, 3), "<f4")), np.zeros((0, 3)))
keep("one axis", npy(np.arange(5, dtype="<f4")), np.arange(5))
keep("edges of int32", npy(np.array([-(2**31), 2**31 - 1])), np.array([-(2**31), 2**31 - 1]))

refused = {}
for name, array in {
    "objects": np.array([{"a": 1}, None], dtype=object),
    "structured": np.array([(1, 2.0)], dtype=[("a", "<i4"), ("b", "<f4")]),
    "complex": np.array([1j]),
    "text": np.array(["ab"]),
    "bytes": np.array([b"ab"]),
    "dates": np.array(["2026-01-01"], dtype="datetime64[D]"),
    "beyond int32": np.array([0, 2**31]),
    "beyond int32, unsigned": np.array([2**32 - 1], dtype="<u4"),
}.items():
    refused[name] = base64.b64encode(npy(array)).decode()

archives = {}
with tempfile.TemporaryDirectory() as folder:
    path = os.path.join(folder, "a.npz")
    arrays = {"x": cube.astype("<f4"), "y": np.array([1, 0]), "deep/name": np.arange(3.0), "scalar": np.float32(0.5)}
    for name, save in {"stored": np.savez, "deflated": np.savez_compressed}.items():
        save(path, **arrays)
        archives[name] = base64.b64encode(open(path, "rb").read()).decode()
    np.savez(path, cube)
    archives["positional"] = base64.b64encode(open(path, "rb").read()).decode()
    np.savez_compressed(path, x=np.zeros(200_000))
    archives["zeros"] = base64.b64encode(open(path, "rb").read()).decode()
    np.savez(path, x=np.asfortranarray(cube.astype("<f4")))
    archives["fortran"] = base64.b64encode(open(path, "rb").read()).decode()
    np.savez(path, x=np.array([None], dtype=object))
    archives["objects"] = base64.b64encode(open(path, "rb").read()).decode()

with open(os.path.join(os.path.dirname(__file__), "npy.json"), "w") as out:
    json.dump({"numpy": np.__version__, "files": files, "values": values, "refused": refused, "archives": archives}, out, indent=0)
    out.write("\n")
