"""fixtures/objectives.json: objectives of several terms. Two inputs, a shared layer, three heads with loss weights;
penalties on outputs (averaged over the batch) and on parameters."""

import torch
import torch.nn.functional as F
from oracle import draw, leaf, write

N = 7
SHAPES = {"shared": (5, 4), "left": (4, 6), "class": (6, 3), "value": (6, 2), "bit": (4, 1)}
weights = {f"{k}/{p}": draw(*(s if p == "kernel" else s[1:]), scale=0.6) for k, s in SHAPES.items() for p in ("kernel", "bias")}
a, b = draw(N, 5), draw(N, 5)
labels, values, bits = torch.randint(0, 3, (N,)), draw(N, 2), torch.randint(0, 2, (N, 1)).double()
class_weights, value_weights, bit_weights = torch.rand(3, N).mul(8).round() / 4

# activity: a penalty (l1, l2) on the output of `shared` (called twice: on each), of `left` and of `value`
CASES = [
    {},
    {"lossWeights": [0.25, 3, 1]},
    {"lossWeights": [0, 1, 0.5]},
    {"lossWeights": [0.5, 2, 1.5], "weighted": True},
    {"activity": {"left": (0.3, 0)}},
    {"activity": {"left": (0, 0.3)}},
    {"activity": {"shared": (0.2, 0.1), "value": (0.1, 0.05)}},
    {"kernels": (0.05, 0.2), "biases": (0.02, 0.1)},
    {"lossWeights": [0.7, 0.2, 1], "activity": {"shared": (0.2, 0.1), "left": (0.3, 0.4)}, "kernels": (0.05, 0.2)},
]


def penalty(t, coefficients):
    l1, l2 = coefficients
    return l1 * t.abs().sum() + l2 / 2 * t.square().sum()


def solve(lossWeights=(1, 1, 1), activity={}, kernels=(0, 0), biases=(0, 0), weighted=False):
    w = {k: leaf(t) for k, t in weights.items()}
    va, vb = leaf(a), leaf(b)
    dense = lambda name, x: x @ w[name + "/kernel"] + w[name + "/bias"]
    ha, hb = torch.tanh(dense("shared", va)), torch.tanh(dense("shared", vb))
    left = dense("left", ha)
    h = torch.relu(left)
    logits, value, bit = dense("class", h), dense("value", h), dense("bit", hb)
    scale = (class_weights, value_weights, bit_weights) if weighted else torch.ones(3, N)
    losses = [
        (F.cross_entropy(logits, labels, reduction="none") * scale[0]).mean(),
        (F.mse_loss(value, values, reduction="none") * scale[1][:, None]).mean(),
        (F.binary_cross_entropy_with_logits(bit, bits, reduction="none") * scale[2][:, None]).mean(),
    ]
    data = sum(w * l for w, l in zip(lossWeights, losses))
    outputs = {"shared": (ha, hb), "left": (left,), "value": (value,)}
    extra = sum(penalty(t, c) / N for name, c in activity.items() for t in outputs[name])
    extra = extra + sum(penalty(t, kernels if k.endswith("kernel") else biases) for k, t in w.items())
    (data + extra).backward()
    return {
        "logs": {"loss": data + extra, "dataLoss": data, "penalty": torch.as_tensor(extra)}
        | {name + "Loss": loss for name, loss in zip(("class", "value", "bit"), losses)},
        "gradients": {k: t.grad for k, t in w.items()},
        "inputs": {"a": va.grad, "b": vb.grad},
    }


detached = lambda v: {k: detached(t) for k, t in v.items()} if isinstance(v, dict) else v.detach()
write(
    "objectives",
    {
        "weights": weights,
        "x": {"a": a, "b": b},
        "y": {"class": labels, "value": values, "bit": bits},
        "sampleWeight": {"class": class_weights, "value": value_weights, "bit": bit_weights},
        "cases": [{"options": options, **detached(solve(**options))} for options in CASES],
    },
)
