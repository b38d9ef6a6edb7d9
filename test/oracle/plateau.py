"""fixtures/plateau.json: rates of PyTorch's ReduceLROnPlateau (threshold_mode="abs") for given figures."""

import torch
from oracle import write

torch.manual_seed(5)
falls = [float(v) for v in (torch.rand(40) + torch.linspace(3, 0, 40).clamp(min=0.8)).mul(64).round() / 64]
flat = [1.0] * 12 + [float("nan")] * 6 + [0.5] * 12


def case(figures, **options):
    parameter = torch.nn.Parameter(torch.zeros(1))
    optimizer = torch.optim.SGD([parameter], lr=0.5)
    names = {"minDelta": "threshold", "minLearningRate": "min_lr"}
    scheduler = torch.optim.lr_scheduler.ReduceLROnPlateau(
        optimizer, threshold_mode="abs", **{names.get(k, k): v for k, v in options.items()}
    )
    rates = []
    for figure in figures:
        rates.append(optimizer.param_groups[0]["lr"])
        scheduler.step(figure)
    return {"options": options, "figures": figures, "rates": rates + [optimizer.param_groups[0]["lr"]]}


write(
    "plateau",
    {
        "cases": [
            case(falls),
            case(falls, patience=0),
            case(falls, patience=2, factor=0.5),
            case(falls, patience=1, cooldown=3),
            case(falls, patience=1, minDelta=0.25),
            case(falls, patience=0, minLearningRate=0.01),
            case(falls, patience=0, factor=0.001),
            case([-v for v in falls], patience=1, mode="max", minDelta=0.125),
            case(flat, patience=3, factor=0.25, cooldown=2),
        ]
    },
)
