"""PyTorch as a competitor; protocol.js says what the modes and the printed line are.

python3 pytorch.py W2 time --folder build/peers [--threads 2]      python3 pytorch.py - blas: the speed of torch.mm, and whose it is

Layouts: our images are NHWC, which is PyTorch's channels_last; kernels are turned from [kh, kw, in, out] and [in, out]
when they are read. PyTorch's own choices are tried first, and the fastest is timed: channels_last or contiguous images,
optimizers over lists of tensors (foreach) or one by one.

Arithmetic that is ours: an LSTM's second bias is zero and stays so; L2 is the kernels' weight decay (its gradient is the
same, and what is compared is the loss without penalties); `same` padding is TensorFlow's, more on the right than on the left.
"""

import argparse
import json
import resource
import statistics
import struct
import sys
import time

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

CHECKED, CHECK_S, WARM_UP_S, TIME_S, SAMPLE_S, SAMPLES_LEAST, MEMORY_STEPS = 10, 2, 0.6, 0.8, 0.002, 3, 50
TRIAL_S = 0.25


def read(path):
    workload = json.load(open(path + ".json"))
    data = open(path + ".safetensors", "rb").read()
    (length,) = struct.unpack("<Q", data[:8])
    header = json.loads(data[8 : 8 + length])
    tensors = {}
    for name, entry in header.items():
        start, end = (8 + length + offset for offset in entry["data_offsets"])
        dtype = np.int32 if entry["dtype"] == "I32" else np.float32
        tensors[name] = np.frombuffer(data[start:end], dtype).reshape(entry["shape"]).copy()
    x, y = tensors.pop("x"), tensors.pop("y")
    if y.dtype == np.int32:
        y = y.astype(np.int64)  # what PyTorch takes: not its step's work
    return workload, list(zip(x, y)), tensors


class SameConv2d(nn.Module):
    """`same` as TensorFlow has it; padding of equal sides is left to the convolution."""

    def __init__(self, inputs, spec, size):
        super().__init__()
        k, s = spec["kernelSize"], spec["strides"]
        total = max(0, (-(-size // s) - 1) * s + k - size) if spec["padding"] == "same" else 0
        self.pad = (total // 2, total - total // 2) * 2 if total % 2 else None
        padding = 0 if self.pad else total // 2
        self.conv = nn.Conv2d(inputs, spec["filters"], k, s, padding, bias=spec["useBias"])

    def forward(self, x):
        return self.conv(F.pad(x, self.pad) if self.pad else x)


class LastStep(nn.Module):
    def __init__(self, inputs, units):
        super().__init__()
        self.lstm = nn.LSTM(inputs, units, batch_first=True)

    def forward(self, x):
        return self.lstm(x)[0][:, -1]


class GlobalAverage(nn.Module):
    def forward(self, x):
        return x.mean((2, 3))


def module(spec, weights):
    """The module of a layer, with its starting weights."""

    def take(parameter, *order):
        array = weights[spec["name"] + "/" + parameter]
        return nn.Parameter(torch.from_numpy(array.transpose(order) if order else array).contiguous().clone())

    kind, size = spec["type"], spec["input"]
    if kind == "dense":
        made = nn.Linear(size[-1], spec["units"])
        made.weight, made.bias = take("kernel", 1, 0), take("bias")
    elif kind == "conv2d":
        made = SameConv2d(size[-1], spec, size[0])
        made.conv.weight = take("kernel", 3, 2, 0, 1)
        if spec["useBias"]:
            made.conv.bias = take("bias")
    elif kind == "lstm":
        made = LastStep(size[-1], spec["units"])
        lstm = made.lstm
        lstm.weight_ih_l0, lstm.weight_hh_l0 = take("kernel", 1, 0), take("recurrentKernel", 1, 0)
        lstm.bias_ih_l0 = take("bias")
        lstm.bias_hh_l0 = nn.Parameter(torch.zeros_like(lstm.bias_ih_l0), requires_grad=False)
    elif kind == "batchNorm":
        made = (nn.BatchNorm2d if len(size) == 3 else nn.BatchNorm1d)(size[-1], eps=1e-5, momentum=0.1)
        made.weight, made.bias = take("gamma"), take("beta")
    else:
        made = {
            "relu": lambda: nn.ReLU(),
            "tanh": lambda: nn.Tanh(),
            "dropout": lambda: nn.Dropout(spec["rate"]),
            "maxPool2d": lambda: nn.MaxPool2d(spec["poolSize"]),
            "flatten": lambda: nn.Flatten(),
            "globalAveragePool2d": lambda: GlobalAverage(),
        }[kind]()
    return made


def reorder_flattened(layers, weights):
    """Rows of a dense kernel behind `flatten`: ours count (h, w, c), PyTorch's (c, h, w)."""
    for flat, dense in zip(layers, layers[1:]):
        if flat["type"] == "flatten" and len(flat["input"]) == 3:
            h, w, c = flat["input"]
            kernel = weights[dense["name"] + "/kernel"]
            rows = kernel.reshape(h, w, c, -1).transpose(2, 0, 1, 3)
            weights[dense["name"] + "/kernel"] = np.ascontiguousarray(rows).reshape(kernel.shape)


class Graph(nn.Module):
    """Layers that read others than the one before them."""

    def __init__(self, layers, weights):
        super().__init__()
        self.layers = layers
        self.parts = nn.ModuleList([nn.Identity() if s["type"] == "add" else module(s, weights) for s in layers])

    def forward(self, x):
        values = {"input": x}
        for spec, part in zip(self.layers, self.parts):
            inputs = [values[name] for name in spec["inputs"]]
            values[spec["name"]] = x = inputs[0] + inputs[1] if spec["type"] == "add" else part(inputs[0])
        return x


def is_chain(layers):
    names = ["input"] + [spec["name"] for spec in layers]
    return all(spec["inputs"] == [before] for spec, before in zip(layers, names))


class Peer:
    def __init__(self, workload, weights, channels_last, foreach):
        layers, weights = workload["layers"], dict(weights)
        reorder_flattened(layers, weights)
        self.images = len(workload["inputShape"]) == 3
        self.channels_last = channels_last
        self.variant = ("channels_last " if channels_last else "") + ("foreach" if foreach else "")
        chain = is_chain(layers)
        self.model = nn.Sequential(*[module(s, weights) for s in layers]) if chain else Graph(layers, weights)
        if channels_last:
            self.model = self.model.to(memory_format=torch.channels_last)
        if workload.get("inference"):
            self.model.eval()
        self.loss = F.cross_entropy if workload["loss"] == "softmaxCrossEntropy" else F.mse_loss
        self.optimizer = self.optimizer_of(workload, foreach)

    def optimizer_of(self, workload, foreach):
        settings = workload["optimizer"]
        decay = {spec["name"]: spec.get("l2", 0) for spec in workload["layers"]}
        parts = self.model.parts if isinstance(self.model, Graph) else self.model
        groups = []
        for l2 in sorted(set(decay.values())):
            of = [
                p
                for spec, part in zip(workload["layers"], parts)
                for name, p in part.named_parameters()
                if p.requires_grad and l2 == (decay[spec["name"]] if name == "weight" else 0)
            ]
            if of:
                groups.append({"params": of, "weight_decay": l2})
        if settings["type"] == "adam":
            return torch.optim.Adam(groups, lr=settings["learningRate"], eps=1e-8, foreach=foreach)
        return torch.optim.SGD(groups, lr=settings["learningRate"], momentum=settings["momentum"], foreach=foreach)

    def input(self, x):
        x = torch.from_numpy(x)
        if self.images:
            x = x.permute(0, 3, 1, 2)  # NHWC: channels_last as it lies
            if not self.channels_last:
                x = x.contiguous()
        return x

    def step(self, x, y):
        loss = self.loss(self.model(self.input(x)), torch.from_numpy(y))
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        self.optimizer.step()
        return loss.item()

    def predict(self, x):
        with torch.inference_mode():
            return self.model(self.input(x)).numpy()

    def logits_loss(self, x, y):
        return F.cross_entropy(torch.from_numpy(self.predict(x)), torch.from_numpy(y)).item()


def variants(workload):
    layouts = [True, False] if len(workload["inputShape"]) == 3 else [False]
    return [(layout, foreach) for layout in layouts for foreach in ([False] if workload.get("inference") else [False, True])]


def seconds(call, batches, least):
    """The median of single calls, over `least` seconds."""
    taken, start = [], time.perf_counter()
    while len(taken) < 3 or time.perf_counter() - start < least:
        x, y = batches[len(taken) % len(batches)]
        before = time.perf_counter()
        call(x, y)
        taken.append(time.perf_counter() - before)
    return statistics.median(taken)


def call_of(peer, workload):
    return (lambda x, y: peer.predict(x)) if workload.get("inference") else peer.step


def fastest(workload, weights, batches):
    """The variant whose best of three trials is shortest; trials take turns, so that a slow moment hits all."""
    tried = variants(workload)
    if len(tried) == 1:
        return tried[0]
    peers = [Peer(workload, weights, *variant) for variant in tried]
    best = [float("inf")] * len(tried)
    for _ in range(3):
        for i, peer in enumerate(peers):
            best[i] = min(best[i], seconds(call_of(peer, workload), batches, TRIAL_S / 3))
    return tried[best.index(min(best))]


def check(peer, workload, batches):
    losses, count, start = [], len(batches), time.perf_counter()
    call = peer.logits_loss if workload.get("inference") else peer.step
    while (
        len(losses) < CHECKED
        or len(losses) < 2 * count
        or (len(losses) < 100 * count and time.perf_counter() - start < CHECK_S)
    ):
        losses.append(call(*batches[len(losses) % count]))
    return {"losses": losses[:CHECKED], "first": sum(losses[:count]) / count, "last": sum(losses[-count:]) / count}


def timed(peer, workload, batches):
    call, at = call_of(peer, workload), 0

    def sample(steps):
        nonlocal at
        start = time.perf_counter()
        for _ in range(steps):
            call(*batches[at % len(batches)])
            at += 1
        return (time.perf_counter() - start) / steps

    start = time.perf_counter()
    while True:
        each = sample(1)
        if time.perf_counter() - start >= WARM_UP_S:
            break
    steps = max(1, int(np.ceil(SAMPLE_S / each)))
    samples, start = [], time.perf_counter()
    while len(samples) < SAMPLES_LEAST or time.perf_counter() - start < TIME_S:
        samples.append(sample(steps))
    return {"ms": statistics.median(samples) * 1e3, "samples": len(samples), "steps": at}


def blas():
    """GFLOP/s of torch.mm at 512³, and the library that it comes from."""
    a, b = torch.rand(512, 512), torch.rand(512, 512)
    each = min(seconds(lambda *_: torch.mm(a, b), [(None, None)], 0.05) for _ in range(20))
    paths = {line.split()[-1] for line in open("/proc/self/maps") if "blas" in line.lower() or "mkl" in line.lower()}
    return {"gflops": 2 * 512**3 / each / 1e9, "blas": sorted(p.rsplit("/", 1)[-1] for p in paths)}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("workload")
    parser.add_argument("mode")
    parser.add_argument("--folder", default="build/peers")
    parser.add_argument("--threads", type=int, default=1)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    versions = {"pytorch": torch.__version__, "python": sys.version.split()[0], "numpy": np.__version__}
    if args.mode == "blas":
        return {**blas(), "versions": versions}
    workload, batches, weights = read(f"{args.folder}/{args.workload}")
    torch.manual_seed(1)
    if args.mode == "check":
        for spec in workload["layers"]:
            if spec["type"] == "dropout":
                spec["rate"] = 0
    if args.mode in ("check", "train"):
        return {**check(Peer(workload, weights, *variants(workload)[0]), workload, batches), "versions": versions}
    variant = fastest(workload, weights, batches)
    peer = Peer(workload, weights, *variant)
    if args.mode == "memory":
        for i in range(MEMORY_STEPS):
            call_of(peer, workload)(*batches[i % len(batches)])
        return {"rss": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, "versions": versions}
    return {**timed(peer, workload, batches), "variant": peer.variant.strip(), "versions": versions}


try:
    line = main()
except Exception as error:  # what it cannot do is a cell of the table
    line = {"cannot": f"{type(error).__name__}: {error}".split("\n")[0]}
print(json.dumps(line))
