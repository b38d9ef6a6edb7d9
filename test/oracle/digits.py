"""Writes ts/data/digits.data.ts and test/oracle/digits.json from the digits that scikit-learn bundles.

    /usr/bin/python3 test/oracle/digits.py        (Debian's python3-sklearn)

The split is stratified, 1,437 train and 360 test, and takes no random numbers: class c, with n images, gives t of them
to the test set (360·n/1797 rounded down; the places left go to the largest remainders, ties to the lower class), those
at places ⌊(i + ½)·n/t⌋, i = 0 … t − 1, among the images of c in the file's order: evenly spread over the file, hence
over the writers. Both sets stay in the file's order, in which the classes are mixed.

Training images come first. test/oracle/digits.js packs them.
"""

import hashlib
import json
import subprocess
from pathlib import Path

import numpy as np
from sklearn.datasets import load_digits

TEST = 360
ROOT = Path(__file__).parents[2]

digits = load_digits()
pixels, labels = digits.data.astype(int), digits.target
total = len(labels)

counts = np.bincount(labels)
share = TEST * counts
quota = share // total
for c in sorted(range(10), key=lambda c: (-(share[c] % total), c))[: TEST - quota.sum()]:
    quota[c] += 1

is_test = np.zeros(total, bool)
for c in range(10):
    places = (2 * np.arange(quota[c]) + 1) * counts[c] // (2 * quota[c])
    is_test[np.flatnonzero(labels == c)[places]] = True
train, test = np.flatnonzero(~is_test), np.flatnonzero(is_test)
assert (len(train), len(test)) == (1437, 360)


rows = [*train, *test]
subprocess.run(
    ["node", ROOT / "test/oracle/digits.js"],
    input=np.column_stack([labels[rows], pixels[rows]]).astype(np.uint8).tobytes(),
    check=True,
)


def describe(rows):
    picked = [0, 1, 2, 3, len(rows) // 2, len(rows) - 1]
    return {
        "perClass": np.bincount(labels[rows]).tolist(),
        "inkPerClass": [int(pixels[rows][labels[rows] == c].sum()) for c in range(10)],
        "inkPerPixel": pixels[rows].sum(0).tolist(),
        "sha256": hashlib.sha256(pixels[rows].astype(np.uint8).tobytes() + labels[rows].astype(np.uint8).tobytes()).hexdigest(),
        "images": [{"index": k, "label": int(labels[rows[k]]), "pixels": pixels[rows[k]].tolist()} for k in picked],
    }


fixture = {"train": describe(train), "test": describe(test)}
(ROOT / "test/oracle/digits.json").write_text(json.dumps(fixture, separators=(",", ":")) + "\n")
