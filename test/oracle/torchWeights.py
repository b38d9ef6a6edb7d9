"""test/formats/torch/*: small nets of PyTorch, as .safetensors files of their state_dict, with inputs and outputs (.json).

Run by hand: /usr/bin/python3 test/oracle/torchWeights.py. The package `safetensors` is not needed: the format's few lines are
written here (tensors in the order of their names, as `save_file` has them). Inputs and outputs are in downhill's layout, images
[n, h, w, c]. test/formats/weights.test.ts has the same nets of downhill's layers.

With a file's name and a net's, `torchWeights.py check FILE NET`, it loads what saveWeights wrote into that net, by load_state_dict, and compares
outputs with those in the .json.
"""

import json
import struct
import sys
from pathlib import Path

import torch
from torch import nn

OUT = Path(__file__).parent.parent / "formats" / "torch"
DTYPES = {torch.float32: "F32", torch.float16: "F16", torch.bfloat16: "BF16", torch.float64: "F64", torch.int64: "I64"}


def save(tensors, path):
    header, parts, at = {}, [], 0
    for name in sorted(tensors):
        t = tensors[name].detach().contiguous()
        data = t.view(torch.int16).numpy().tobytes() if t.dtype == torch.bfloat16 else t.numpy().tobytes()
        header[name] = {"dtype": DTYPES[t.dtype], "shape": list(t.shape), "data_offsets": [at, at + len(data)]}
        at += len(data)
        parts.append(data)
    text = json.dumps({"__metadata__": {"format": "pt"}, **header}).encode()
    text += b" " * (-len(text) % 8)
    path.write_bytes(struct.pack("<Q", len(text)) + text + b"".join(parts))


def load(path):
    data = Path(path).read_bytes()
    (size,) = struct.unpack("<Q", data[:8])
    header = json.loads(data[8 : 8 + size])
    header.pop("__metadata__", None)
    body = data[8 + size :]
    return {
        k: torch.frombuffer(bytearray(body[slice(*v["data_offsets"])]), dtype=torch.float32).reshape(v["shape"])
        for k, v in header.items()
    }


class Cnn(nn.Module):
    """Every layer with a kernel over images, and those behind a flattened one whose features are in PyTorch's order."""

    def __init__(self):
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(2, 4, 3, padding=1),
            nn.BatchNorm2d(4),
            nn.ReLU(),
            nn.Conv2d(4, 8, (3, 2), groups=2, bias=False),
            nn.PReLU(8),
            nn.MaxPool2d(2),
            nn.Conv2d(8, 16, 3, groups=8, padding=1),
            nn.GroupNorm(4, 16),
            nn.ConvTranspose2d(16, 3, 3, stride=2),
            nn.PReLU(),
        )
        self.classifier = nn.Sequential(nn.Flatten(), nn.BatchNorm1d(147), nn.ReLU(), nn.Dropout(), nn.Linear(147, 5))

    def forward(self, x):
        return self.classifier(self.features(x.permute(0, 3, 1, 2)))


class Recurrent(nn.Module):
    """An embedding, a stack of two LSTMs, a plain RNN."""

    def __init__(self):
        super().__init__()
        self.table = nn.Embedding(11, 5)
        self.lstm = nn.LSTM(5, 6, num_layers=2, batch_first=True)
        self.rnn = nn.RNN(6, 4, batch_first=True)
        self.head = nn.Linear(4, 3)

    def forward(self, x):
        y, _ = self.rnn(self.lstm(self.table(x.long()))[0])
        return self.head(y[:, -1])


class Gru(nn.Module):
    """Both directions, every step and then the last states."""

    def __init__(self):
        super().__init__()
        self.first = nn.GRU(3, 5, batch_first=True, bidirectional=True)
        self.second = nn.GRU(10, 4, batch_first=True, bidirectional=True)
        self.third = nn.Linear(8, 2)

    def forward(self, x):
        y, _ = self.second(self.first(x)[0])
        return self.third(torch.cat([y[:, -1, :4], y[:, 0, 4:]], 1))


class Attention(nn.Module):
    def __init__(self):
        super().__init__()
        self.norm = nn.LayerNorm(8)
        self.attention = nn.MultiheadAttention(8, 2, batch_first=True)
        self.head = nn.Linear(8, 3)

    def forward(self, x):
        h = self.norm(x)
        return self.head(x + self.attention(h, h, h, need_weights=False)[0])


class Convolved(nn.Module):
    """A sequence, channels first to PyTorch, flattened."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv1d(3, 4, 3)
        self.out = nn.Linear(24, 2)

    def forward(self, x):
        return self.out(torch.tanh(self.conv(x.transpose(1, 2))).flatten(1))


def mlp():
    return nn.Sequential(nn.Linear(6, 8), nn.Tanh(), nn.Linear(8, 8), nn.Tanh(), nn.Linear(8, 8), nn.LayerNorm(8), nn.Linear(8, 3))


def deep():
    """More than ten modules, of which nine are alike: their numbers are not in the order of their names."""
    return nn.Sequential(*[m for _ in range(12) for m in (nn.Linear(4, 4), nn.Tanh())])


NETS = {
    "mlp": (mlp, (4, 6)),
    "deep": (deep, (3, 4)),
    "cnn": (Cnn, (3, 8, 7, 2)),
    "recurrent": (Recurrent, (4, 7)),
    "gru": (Gru, (4, 6, 3)),
    "attention": (Attention, (3, 5, 8)),
    "convolved": (Convolved, (3, 8, 3)),
}


def round9(t):
    return [float(f"{v:.9g}") for v in t.flatten().tolist()]


def write(name):
    torch.manual_seed(7)
    make, shape = NETS[name]
    net = make()
    x = torch.randint(0, 11, shape).float() if name == "recurrent" else torch.randn(*shape)
    with torch.no_grad():
        for module in net.modules():
            if isinstance(module, (nn.BatchNorm1d, nn.BatchNorm2d, nn.GroupNorm, nn.LayerNorm)):
                module.weight.uniform_(0.5, 1.5)
                module.bias.normal_()
        net.train()
        for _ in range(3):
            net(x)  # moves statistics
        net.eval()
        y = net(x)
    OUT.mkdir(exist_ok=True)
    save(net.state_dict(), OUT / f"{name}.safetensors")
    values = {"x": {"shape": list(x.shape), "data": round9(x)}, "y": {"shape": list(y.shape), "data": round9(y)}}
    if name == "mlp":
        for dtype in (torch.float16, torch.bfloat16, torch.float64):
            kind = DTYPES[dtype].lower()
            rounded = {k: v.to(dtype) for k, v in net.state_dict().items()}
            save(rounded, OUT / f"mlp.{kind}.safetensors")
            net.load_state_dict({k: v.float() for k, v in rounded.items()})
            with torch.no_grad():
                values[kind] = round9(net(x))
    (OUT / f"{name}.json").write_text(json.dumps(values) + "\n")
    print(name, list(net.state_dict()), list(y.shape))


def check(path, name):
    net = NETS[name][0]()
    if name == "cnn":
        net.features[9] = nn.PReLU(3)  # one alpha for all is one a channel in downhill, and in what it writes
    net.load_state_dict(load(path))
    net.eval()
    values = json.loads((OUT / f"{name}.json").read_text())
    x, y = (torch.tensor(values[k]["data"]).reshape(values[k]["shape"]) for k in "xy")
    with torch.no_grad():
        print(name, "largest difference", (net(x) - y).abs().max().item())


if sys.argv[1:2] == ["check"]:
    check(*sys.argv[2:])
else:
    for name in NETS:
        write(name)
