"""fixtures/schedules.json: learning rates of the first updates, by torch.optim.lr_scheduler."""

import torch
from oracle import write
from torch.optim.lr_scheduler import CosineAnnealingLR, ExponentialLR, LinearLR, OneCycleLR, PolynomialLR, StepLR


def rates(initial, make, count):
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=initial)
    scheduler = make(optimizer)
    found = []
    for k in range(count):
        found.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        if k + 1 < count:
            scheduler.step()
    return found


def case(schedule, options, make, count=55):
    return {"schedule": [schedule, options], "rates": rates(options.get("initial", 1), make, count)}


cases = [
    case("linearDecay", {"initial": 0.1, "final": 0.02, "steps": 40}, lambda o: LinearLR(o, 1, 0.2, total_iters=40)),
    case("exponentialDecay", {"initial": 0.1, "decayRate": 0.9, "decaySteps": 1}, lambda o: ExponentialLR(o, 0.9)),
    case("stepDecay", {"initial": 0.1, "factor": 0.3, "every": 7}, lambda o: StepLR(o, 7, 0.3)),
    case("cosineDecay", {"initial": 0.1, "steps": 54}, lambda o: CosineAnnealingLR(o, 54)),
    case("cosineDecay", {"initial": 0.1, "final": 0.01, "steps": 100}, lambda o: CosineAnnealingLR(o, 100, eta_min=0.01)),
    case(
        "polynomialDecay",
        {"initial": 0.1, "final": 0, "power": 1.7, "steps": 40},
        lambda o: PolynomialLR(o, total_iters=40, power=1.7),
    ),
    *(
        case("oneCycle", {"max": 0.1, "steps": steps}, lambda o, n=steps: OneCycleLR(o, 0.1, total_steps=n), min(steps, 55))
        for steps in (10, 50, 55, 200)
    ),
    case(
        "oneCycle",
        {"max": 2, "steps": 50, "warmupFraction": 0.45, "initialDivisor": 10, "finalDivisor": 100},
        lambda o: OneCycleLR(o, 2, total_steps=50, pct_start=0.45, div_factor=10, final_div_factor=100),
        50,
    ),
]
write("schedules", {"cases": cases}, digits=13)
