"""What the scripts beside it share. PyTorch computes in float64, from numbers that float32 holds exactly: the fixtures are
what PyTorch's formulas give, free of its own rounding. Run them by hand, each with Debian's python3-torch:

    /usr/bin/python3 test/oracle/optimizers.py
"""

import json
from pathlib import Path

import torch

torch.set_default_dtype(torch.float64)
torch.manual_seed(0)


def draw(*shape, scale=1.0, offset=0.0):
    """Normal numbers, rounded to multiples of 1/32."""
    return torch.round((torch.randn(*shape) * scale + offset) * 32) / 32


def leaf(t):
    return t.clone().requires_grad_()


def plain(value, digits=7):
    """Tensors as nested lists, numbers of so many digits, NaN as null."""
    if isinstance(value, torch.Tensor):
        return plain(value.tolist(), digits)
    if isinstance(value, dict):
        return {k: plain(v, digits) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(v, digits) for v in value]
    if isinstance(value, float):
        if value != value:
            return None
        short = float(f"{value:.{digits}g}")
        return int(short) if short == int(short) and abs(short) < 1e9 else short
    return value


def write(name, fixture, digits=7):
    """fixtures/<name>.json, one case a line where the fixture is a list."""
    dump = lambda v: json.dumps(plain(v, digits), separators=(",", ":"))
    lines = [f'"{k}":' + ("[\n" + ",\n".join(map(dump, v)) + "\n]" if isinstance(v, list) else dump(v)) for k, v in fixture.items()]
    path = Path(__file__).parent / "fixtures" / f"{name}.json"
    path.write_text("{\n" + ",\n".join(lines) + "\n}\n")
    print(f"{path.name}: {path.stat().st_size} bytes")
