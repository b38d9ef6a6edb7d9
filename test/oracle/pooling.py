"""fixtures/pooling.json: outputs and gradients of pooling and the like, mean squared error behind them.

Everything is in downhill's layout, [n, h, w, c]; TensorFlow's `same` is written out: what it adds round the image is −∞ to
max pooling, and does not count in means.
"""

import torch
import torch.nn.functional as F
from oracle import draw, leaf, write
from windows import pads, pair


def windows(x, size, options, fill):
    """x padded by `fill`, channels second, and the strides."""
    strides = options.get("strides", size)
    top, bottom, left, right = pads(x.shape[1:3], pair(size), {**options, "strides": strides})
    return F.pad(x.permute(0, 3, 1, 2), (left, right, top, bottom), value=fill), pair(strides)


def maxPool2d(x, size, **options):
    padded, strides = windows(x, size, options, float("-inf"))
    return F.max_pool2d(padded, size, strides).permute(0, 2, 3, 1)


def averagePool2d(x, size, **options):
    padded, strides = windows(x, size, options, 0.0)
    counted, _ = windows(torch.ones_like(x), size, options, 0.0)
    return (F.avg_pool2d(padded, size, strides) / F.avg_pool2d(counted, size, strides)).permute(0, 2, 3, 1)


def globalAveragePool2d(x):
    return x.mean((1, 2))


def globalMaxPool2d(x):
    return F.max_pool2d(x.permute(0, 3, 1, 2), x.shape[1:3])[:, :, 0, 0]


def upSampling2d(x, size, interpolation="nearest"):
    mode = {} if interpolation == "nearest" else {"align_corners": False}
    scaled = F.interpolate(x.permute(0, 3, 1, 2), scale_factor=pair(size), mode=interpolation, **mode)
    return scaled.permute(0, 2, 3, 1)


def zeroPadding2d(x, padding):
    (top, bottom), (left, right) = (pair(side) for side in pair(padding))
    return F.pad(x, (0, 0, left, right, top, bottom))


def relu(x):
    return F.relu(x)



def case(x, *calls):
    """Layers one behind the other, a 1×1 convolution among them at most once."""
    x, weights = draw(*x), {}
    y = vx = leaf(x)
    for name, *args in calls:
        options = args.pop() if args and isinstance(args[-1], dict) else {}
        if name == "conv2d":
            kernel, b = draw(1, 1, x.shape[3], args[0], scale=0.7), draw(args[0])
            weights = {"conv2d_1/kernel": leaf(kernel), "conv2d_1/bias": leaf(b)}
            y = y @ weights["conv2d_1/kernel"][0, 0] + weights["conv2d_1/bias"]
            if options.get("activation") == "relu":
                y = F.relu(y)
        else:
            y = globals()[name](y, *args, **options)
    target = draw(*y.shape)
    loss = F.mse_loss(y, target)
    found = torch.autograd.grad(loss, [vx, *weights.values()])
    return {
        "layers": calls,
        "x": x,
        "weights": {k: v.detach() for k, v in weights.items()},
        "target": target,
        "y": y.detach(),
        "dx": found[0],
        "gradients": dict(zip(weights, found[1:])),
    }


same = {"padding": "same"}
cases = [
    case((2, 4, 6, 3), ("maxPool2d", 2)),
    case((1, 5, 7, 8), ("maxPool2d", 2)),
    case((1, 5, 7, 3), ("maxPool2d", 2, same)),
    case((1, 7, 8, 2), ("maxPool2d", 3, {"strides": 2})),
    case((1, 6, 5, 2), ("maxPool2d", [3, 2], {"strides": [1, 2], **same})),
    case((2, 6, 6, 2), ("relu",), ("maxPool2d", 3, {"strides": 1, **same})),
    case((2, 6, 4, 3), ("relu",), ("maxPool2d", 2)),
    case((2, 4, 4, 2), ("conv2d", 8, 1, {"activation": "relu"}), ("maxPool2d", 2)),
    case((1, 7, 7, 2), ("conv2d", 5, 1), ("relu",), ("maxPool2d", 3, {"strides": 2})),
    case((2, 5, 4, 2), ("conv2d", 3, 1, {"activation": "relu"}), ("globalMaxPool2d",)),
    case((2, 4, 6, 3), ("averagePool2d", 2)),
    case((1, 5, 7, 2), ("averagePool2d", 2, same)),
    case((1, 7, 6, 2), ("averagePool2d", 3, {"strides": 2, **same})),
    case((1, 6, 5, 2), ("averagePool2d", [3, 2], {"strides": 1, **same})),
    case((3, 4, 5, 3), ("globalAveragePool2d",)),
    case((3, 4, 5, 3), ("globalMaxPool2d",)),
    case((2, 3, 2, 3), ("upSampling2d", 2)),
    case((1, 2, 3, 2), ("upSampling2d", [3, 1])),
    case((2, 3, 2, 2), ("upSampling2d", 2, {"interpolation": "bilinear"})),
    case((1, 2, 3, 3), ("upSampling2d", [3, 4], {"interpolation": "bilinear"})),
    case((2, 2, 3, 2), ("zeroPadding2d", 1)),
    case((1, 2, 3, 2), ("zeroPadding2d", [2, 0])),
    case((1, 2, 3, 2), ("zeroPadding2d", [[1, 0], [2, 3]])),
]
write("pooling", {"cases": cases}, 6)
