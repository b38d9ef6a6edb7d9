"""fixtures/attention.json: outputs and gradients of torch.nn.MultiheadAttention and torch.nn.Embedding, mean squared error
behind them. Weights and gradients are PyTorch's, by its names: what they are called in downhill is attention.test.ts's to know.
"""

import torch
import torch.nn.functional as F
from oracle import draw, leaf, write


def gradients(loss, module, inputs):
    names = [name for name, _ in module.named_parameters()]
    found = torch.autograd.grad(loss, [*inputs, *module.parameters()])
    return found[: len(inputs)], dict(zip(names, found[len(inputs) :]))


def attention(batch, steps, width, heads, causal=False, bias=True, others=None):
    """`others`: the length of key and value, and their widths where they are two; the same sequence where there is one."""
    source, kdim, vdim = others or (steps, None, None)
    module = torch.nn.MultiheadAttention(width, heads, bias=bias, kdim=kdim, vdim=vdim, batch_first=True)
    for p in module.parameters():
        p.data = draw(*p.shape, scale=0.5)
    query = draw(batch, steps, width)
    given = [query]  # Keras's order: query, value, key
    if others:
        given.append(draw(batch, source, vdim or width))
        if kdim:
            given.append(draw(batch, source, kdim))
    leaves = [leaf(x) for x in given]
    q, v, k = (leaves + leaves[-1:] * 2)[:3]
    mask = torch.ones(steps, source, dtype=torch.bool).triu(1) if causal else None
    y, _ = module(q, k, v, attn_mask=mask, need_weights=False)
    target = draw(*y.shape)
    loss = F.mse_loss(y, target)
    dx, dw = gradients(loss, module, leaves)
    return {
        "heads": heads,
        "keyDim": width // heads,
        "options": {"causal": causal, "useBias": bias},
        "inputs": given,
        "weights": {k: v.detach() for k, v in module.named_parameters()},
        "target": target,
        "y": y.detach(),
        "loss": loss.detach(),
        "dx": list(dx),
        "gradients": dw,
    }


def embedding(size, width, *shape):
    module = torch.nn.Embedding(size, width)
    module.weight.data = draw(size, width)
    ids = torch.randint(0, size, shape)
    y = module(ids)
    target = draw(*y.shape)
    loss = F.mse_loss(y, target)
    _, dw = gradients(loss, module, [])
    return {
        "size": size,
        "width": width,
        "ids": ids,
        "weight": module.weight.detach(),
        "target": target,
        "y": y.detach(),
        "loss": loss.detach(),
        "gradient": dw["weight"],
    }


write(
    "attention",
    {
        "attention": [
            attention(1, 1, 2, 1),
            attention(2, 3, 4, 2),
            attention(2, 5, 6, 3, causal=True),
            attention(1, 9, 8, 2, causal=True, bias=False),
            attention(2, 3, 4, 1, others=(5, None, None)),
            attention(2, 4, 6, 2, others=(3, 5, 2)),
            attention(1, 3, 4, 2, causal=True, others=(5, None, None)),
        ],
        "embedding": [embedding(3, 2, 4), embedding(7, 3, 2, 5), embedding(5, 9, 3, 2, 2)],
    },
)
