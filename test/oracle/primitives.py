"""fixtures/primitives.json: outputs and gradients of functions that the test writes in primitive ops, mean squared error
behind them."""

import torch
import torch.nn.functional as F
from oracle import draw, leaf, write


def normalized(x, w):
    centred = x - x.mean(-1, keepdim=True)
    return centred / torch.sqrt((centred**2).mean(-1, keepdim=True) + 1e-3) * w["scale"] + w["shift"]


def attention(x, w):
    q, k, v = (x @ w[name] for name in ("q", "k", "v"))
    return F.softmax(q @ k.transpose(1, 2) / 2, -1) @ v


CASES = {
    "swiglu": ([5, 4], {"gate": [4, 6], "value": [4, 6], "out": [6, 3]}, lambda x, w: (F.silu(x @ w["gate"]) * (x @ w["value"])) @ w["out"]),
    "broadcasting": ([3, 2, 4], {"row": [4], "column": [2, 1], "one": []}, lambda x, w: (x - w["row"]) * w["column"] / (w["one"] ** 2 + 1)),
    "normalized": ([6, 7], {"scale": [7], "shift": [7]}, normalized),
    "attention": ([2, 5, 4], {"q": [4, 3], "k": [4, 3], "v": [4, 2]}, attention),
    "matrices": ([3, 2, 4, 5], {"w": [2, 5, 3]}, lambda x, w: x @ w["w"]),
    "extremes": ([4, 6], {"w": [6]}, lambda x, w: torch.cat([torch.maximum(x, w["w"]), x.amax(1, keepdim=True), (x * w["w"]).amin(1, keepdim=True)], 1)),
    "choice": ([4, 6], {"w": [6]}, lambda x, w: torch.where(x > w["w"], torch.sin(x), torch.cos(w["w"])) + x.clamp(-0.5, 0.5)),
    "powers": ([4, 3], {"w": [3]}, lambda x, w: (x.abs() + 0.25) ** w["w"] + torch.log(x**2 + 1)),
    "parts": ([4, 6], {"w": [3, 2]}, lambda x, w: torch.cat([x[:, 4:], x[:, :4].reshape(4, 2, 2).transpose(1, 2).reshape(4, 4), x[:, 1:3] + w["w"][[2, 0, 2, 1]].mean(0)], 1)),
    "logSoftmax": ([3, 5], {"w": [5]}, lambda x, w: F.log_softmax(x * w["w"] * 10, -1)),
    "constants": ([3, 4], {"w": [4]}, lambda x, w: x * (x * w["w"]).detach() + 1 / (2 + torch.sigmoid(x))),
}


def case(name, shape, parameters, f):
    x = leaf(draw(*shape))
    w = {key: leaf(draw(*(s or [1])).reshape(s)) for key, s in parameters.items()}
    y = f(x, w)
    target = draw(*y.shape)
    loss = ((y - target) ** 2).mean()
    loss.backward()
    return {
        "name": name,
        "x": x.detach(),
        "weights": {key: t.detach() for key, t in w.items()},
        "target": target,
        "y": y.detach(),
        "loss": loss.item(),
        "dx": x.grad,
        "gradients": {key: torch.zeros_like(t) if t.grad is None else t.grad for key, t in w.items()},
    }


write("primitives", {"cases": [case(name, *rest) for name, rest in CASES.items()]})
