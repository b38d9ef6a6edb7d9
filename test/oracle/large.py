"""fixtures/large.json: ten steps of a net whose sizes cross every block, chunk and tail of the kernels: 67-131-65-10 at batch
1,031, with batch norm, PReLU, penalties, clipping, Adam. Data and weights come from a formula on both sides; the fixture
has the losses, and of each parameter its norm and every 101st number after the last step."""

import torch
import torch.nn.functional as F
from oracle import leaf, write

ROWS, SIZES, STEPS = 1031, (67, 131, 65, 10), 10


def numbers(*shape, seed, scale=1.0):
    """(i²·7 + i·seed) mod 1009 as float32s in ±scale."""
    i = torch.arange(torch.Size(shape).numel())
    return (scale * (((i * i * 7 + i * seed) % 1009) * 2 / 1009 - 1)).float().double().reshape(shape)


a, b, c, d = SIZES
weights = {
    "dense_1/kernel": leaf(numbers(a, b, seed=1, scale=0.25)),
    "batchNorm_1/gamma": leaf(1 + numbers(b, seed=2, scale=0.25)),
    "batchNorm_1/beta": leaf(numbers(b, seed=3, scale=0.25)),
    "dense_2/kernel": leaf(numbers(b, c, seed=4, scale=0.125)),
    "dense_2/bias": leaf(numbers(c, seed=5, scale=0.25)),
    "prelu_1/alpha": leaf(numbers(c, seed=6, scale=0.25)),
    "dense_3/kernel": leaf(numbers(c, d, seed=7, scale=0.25)),
    "dense_3/bias": leaf(numbers(d, seed=8, scale=0.25)),
}
moving = {"batchNorm_1/movingMean": torch.zeros(b), "batchNorm_1/movingVariance": torch.ones(b)}
x = numbers(ROWS, a, seed=9)
labels = (torch.arange(ROWS) ** 2 // 3) % 11 - 1  # −1: not labelled
scale = 1 + numbers(ROWS, seed=10)

optimizer = torch.optim.Adam(weights.values(), lr=0.002, eps=1e-4)
losses, penalties = [], []
for _ in range(STEPS):
    z = x @ weights["dense_1/kernel"]
    mean, variance = z.mean(0).detach(), z.var(0, unbiased=False).detach()
    for key, now in zip(moving, (mean, variance)):
        moving[key] = 0.9 * moving[key] + 0.1 * now
    h = torch.relu(F.batch_norm(z, None, None, weights["batchNorm_1/gamma"], weights["batchNorm_1/beta"], True))
    h2 = h @ weights["dense_2/kernel"] + weights["dense_2/bias"]
    logits = F.prelu(h2, weights["prelu_1/alpha"]) @ weights["dense_3/kernel"] + weights["dense_3/bias"]
    each = F.cross_entropy(logits, labels, ignore_index=-1, reduction="none") * scale
    penalty = 1e-3 / 2 * weights["dense_1/kernel"].square().sum() + 1e-4 * weights["dense_2/kernel"].abs().sum()
    penalty = penalty + (1e-3 * h2.abs().sum() + 2e-3 / 2 * h2.square().sum()) / ROWS
    loss = each.sum() / (labels >= 0).sum() + penalty
    optimizer.zero_grad()
    loss.backward()
    torch.nn.utils.clip_grad_norm_(weights.values(), 0.5)
    optimizer.step()
    losses.append(loss.item())
    penalties.append(penalty.item())

after = {k: t.detach().flatten() for k, t in (weights | moving).items()}
samples = {k: {"norm": t.norm(), "samples": t[::101]} for k, t in after.items()}
write("large", {"losses": torch.tensor(losses), "penalties": torch.tensor(penalties), "after": samples})
