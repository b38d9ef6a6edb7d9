"""fixtures/layers.json: outputs and gradients of layers and stacks of them, mean squared error behind them.

A case's layers are downhill's factory calls; the same stack is put together here in PyTorch. torch.nn.BatchNorm1d differs in two
definitions: its momentum weighs the new value, and its running variance averages the unbiased variance. downhill's are
Keras's, so moving statistics are written out here.
"""

import torch
import torch.nn.functional as F
from oracle import draw, leaf, write

ACTIVATIONS = {
    "linear": lambda x: x,
    "relu": F.relu,
    "leakyRelu": lambda x, negativeSlope=0.01: F.leaky_relu(x, negativeSlope),
    "elu": lambda x, alpha=1.0: F.elu(x, alpha),
    "selu": F.selu,
    "gelu": lambda x, approximate=False: F.gelu(x, approximate="tanh" if approximate else "none"),
    "silu": F.silu,
    "sigmoid": torch.sigmoid,
    "tanh": torch.tanh,
    "softplus": F.softplus,
    "softmax": lambda x: F.softmax(x, -1),
}


def batch_norm(x, w, prefix, statistics, training, epsilon=1e-5, momentum=0.9):
    rows = x.reshape(-1, x.shape[-1])
    gamma, beta = w[prefix + "gamma"], w[prefix + "beta"]
    moving = [w[prefix + "movingMean"], w[prefix + "movingVariance"]]
    if training:
        batch = [rows.mean(0).detach(), rows.var(0, unbiased=False).detach()]
        for key, old, new in zip(("movingMean", "movingVariance"), moving, batch):
            statistics[prefix + key] = momentum * old + (1 - momentum) * new
    return F.batch_norm(rows, *moving, gamma, beta, training, 0.0, epsilon).reshape(x.shape)


def epsilon(options):
    return {"eps": options["epsilon"]} if "epsilon" in options else {}


def forward(x, calls, w, statistics, training):
    counts = {}
    for name, *args in calls:
        counts[name] = counts.get(name, 0) + 1
        prefix = f"{name}_{counts[name]}/"
        options = {k: v for k, v in (args[-1] if args and isinstance(args[-1], dict) else {}).items() if k != "inputShape"}
        if name == "dense":
            x = x @ w[prefix + "kernel"]
            if prefix + "bias" in w:
                x = x + w[prefix + "bias"]
            x = ACTIVATIONS[options.get("activation", "linear")](x)
        elif name == "batchNorm":
            x = batch_norm(x, w, prefix, statistics, training, **options)
        elif name == "layerNorm":
            x = F.layer_norm(x, x.shape[-1:], w[prefix + "gamma"], w[prefix + "beta"], **epsilon(options))
        elif name == "groupNorm":
            gamma, beta = w[prefix + "gamma"], w[prefix + "beta"]
            x = F.group_norm(x.movedim(-1, 1), args[0], gamma, beta, **epsilon(options)).movedim(1, -1)
        elif name == "prelu":
            x = torch.where(x > 0, x, w[prefix + "alpha"] * x)
        elif name == "flatten":
            x = x.flatten(1)
        elif name == "rescaling":
            x = options.get("scale", 1) * x + options.get("offset", 0)
        elif name == "activation":
            x = ACTIVATIONS[args[0]](x)
        else:
            x = ACTIVATIONS[name](x, **options)
    return x


def case(x, calls, weights={}, absolute=0):
    """`absolute`: what float32 must be allowed beside the usual."""
    calls = [list(c) for c in calls]
    if not isinstance(calls[0][-1], dict):
        calls[0].append({})
    calls[0][-1] = {**calls[0][-1], "inputShape": list(x.shape[1:])}
    statistic = lambda key: "/moving" in key
    w = {key: t if statistic(key) else leaf(t) for key, t in weights.items()}
    parameters = {key: t for key, t in w.items() if not statistic(key)}
    moved, vx = {}, leaf(x)
    y = forward(vx, calls, w, moved, True)
    y_inference = forward(x, calls, w, {}, False).detach()
    target = draw(*y.shape)

    def gradients(training):
        vx = leaf(x)
        loss = F.mse_loss(forward(vx, calls, w, {}, training), target)
        found = torch.autograd.grad(loss, [vx, *parameters.values()])
        return {"loss": loss, "dx": found[0], "gradients": dict(zip(parameters, found[1:]))}

    return {
        "layers": calls,
        "x": x,
        "weights": weights,
        "target": target,
        "training": {"y": y.detach(), **gradients(True)},
        "inference": {"y": y_inference, **gradients(False)},
        "moved": moved,
        "absolute": absolute,
    }


def dense_weights(number, n, m, scale=0.6):
    return {f"dense_{number}/kernel": draw(n, m, scale=scale), f"dense_{number}/bias": draw(m)}


def norm_weights(c, number=1):
    p = f"batchNorm_{number}/"
    positive = lambda: torch.round((torch.rand(c) + 0.5) * 32) / 32
    return {p + "gamma": positive(), p + "beta": draw(c), p + "movingMean": draw(c), p + "movingVariance": positive()}


cases = []
cases.append(case(draw(1, 5), [["dense", 3]], dense_weights(1, 5, 3)))
cases.append(case(draw(7, 5), [["dense", 3]], dense_weights(1, 5, 3)))
cases.append(case(draw(7, 5), [["dense", 3, {"useBias": False}]], {"dense_1/kernel": draw(5, 3)}))
cases.append(case(draw(3, 5, 4), [["dense", 9]], dense_weights(1, 4, 9)))
cases.append(case(draw(2, 3, 2, 4), [["dense", 5, {"activation": "relu"}]], dense_weights(1, 4, 5)))
cases.append(case(draw(17, 33), [["dense", 13], ["dense", 1]], dense_weights(1, 33, 13, 0.2) | dense_weights(2, 13, 1)))
for name in ACTIVATIONS:
    cases.append(case(draw(5, 3), [["dense", 7, {"activation": name}]], dense_weights(1, 3, 7)))

# activations alone, from far below to far above 0
edges = [0.0, 2**-20, 0.01, 0.25, 0.5, 1, 1.5, 2, 3, 4.5, 6, 8, 12, 16.5, 20, 30, 60, 87, 89, 104, 300, 1000]
values = torch.tensor([[-v for v in edges], edges])
calls = [[name] for name in ACTIVATIONS if name != "linear"]
calls += [["activation", "silu"], ["leakyRelu", {"negativeSlope": 0.25}], ["elu", {"alpha": 0.5}], ["gelu", {"approximate": True}]]
for call in calls:
    cases.append(case(values, [call]))
cases.append(case(draw(4, 3, 5, scale=3), [["softmax"]]))
cases.append(case(torch.full((2, 3), 1000.0), [["softmax"]]))
alpha = torch.arange(len(edges)) / 16 - 0.25
cases.append(case(values, [["prelu"]], {"prelu_1/alpha": alpha}))
cases.append(case(draw(4, 3, 5), [["prelu"]], {"prelu_1/alpha": draw(5)}))

cases.append(case(draw(9, 5, scale=2, offset=1), [["batchNorm"]], norm_weights(5)))
cases.append(case(draw(4, 3, 7, scale=2, offset=-1), [["batchNorm", {"momentum": 0.6, "epsilon": 0.1}]], norm_weights(7)))
cases.append(case(draw(3, 2, 5, 3), [["batchNorm"]], norm_weights(3)))
far = torch.round(draw(6, 4, scale=4)) / 8 + 1000
cases.append(case(far, [["batchNorm"]], norm_weights(4), absolute=2e-4))  # the mean itself is rounded by 3e-5
cases.append(case(draw(2, 3), [["batchNorm", {"momentum": 0}]], norm_weights(3)))
stack = [["dense", 7, {"useBias": False}], ["batchNorm"], ["relu"], ["dense", 3]]
cases.append(case(draw(11, 5), stack, {"dense_1/kernel": draw(5, 7)} | norm_weights(7) | dense_weights(2, 7, 3)))
stack = [["rescaling", {"scale": 0.5, "offset": -1}], ["flatten"], ["dense", 5, {"activation": "gelu"}], ["batchNorm"], ["prelu"]]
weights = dense_weights(1, 6, 5) | norm_weights(5) | {"prelu_1/alpha": draw(5)}
cases.append(case(draw(9, 3, 2), stack, weights))
stack = [["batchNorm"], ["relu"], ["dense", 3], ["batchNorm"], ["dense", 2, {"activation": "sigmoid"}]]
weights = norm_weights(4) | dense_weights(1, 4, 3) | norm_weights(3, 2) | dense_weights(2, 3, 2)
cases.append(case(draw(10, 4), stack, weights))

# normalization by example
def scales(c, layer):
    return {f"{layer}_1/gamma": torch.round((torch.rand(c) + 0.5) * 32) / 32, f"{layer}_1/beta": draw(c)}


cases.append(case(draw(5, 7, scale=2, offset=1), [["layerNorm"]], scales(7, "layerNorm")))
cases.append(case(draw(3, 2, 5, scale=2, offset=-1), [["layerNorm", {"epsilon": 0.1}]], scales(5, "layerNorm")))
cases.append(case(draw(4, 6), [["groupNorm", 2]], scales(6, "groupNorm")))
cases.append(case(draw(3, 2, 5, 6, scale=2, offset=1), [["groupNorm", 3, {"epsilon": 0.01}]], scales(6, "groupNorm")))
cases.append(case(draw(2, 4, 3, 3), [["groupNorm", 1]], scales(3, "groupNorm")))
cases.append(case(draw(2, 3, 3, 4), [["groupNorm", 4]], scales(4, "groupNorm")))
stack = [["dense", 6], ["layerNorm"], ["gelu"], ["dense", 4], ["groupNorm", 2], ["relu"]]
weights = dense_weights(1, 5, 6) | scales(6, "layerNorm") | dense_weights(2, 6, 4) | scales(4, "groupNorm")
cases.append(case(draw(9, 5), stack, weights))
write("layers", {"cases": cases})
