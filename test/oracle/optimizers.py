"""fixtures/optimizers.json: ten steps of an MLP 3-5-3 (tanh, softmax cross-entropy) under each optimizer.

Of torch.optim 1.13 these equal PyTorch 2's documented formulas, but for NAdam, whose product of momenta 1.13 has wrong:
that, and Lion, which PyTorch has not, are written down here. Penalties are added to the loss, c/2·|w|² and c·|w|₁, on the
kernels; then clip_grad_value_, then clip_grad_norm_, then the optimizer, whose weight decay comes last.
"""

import numpy as np
import torch
from oracle import draw, leaf, write
from torch.nn.utils import clip_grad_norm_, clip_grad_value_
from torch.optim import SGD, Adadelta, Adagrad, Adam, AdamW, RAdam, RMSprop

STEPS, BATCH = 10, 6
SHAPES = {"dense_1/kernel": (3, 5), "dense_1/bias": (5,), "dense_2/kernel": (5, 3), "dense_2/bias": (3,)}
initial = {key: draw(*shape, scale=0.5) for key, shape in SHAPES.items()}
x = draw(STEPS, BATCH, 3)
y = torch.randint(0, 3, (STEPS, BATCH))

# downhill's factory and options, PyTorch's class and options where they are called otherwise
SGD_MOMENTUM = {"learningRate": 0.1, "momentum": 0.9}
NAMES = {
    "learningRate": "lr",
    "weightDecay": "weight_decay",
    "initialAccumulatorValue": "initial_accumulator_value",
    "rho": "alpha",
    "epsilon": "eps",
    "momentumDecay": "momentum_decay",
}


class Own:
    """An optimizer in numpy: `update(w, g, t, slots)` returns what w becomes."""

    def __init__(self, parameters, **options):
        self.parameters = [(p, {"m": 0.0, "v": 0.0, "product": 1.0}) for p in parameters]
        self.options = {**self.defaults, **options}
        self.t = 0

    def zero_grad(self):
        for p, _ in self.parameters:
            p.grad = None

    def step(self):
        self.t += 1
        for p, slots in self.parameters:
            w = self.update(p.detach().numpy(), p.grad.numpy(), self.t, slots, **self.options)
            p.data = torch.from_numpy(w)


class NAdam(Own):
    """Of PyTorch 2's page on NAdam."""

    defaults = {"lr": 2e-3, "betas": (0.9, 0.999), "eps": 1e-8, "weight_decay": 0, "momentum_decay": 4e-3}

    def update(self, w, g, t, s, lr, betas, eps, weight_decay, momentum_decay):
        beta1, beta2 = betas
        g = g + weight_decay * w
        mu, mu_next = (beta1 * (1 - 0.5 * 0.96 ** (k * momentum_decay)) for k in (t, t + 1))
        s["product"] *= mu
        s["m"] = beta1 * s["m"] + (1 - beta1) * g
        s["v"] = beta2 * s["v"] + (1 - beta2) * g**2
        m = mu_next * s["m"] / (1 - s["product"] * mu_next) + (1 - mu) * g / (1 - s["product"])
        return w - lr * m / (np.sqrt(s["v"] / (1 - beta2**t)) + eps)


class Lion(Own):
    """Chen et al. 2023, Algorithm 2."""

    defaults = {"lr": 1e-4, "betas": (0.9, 0.99), "weight_decay": 0}

    def update(self, w, g, t, s, lr, betas, weight_decay):
        c = betas[0] * s["m"] + (1 - betas[0]) * g
        s["m"] = betas[1] * s["m"] + (1 - betas[1]) * g
        return w - lr * (np.sign(c) + weight_decay * w)


CLASSES = {
    "sgd": SGD,
    "adagrad": Adagrad,
    "rmsprop": RMSprop,
    "adam": Adam,
    "adamw": AdamW,
    "adadelta": Adadelta,
    "nadam": NAdam,
    "radam": RAdam,
    "lion": Lion,
}
BETAS = {"adam": (0.9, 0.999), "adamw": (0.9, 0.999), "nadam": (0.9, 0.999), "radam": (0.9, 0.999), "lion": (0.9, 0.99)}

CONFIGURATIONS = [
    ("sgd", {}),
    ("sgd", {"learningRate": 0.1}),
    ("sgd", {"learningRate": 0.1, "weightDecay": 0.05}),
    ("sgd", SGD_MOMENTUM),
    ("sgd", {**SGD_MOMENTUM, "dampening": 0.3}),
    ("sgd", {**SGD_MOMENTUM, "nesterov": True}),
    ("sgd", {**SGD_MOMENTUM, "weightDecay": 0.05}),
    ("sgd", {**SGD_MOMENTUM, "nesterov": True, "weightDecay": 0.05}),
    ("adagrad", {}),
    ("adagrad", {"learningRate": 0.1, "initialAccumulatorValue": 0.1, "weightDecay": 0.05}),
    ("adagrad", {"learningRate": 0.05, "epsilon": 0.01}),
    ("rmsprop", {}),
    ("rmsprop", {"rho": 0.9, "epsilon": 1e-3, "weightDecay": 0.05}),
    ("rmsprop", {"rho": 0.9999}),
    ("rmsprop", {"centered": True}),
    ("rmsprop", {"momentum": 0.9, "learningRate": 0.002}),
    ("rmsprop", {"centered": True, "momentum": 0.5, "rho": 0.8}),
    ("adam", {}),
    ("adam", {"learningRate": 0.05, "beta1": 0.8, "beta2": 0.95, "epsilon": 1e-4}),
    ("adam", {"learningRate": 0.05, "weightDecay": 0.05}),
    ("adam", {"learningRate": 0.05, "amsgrad": True, "beta2": 0.5}),
    ("adam", {"learningRate": 0.05, "amsgrad": True, "beta2": 0.5, "weightDecay": 0.05}),
    ("adamw", {}),
    ("adamw", {"learningRate": 0.05, "weightDecay": 0.2}),
    ("adamw", {"learningRate": 0.05, "weightDecay": 0.2, "amsgrad": True, "beta2": 0.5}),
    ("adadelta", {}),
    ("adadelta", {"learningRate": 5, "rho": 0.7, "epsilon": 1e-3, "weightDecay": 0.05}),
    ("nadam", {}),
    ("nadam", {"learningRate": 0.05, "beta1": 0.8, "beta2": 0.95, "epsilon": 1e-4, "weightDecay": 0.05}),
    ("nadam", {"learningRate": 0.05, "momentumDecay": 0.5}),
    ("radam", {}),
    ("radam", {"learningRate": 0.05, "beta1": 0.8, "beta2": 0.95, "epsilon": 1e-4, "weightDecay": 0.05}),
    ("radam", {"learningRate": 0.05, "beta2": 0.5}),
    ("lion", {}),
    ("lion", {"learningRate": 0.02, "beta1": 0.7, "beta2": 0.95, "weightDecay": 0.2}),
]
CLIPPED = [
    ("sgd", SGD_MOMENTUM),
    ("sgd", {**SGD_MOMENTUM, "weightDecay": 0.05}),
    ("adagrad", {"learningRate": 0.1}),
    ("rmsprop", {"weightDecay": 0.05}),
    ("adam", {"learningRate": 0.05, "weightDecay": 0.05, "amsgrad": True}),
    ("adamw", {"learningRate": 0.05, "weightDecay": 0.2}),
]
FURTHER = [
    ("adadelta", {"weightDecay": 0.05}),
    ("nadam", {"learningRate": 0.05, "weightDecay": 0.05}),
    ("radam", {"learningRate": 0.05, "weightDecay": 0.05}),
    ("lion", {"learningRate": 0.02, "weightDecay": 0.2}),
]
EXTRAS = [
    {"clipNorm": 0.3},
    {"clipNorm": 100},
    {"clipValue": 0.05},
    {"clipValue": 0.05, "clipNorm": 0.1},
    {"l2": 0.1},
    {"l1": 0.03},
    {"l1": 0.02, "l2": 0.1, "clipValue": 0.06, "clipNorm": 0.2},
]


def run(optimizer, options, clipNorm=None, clipValue=None, l1=0, l2=0):
    w = {key: leaf(t) for key, t in initial.items()}
    one, two = BETAS.get(optimizer, (0, 0))
    betas = {"betas": (options.get("beta1", one), options.get("beta2", two))} if optimizer in BETAS else {}
    names = {**NAMES, "rho": "rho"} if optimizer == "adadelta" else NAMES
    translated = {names.get(k, k): v for k, v in options.items() if not k.startswith("beta")}
    default_rate = {"lr": 0.01} if optimizer == "sgd" else {}
    optimize = CLASSES[optimizer](w.values(), **{**default_rate, **translated, **betas})
    losses, weights = [], []
    for step in range(STEPS):
        h = torch.tanh(x[step] @ w["dense_1/kernel"] + w["dense_1/bias"])
        logits = h @ w["dense_2/kernel"] + w["dense_2/bias"]
        loss = torch.nn.functional.cross_entropy(logits, y[step])
        for key in ("dense_1/kernel", "dense_2/kernel"):
            loss = loss + l1 * w[key].abs().sum() + l2 / 2 * w[key].square().sum()
        optimize.zero_grad()
        loss.backward()
        if clipValue:
            clip_grad_value_(w.values(), clipValue)
        if clipNorm:
            clip_grad_norm_(w.values(), clipNorm)
        optimize.step()
        losses.append(loss.item())
        weights.append(torch.cat([t.detach().flatten() for t in w.values()]))
    return {"losses": losses, "weights": weights}


runs = [(o, options, {}) for o, options in CONFIGURATIONS]
runs += [(o, options, e) for o, options in CLIPPED for e in EXTRAS]
runs += [(o, options, e) for o, options in FURTHER for e in (EXTRAS[0], EXTRAS[-1])]
write(
    "optimizers",
    {
        "initial": initial,
        "x": x,
        "y": y,
        "runs": [{"optimizer": o, "options": c, "extras": e, **run(o, c, **e)} for o, c, e in runs],
    },
)
