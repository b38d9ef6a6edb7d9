"""fixtures/hessian.json: all eigenvalues of the Hessian of a tanh MLP's objective, by double backward."""

import torch
from oracle import draw, write

SIZES = [4, 6, 5, 3]


def case(name, loss, l2):
    shapes = [s for i, o in zip(SIZES, SIZES[1:]) for s in ((i, o), (o,))]
    weights = [draw(*s, scale=0.7) for s in shapes]
    x, target = draw(24, SIZES[0]), torch.randint(0, SIZES[-1], (24,))
    goal = draw(24, SIZES[-1])

    def objective(flat):
        parts, at = [], 0
        for s in shapes:
            n = torch.tensor(s).prod().item()
            parts.append(flat[at : at + n].reshape(s))
            at += n
        h = x
        for i in range(0, len(parts), 2):
            h = h @ parts[i] + parts[i + 1]
            if i + 2 < len(parts):
                h = torch.tanh(h)
        value = torch.nn.functional.cross_entropy(h, target) if loss == "softmaxCrossEntropy" else ((h - goal) ** 2).mean()
        return value + l2 / 2 * sum((p**2).sum() for p in parts[::2])

    flat = torch.cat([w.flatten() for w in weights])
    eigenvalues = torch.linalg.eigvalsh(torch.autograd.functional.hessian(objective, flat))
    keys = [f"dense_{i // 2 + 1}/{'bias' if i % 2 else 'kernel'}" for i in range(len(shapes))]
    y = target.tolist() if loss == "softmaxCrossEntropy" else goal
    return {"name": name, "loss": loss, "l2": l2, "x": x, "y": y, "weights": dict(zip(keys, weights)), "eigenvalues": eigenvalues}


write(
    "hessian",
    {"cases": [case("mean squared error", "meanSquaredError", 0), case("cross-entropy, with a penalty", "softmaxCrossEntropy", 0.05)]},
)
