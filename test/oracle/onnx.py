"""Writes ../formats/onnx/fixtures: ONNX files as torch.onnx.export writes them, and what PyTorch computes (outputs.json).

    /usr/bin/python3 test/oracle/onnx.py
"""

import json
import warnings
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import nn

warnings.filterwarnings("ignore")
FOLDER = Path(__file__).parent.parent / "formats" / "onnx" / "fixtures"
outputs = {}


def rounded(t):
    return [float(f"{v:.8g}") for v in t.detach().flatten().tolist()]


def case(name, module, *inputs, opset=16, dynamic=True, training=False, **more):
    """Two examples; `dynamic`: the file's batch is not fixed."""
    for m in module.modules():
        if isinstance(m, nn.modules.batchnorm._BatchNorm):
            m.running_mean.normal_(0, 0.5)
            m.running_var.uniform_(0.5, 2)
        if isinstance(m, (nn.modules.batchnorm._BatchNorm, nn.LayerNorm, nn.GroupNorm)):
            m.weight.data.uniform_(0.5, 1.5)
            m.bias.data.normal_(0, 0.5)
    module.eval()
    names = [f"x{i}" if i else "x" for i in range(len(inputs))]
    y = module(*inputs)
    given = inputs if dynamic else tuple(x[:1] for x in inputs)
    mode = torch.onnx.TrainingMode.PRESERVE if training else torch.onnx.TrainingMode.EVAL
    axes = {n: {0: "batch"} for n in [*names, "y"]} if dynamic else None
    path = FOLDER / f"{name}.onnx"
    torch.onnx.export(
        module, given, str(path), input_names=names, output_names=["y"], dynamic_axes=axes, opset_version=opset,
        training=mode, do_constant_folding=not training, **more,
    )
    values = {n: {"shape": list(x.shape), "data": rounded(x)} for n, x in zip(names, inputs)}
    outputs[name] = {"inputs": values, "y": {"shape": list(y.shape), "data": rounded(y)}, "bytes": path.stat().st_size}


class Mlp(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc1, self.fc2 = nn.Linear(12, 8), nn.Linear(8, 3)

    def forward(self, x):
        return torch.softmax(self.fc2(F.relu(self.fc1(x))), -1)


class Cnn(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(2, 4, 3, padding=1, bias=False), nn.BatchNorm2d(4)
        self.conv2, self.bn2 = nn.Conv2d(4, 6, 3, stride=2, padding=1), nn.BatchNorm2d(6)
        self.pool, self.drop, self.fc = nn.MaxPool2d(2), nn.Dropout(0.25), nn.Linear(6 * 2 * 3, 5)

    def forward(self, x):
        x = self.pool(F.relu(self.bn1(self.conv1(x))))
        x = F.leaky_relu(self.bn2(self.conv2(x)), 0.1)
        return self.fc(self.drop(torch.flatten(x, 1)))


class Block(nn.Module):
    def __init__(self, a, b, stride):
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(a, b, 3, stride, 1, bias=False), nn.BatchNorm2d(b)
        self.conv2, self.bn2 = nn.Conv2d(b, b, 3, 1, 1, bias=False), nn.BatchNorm2d(b)
        self.down = nn.Sequential(nn.Conv2d(a, b, 1, stride, bias=False), nn.BatchNorm2d(b)) if a != b else None

    def forward(self, x):
        y = self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x)))))
        return F.relu(y + (self.down(x) if self.down else x))


class ResNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.stem, self.bn = nn.Conv2d(3, 4, 5, 2, 2, bias=False), nn.BatchNorm2d(4)
        self.pool = nn.MaxPool2d(3, 2, 1)
        self.layer1, self.layer2 = Block(4, 4, 1), Block(4, 6, 2)
        self.fc = nn.Linear(6, 3)

    def forward(self, x):
        x = self.pool(F.relu(self.bn(self.stem(x))))
        x = F.adaptive_avg_pool2d(self.layer2(self.layer1(x)), 1)
        return self.fc(torch.flatten(x, 1))


class Separable(nn.Module):
    """MobileNet's blocks: ReLU6, depthwise 3×3, and a gate over channels."""

    def __init__(self):
        super().__init__()
        self.expand, self.depth = nn.Conv2d(3, 8, 1), nn.Conv2d(8, 16, 3, 2, 1, groups=8)
        self.squeeze, self.gate = nn.Conv2d(16, 4, 1), nn.Conv2d(4, 16, 1)
        self.project = nn.Conv2d(16, 5, 1)

    def forward(self, x):
        x = F.relu6(3 * self.expand(x))
        x = F.hardswish(self.depth(x))
        s = F.adaptive_avg_pool2d(x, 1)
        x = x * F.hardsigmoid(self.gate(F.relu(self.squeeze(s))))
        return self.project(x).mean([2, 3])


class Dense(nn.Module):
    """DenseNet's concatenation and an inception's branches."""

    def __init__(self):
        super().__init__()
        self.a, self.b = nn.Conv2d(2, 3, 3, padding=1), nn.Conv2d(2, 4, (1, 5), padding=(0, 2))
        self.c, self.fc = nn.Conv2d(9, 4, 3, dilation=2), nn.Linear(4 * 3 * 2, 2)

    def forward(self, x):
        y = torch.cat([F.elu(self.a(x)), torch.sigmoid(self.b(x)), x], 1)
        y = F.avg_pool2d(F.silu(self.c(y)), 3, stride=1, padding=1, count_include_pad=False)
        return self.fc(y.view(y.size(0), -1))


class Up(nn.Module):
    def __init__(self):
        super().__init__()
        self.down, self.up = nn.Conv2d(1, 4, 3, 2, 1), nn.ConvTranspose2d(4, 3, 4, 2, 1)
        self.odd, self.last = nn.ConvTranspose2d(3, 2, 3, 2, 1, output_padding=1), nn.Conv2d(2 + 3, 1, 1)

    def forward(self, x):
        x = F.softplus(self.up(torch.tanh(self.down(x))))
        y = F.avg_pool2d(self.odd(x), 2)
        z = F.interpolate(F.max_pool2d(x - 1, 2), scale_factor=2, mode="bilinear", align_corners=False)
        return F.interpolate(torch.selu(self.last(torch.cat([y, z], 1))), scale_factor=2)


class Mixer(nn.Module):
    """Transposes, layer norms, GELUs, an embedding of positions: of a transformer what is not attention."""

    def __init__(self):
        super().__init__()
        self.patch, self.position = nn.Conv2d(1, 6, 2, 2), nn.Parameter(torch.randn(1, 6, 6) * 0.1)
        self.norm1, self.norm2 = nn.LayerNorm(6), nn.LayerNorm(6)
        self.tokens, self.channels = nn.Linear(6, 5), nn.Linear(6, 7)
        self.back1, self.back2 = nn.Linear(5, 6), nn.Linear(7, 6, bias=False)
        self.head = nn.Linear(6, 3)

    def forward(self, x):
        x = self.patch(x).flatten(2).transpose(1, 2) + self.position
        x = x + self.back1(F.gelu(self.tokens(self.norm1(x).transpose(1, 2)))).transpose(1, 2)
        x = x + self.back2(F.gelu(self.channels(self.norm2(x)), approximate="tanh"))
        return F.softmax(self.head(x.mean(1)), 1)


class Words(nn.Module):
    def __init__(self):
        super().__init__()
        self.embedding, self.conv = nn.Embedding(11, 6), nn.Conv1d(6, 8, 3, padding=2)
        self.norm, self.act = nn.BatchNorm1d(8), nn.PReLU(8)
        self.conv2, self.fc = nn.Conv1d(8, 8, 3, 2, 1, groups=2), nn.Linear(8, 2)

    def forward(self, x):
        y = self.act(self.norm(self.conv(self.embedding(x).permute(0, 2, 1))))
        y = F.max_pool1d(self.conv2(y), 3, 2, 1)
        return self.fc(y.amax(2))


class Norms(nn.Module):
    def __init__(self):
        super().__init__()
        self.group, self.instance = nn.GroupNorm(2, 4), nn.InstanceNorm2d(4)
        self.mean, self.deviation = torch.randn(1, 4, 1, 1), torch.rand(1, 4, 1, 1) + 0.5

    def forward(self, x):
        x = (x / 255 - self.mean) / self.deviation
        return self.instance(F.relu(self.group(x))).permute(0, 2, 3, 1)


class Recurrent(nn.Module):
    """Two layers both ways, one one way; the last step, and the last state."""

    def __init__(self):
        super().__init__()
        self.lstm = nn.LSTM(3, 4, 2, batch_first=True, bidirectional=True)
        self.gru, self.rnn = nn.GRU(8, 3, batch_first=True), nn.RNN(8, 2, batch_first=True, nonlinearity="relu")
        self.fc = nn.Linear(8, 2)

    def forward(self, x):
        y, _ = self.lstm(x)
        z, h = self.gru(y)
        _, g = self.rnn(y)
        return self.fc(torch.cat([z[:, -1], h[-1], g[0]], 1))


class Shuffled(nn.Module):
    """ShuffleNet's split, branches and shuffle of channels."""

    def __init__(self):
        super().__init__()
        self.conv, self.last = nn.Conv2d(2, 2, 3, padding=1), nn.Conv2d(4, 3, 1)

    def forward(self, x):
        a, b = x.chunk(2, 1)
        y = torch.cat([a, F.relu(self.conv(b))], 1)
        n, c, h, w = y.shape
        y = y.view(n, 2, c // 2, h, w).transpose(1, 2).reshape(n, -1, h, w)
        return F.log_softmax(self.last(y)[:, :, 1:-1, ::1].flatten(1), 1)


class Twice(nn.Module):
    """A module that is called twice, and two inputs."""

    def __init__(self):
        super().__init__()
        self.one, self.head = nn.Linear(5, 4), nn.Linear(4, 2)

    def forward(self, x, x1):
        a, b = torch.tanh(self.one(x)), torch.tanh(self.one(x1))
        return self.head((a - b) * torch.maximum(a, b) + torch.abs(a) ** 2)


def main():
    FOLDER.mkdir(exist_ok=True)
    torch.manual_seed(0)
    n = torch.randn
    case("mlp", Mlp(), n(2, 12))
    case("mlpOpset9", Mlp(), n(2, 12), opset=9)
    case("cnn", Cnn(), n(2, 2, 8, 10))
    case("cnnTraining", Cnn(), n(2, 2, 8, 10), training=True, opset=13)
    case("cnnFixed", Cnn(), n(2, 2, 8, 10), dynamic=False, opset=11)
    case("resnet", ResNet(), n(2, 3, 18, 16))
    case("separable", Separable(), n(2, 3, 7, 6), opset=14)
    case("concat", Dense(), n(2, 2, 7, 6))
    case("up", Up(), n(2, 1, 8, 6), opset=13)
    case("mixer", Mixer(), n(2, 1, 4, 6), opset=12)
    case("words", Words(), torch.randint(0, 11, (2, 7)))
    case("norms", Norms(), torch.rand(2, 4, 4, 3) * 255)
    case("recurrent", Recurrent(), n(2, 5, 3), opset=14)
    case("shuffled", Shuffled(), n(2, 4, 4, 3))
    case("twice", Twice(), n(2, 5), n(2, 5), opset=15)
    (FOLDER / "outputs.json").write_text(json.dumps(outputs, separators=(",", ":")) + "\n")
    print({k: v["bytes"] for k, v in outputs.items()})


if __name__ == "__main__":
    main()
