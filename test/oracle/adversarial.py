"""fixtures/adversarial.json: attacks on a small MLP, and the gradients of the objective (1 − weight)·J(x) + weight·J(x̃) with
x̃ a constant. A softmax classifier, and a regression whose loss is a mean over two elements."""

import torch
import torch.nn.functional as F
from oracle import draw, leaf, write

N = 5
SHAPES = {"hidden": (6, 5), "out": (5, 3)}
weights = {f"{k}/{p}": draw(*(s if p == "kernel" else s[1:]), scale=0.9) for k, s in SHAPES.items() for p in ("kernel", "bias")}
x = torch.rand(N, 6).mul(32).round() / 32
labels, values = torch.randint(0, 3, (N,)), draw(N, 3)

CASES = [
    {"attack": ["fgsm", {"epsilon": 0.125}], "weight": 0.5},
    {"attack": ["fgsm", {"epsilon": 0.25, "clip": [0, 1]}], "weight": 1},
    {"attack": ["pgd", {"epsilon": 0.25, "stepSize": 0.0625, "steps": 7, "randomStart": False}], "weight": 0.25},
    {"attack": ["pgd", {"epsilon": 0.25, "steps": 5, "randomStart": False, "clip": [0.125, 0.875]}], "weight": 0.75},
    {"attack": ["pgd", {"epsilon": 0.5, "stepSize": 0.25, "steps": 6, "norm": "l2", "randomStart": False}], "weight": 0.5},
    {"attack": ["pgd", {"epsilon": 0.75, "steps": 4, "norm": "l2", "randomStart": False, "clip": [0, 1]}], "weight": 0.5},
]


def net(w, x):
    return torch.tanh(x @ w["hidden/kernel"] + w["hidden/bias"]) @ w["out/kernel"] + w["out/bias"]


def loss(w, x, kind):
    return F.cross_entropy(net(w, x), labels) if kind == "class" else F.mse_loss(net(w, x), values)


def perturb(kind, name, options):
    epsilon, steps = options["epsilon"], options.get("steps", 1)
    step = epsilon if name == "fgsm" else options.get("stepSize", 2.5 * epsilon / steps)
    l2 = options.get("norm") == "l2"
    low, high = options.get("clip", (-float("inf"), float("inf")))
    moved = x.clone()
    for _ in range(steps):
        v = leaf(moved)
        (N * loss(weights, v, kind)).backward()
        g = v.grad
        if l2:
            delta = moved + step * g / g.norm(dim=1, keepdim=True) - x
            delta = delta * (epsilon / delta.norm(dim=1, keepdim=True)).clamp(max=1)
        else:
            delta = (moved + step * g.sign() - x).clamp(-epsilon, epsilon)
        moved = (x + delta).clamp(low, high)
    return moved


def solve(kind, attack, weight):
    moved = perturb(kind, *attack)
    w = {k: leaf(t) for k, t in weights.items()}
    v = leaf(x)
    total = (1 - weight) * loss(w, v, kind) + weight * loss(w, moved, kind)
    total.backward()
    return {"moved": moved, "loss": total, "gradients": {k: t.grad for k, t in w.items()}, "inputs": v.grad}


write(
    "adversarial",
    {
        "weights": weights,
        "x": x,
        "labels": labels,
        "values": values,
        "cases": [{"kind": kind, **case, **solve(kind, **case)} for case in CASES for kind in ("class", "value")],
    },
)
