"""fixtures/recurrent.json: outputs and gradients of torch.nn.RNN, LSTM and GRU, mean squared error behind them.

Weights and gradients are PyTorch's, by its names: what they are called in downhill is recurrent.test.ts's to know.
"""

import torch
import torch.nn.functional as F
from oracle import draw, leaf, write

MODULES = {
    "simpleRnn": torch.nn.RNN,
    "lstm": torch.nn.LSTM,
    "gru": torch.nn.GRU,
}


def case(cell, steps, batch, inputs, units, bidirectional=False, sequences=False, layers=1, useBias=True, activation=None):
    options = {"nonlinearity": activation} if activation else {}
    module = MODULES[cell](inputs, units, layers, useBias, True, 0.0, bidirectional, **options)
    for p in module.parameters():
        p.data = draw(*p.shape, scale=0.5)
    x = draw(batch, steps, inputs)
    vx = leaf(x)
    y, state = module(vx)
    if not sequences:
        h = state[0] if cell == "lstm" else state
        y = torch.cat(list(h[-2 if bidirectional else -1 :]), -1)
    target = draw(*y.shape)
    loss = F.mse_loss(y, target)
    found = torch.autograd.grad(loss, [vx, *module.parameters()])
    names = [name for name, _ in module.named_parameters()]
    return {
        "cell": cell,
        "options": {"useBias": useBias, **({"activation": activation} if activation else {})},
        "units": units,
        "bidirectional": bidirectional,
        "sequences": sequences,
        "layers": layers,
        "x": x,
        "weights": {k: v.detach() for k, v in module.named_parameters()},
        "target": target,
        "y": y.detach(),
        "loss": loss.detach(),
        "dx": found[0],
        "gradients": dict(zip(names, found[1:])),
    }


cases = []
for cell, activation in (("simpleRnn", "tanh"), ("simpleRnn", "relu"), ("lstm", None), ("gru", None)):
    for bidirectional in (False, True):
        more = {"bidirectional": bidirectional, "activation": activation}
        cases.append(case(cell, 1, 3, 2, 3, **more))
        cases.append(case(cell, 6, 2, 3, 2, **more))
        cases.append(case(cell, 4, 2, 2, 3, sequences=True, **more))
        cases.append(case(cell, 3, 2, 2, 3, layers=2, sequences=bidirectional, **more))
    cases.append(case(cell, 4, 1, 1, 2, useBias=False, activation=activation))
    cases.append(case(cell, 25, 1, 1, 1, activation=activation))
write("recurrent", {"cases": cases})
