"""fixtures/convolution.json: outputs and gradients of convolutions, mean squared error behind them.

Everything is in downhill's layout: images [n, h, w, c], kernels [kh, kw, in/groups, out]; here they are brought into
PyTorch's and back. TensorFlow's `same` is written out as zeros round the image.
"""

import torch
import torch.nn.functional as F
from oracle import draw, leaf, write
from windows import pads, pair, same


def convolve(x, kernel, options, groups=1):
    top, bottom, left, right = pads(x.shape[1:3], kernel.shape[:2], options)
    y = F.conv2d(
        F.pad(x.permute(0, 3, 1, 2), (left, right, top, bottom)),
        kernel.permute(3, 2, 0, 1),
        stride=pair(options.get("strides", 1)),
        dilation=pair(options.get("dilationRate", 1)),
        groups=groups,
    )
    return y.permute(0, 2, 3, 1)


def conv2d(x, w, options):
    return convolve(x, w["kernel"], options, options.get("groups", 1))


def conv1d(x, w, options):
    options = {**options, **{k: (1, options[k]) for k in ("strides", "dilationRate") if k in options}}
    return convolve(x[:, None], w["kernel"][None], options, options.get("groups", 1))[:, 0]


def depthwise(x, kernel, options):
    kh, kw, c, m = kernel.shape
    return convolve(x, kernel.reshape(kh, kw, 1, c * m), options, c)


def depthwiseConv2d(x, w, options):
    return depthwise(x, w["kernel"], options)


def separableConv2d(x, w, options):
    return convolve(depthwise(x, w["depthwiseKernel"], options), w["pointwiseKernel"], {})


def conv2dTranspose(x, w, options):
    kernel = w["kernel"]
    s, d = pair(options.get("strides", 1)), pair(options.get("dilationRate", 1))
    full = F.conv_transpose2d(x.permute(0, 3, 1, 2), kernel.permute(3, 2, 0, 1), stride=s, dilation=d)
    sizes, first = [], []
    for i in (0, 1):
        reach = (kernel.shape[i] - 1) * d[i] + 1
        sizes.append(x.shape[i + 1] * s[i] + (0 if options.get("padding") == "same" else max(reach - s[i], 0)))
        first.append(same(sizes[i], kernel.shape[i], s[i], d[i])[0] if options.get("padding") == "same" else 0)
    more = [max(first[i] + sizes[i] - full.shape[i + 2], 0) for i in (0, 1)]
    full = F.pad(full, (0, more[1], 0, more[0]))
    y = full[:, :, first[0] : first[0] + sizes[0], first[1] : first[1] + sizes[1]]
    return y.permute(0, 2, 3, 1)


def case(layer, run, x, args, shapes, bias, **options):
    weights = {name: draw(*shape, scale=0.5) for name, shape in shapes.items()}
    if bias:
        weights["bias"] = draw(bias)
    else:
        options["useBias"] = False
    x = draw(*x)
    vx, vw = leaf(x), {k: leaf(v) for k, v in weights.items()}
    y = run(vx, vw, options)
    if bias:
        y = y + vw["bias"]
    if options.get("activation") == "relu":
        y = F.relu(y)
    target = draw(*y.shape)
    loss = F.mse_loss(y, target)
    found = torch.autograd.grad(loss, [vx, *vw.values()])
    return {
        "layer": [layer, *args, options],
        "x": x,
        "weights": weights,
        "target": target,
        "y": y.detach(),
        "loss": loss.detach(),
        "dx": found[0],
        "gradients": dict(zip(vw, found[1:])),
    }


cases = []
for x, filters, kernel, options in (
    ((2, 5, 4, 3), 4, 3, {}),
    ((2, 4, 5, 2), 3, 3, {"padding": "same", "activation": "relu"}),
    ((1, 6, 7, 3), 8, (3, 2), {"padding": "same", "strides": 2}),
    ((2, 5, 8, 1), 5, 3, {"padding": "same", "strides": (3, 2)}),
    ((1, 7, 6, 2), 3, (2, 3), {"dilationRate": 2}),
    ((1, 6, 5, 2), 2, 3, {"dilationRate": (2, 1), "padding": "same"}),
    ((1, 5, 5, 4), 6, 3, {"groups": 2, "padding": "same", "activation": "relu"}),
    ((2, 4, 4, 3), 6, 2, {"groups": 3, "strides": 2}),
    ((2, 3, 3, 5), 4, 1, {"activation": "relu"}),
    ((1, 5, 4, 3), 2, 1, {"strides": 2}),
    ((1, 2, 2, 1), 2, 5, {"padding": "same"}),
):
    groups = options.get("groups", 1)
    shapes = {"kernel": (*pair(kernel), x[3] // groups, filters)}
    cases.append(case("conv2d", conv2d, x, [filters, kernel], shapes, filters, **options))
cases.append(case("conv2d", conv2d, (1, 4, 4, 2), [3, 3], {"kernel": (3, 3, 2, 3)}, 0))
for x, filters, kernel, options in (
    ((2, 9, 3), 4, 3, {}),
    ((1, 10, 2), 3, 4, {"padding": "same", "strides": 3, "activation": "relu"}),
    ((2, 8, 4), 6, 3, {"padding": "same", "dilationRate": 2, "groups": 2}),
):
    shapes = {"kernel": (kernel, x[2] // options.get("groups", 1), filters)}
    cases.append(case("conv1d", conv1d, x, [filters, kernel], shapes, filters, **options))
for x, kernel, m, options in (
    ((2, 5, 4, 3), 3, 1, {}),
    ((1, 6, 5, 5), 3, 1, {"padding": "same", "strides": 2, "activation": "relu"}),
    ((2, 4, 5, 3), (2, 3), 2, {"padding": "same"}),
    ((1, 7, 6, 2), 3, 3, {"dilationRate": 2}),
    ((1, 4, 5, 1), 3, 2, {"padding": "same"}),
):
    more = {**options, **({"depthMultiplier": m} if m > 1 else {})}
    shapes = {"kernel": (*pair(kernel), x[3], m)}
    cases.append(case("depthwiseConv2d", depthwiseConv2d, x, [kernel], shapes, x[3] * m, **more))
for x, filters, m, options in (
    ((2, 5, 5, 3), 4, 1, {"padding": "same", "activation": "relu"}),
    ((1, 6, 7, 2), 3, 2, {"strides": 2}),
):
    more = {**options, **({"depthMultiplier": m} if m > 1 else {})}
    shapes = {"depthwiseKernel": (3, 3, x[3], m), "pointwiseKernel": (1, 1, x[3] * m, filters)}
    cases.append(case("separableConv2d", separableConv2d, x, [filters, 3], shapes, filters, **more))
for x, filters, kernel, options in (
    ((2, 3, 4, 3), 4, 3, {}),
    ((1, 3, 4, 2), 3, 3, {"strides": 2}),
    ((1, 4, 3, 2), 3, 3, {"strides": 2, "padding": "same", "activation": "relu"}),
    ((2, 3, 2, 3), 2, (2, 1), {"strides": 3}),
    ((1, 3, 3, 2), 2, 4, {"strides": (2, 3), "padding": "same"}),
    ((1, 3, 3, 1), 2, 2, {"dilationRate": 2}),
    ((2, 3, 3, 2), 3, 1, {}),
):
    shapes = {"kernel": (*pair(kernel), filters, x[3])}
    cases.append(case("conv2dTranspose", conv2dTranspose, x, [filters, kernel], shapes, filters, **options))
write("convolution", {"cases": cases}, 6)
