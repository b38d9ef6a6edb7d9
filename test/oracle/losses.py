"""fixtures/losses.json: value and gradients of each loss behind a dense layer.

With weights w downhill's mean is Σ wᵢ·Lᵢ / (number of labels). What is not labelled (class −1, NaN) is masked.
"""

import torch
import torch.nn.functional as F
from oracle import draw, leaf, write

NAN = float("nan")
N, IN, OUT = 7, 5, 3
x = draw(N, IN)
kernel, bias = draw(IN, OUT, scale=0.7), draw(OUT)
weights = torch.tensor([0, 0.5, 1, 2, 1.5, 0.25, 3])


def case(loss, options, y, per_label, activation=None, weight=None, x=x, kernel=kernel, bias=bias):
    """`per_label(ŷ, y)` has one number a label, NaN where there is none."""
    vx, vk, vb = leaf(x), leaf(kernel), leaf(bias)
    y_hat = vx @ vk + vb
    if activation == "sigmoid":
        y_hat = torch.sigmoid(y_hat)
    if activation == "softmax":
        y_hat = torch.softmax(y_hat, 1)
    if activation == "softplus":
        y_hat = F.softplus(y_hat)
    each = per_label(y_hat, y)
    labelled = ~each.isnan()
    scale = torch.ones(len(x)) if weight is None else weight
    scale = scale.reshape(-1, *[1] * (each.dim() - 1)).expand_as(each)
    value = (scale[labelled] * each[labelled]).sum() / max(1, labelled.sum().item())
    value.backward()
    gradients = {"dense_1/kernel": vk.grad, "dense_1/bias": vb.grad}
    inputs = {"x": x, "kernel": kernel, "bias": bias, "y": y, "weight": weight, "activation": activation}
    return {"loss": loss, "options": options, **inputs, "value": value, "gradients": gradients, "dx": vx.grad}


def cross_entropy(smoothing):
    def per_label(logits, y):
        if y.dim() == 1:
            each = F.cross_entropy(logits, y.clamp(min=0), reduction="none", label_smoothing=smoothing)
            return torch.where(y < 0, NAN, each)
        missing = y.isnan().any(1)
        each = F.cross_entropy(logits, y.nan_to_num(0), reduction="none", label_smoothing=smoothing)
        return torch.where(missing, NAN, each)

    return per_label


def elementwise(f):
    def per_label(y_hat, y):
        each = f(y_hat, y.nan_to_num(0), reduction="none")
        return torch.where(y.isnan(), NAN, each)

    return per_label


def hinge(y_hat, y, reduction):
    return (1 - y * y_hat).clamp(min=0)


def by_row(f):
    """One number a row; one NaN masks it."""

    def per_label(y_hat, y):
        return torch.where(y.isnan().any(1), NAN, f(y_hat, y.nan_to_num(0)))

    return per_label


kullback_leibler = by_row(lambda y_hat, y: F.kl_div(y_hat.log(), y, reduction="none").sum(1))
cosine = by_row(lambda y_hat, y: 1 - F.cosine_similarity(y_hat, y, dim=1))

labels = torch.randint(0, OUT, (N,))
some = labels.clone()
some[[1, 4]] = -1
rows = torch.round(torch.softmax(torch.randn(N, OUT), 1) * 64) / 64
rows[:, 0] += 1 - rows.sum(1)
some_rows = rows.clone()
some_rows[2, 1] = NAN
bits = torch.round(torch.rand(N, OUT) * 4) / 4
some_bits = bits.clone()
some_bits[0, 1] = some_bits[3, :] = some_bits[5, 0] = NAN
targets = draw(N, OUT)
some_targets = torch.where(some_bits.isnan(), NAN, targets)
nothing = torch.full((N, OUT), NAN)
identity = {"kernel": torch.eye(OUT), "bias": torch.zeros(OUT)}
far = torch.tensor([[100.0, -100, 0], [0, 0, 0], [1e4, 1e4, -1e4], [-30, 15, 15], [88, 89, -90], [1e-4, 0, -1e-4], [-17, 17, 3]])
certain = torch.tensor([[0.0, 1, 0.5], [1, 0, 0.25], [1e-6, 1, 0], [0.75, 0, 1], [0.5, 0.5, 0.5], [0, 0, 0], [1, 1, 1]])

cases = []
for weight in (None, weights):
    for smoothing in (0, 0.1, 0.5):
        options = {"labelSmoothing": smoothing}
        for y in (labels, some, rows, some_rows):
            cases.append(case("softmaxCrossEntropy", options, y, cross_entropy(smoothing), weight=weight))
    bce, mse = elementwise(F.binary_cross_entropy_with_logits), elementwise(F.mse_loss)
    for y in (bits, some_bits):
        cases.append(case("binaryCrossEntropy", {}, y, bce, weight=weight))
        probabilities = elementwise(F.binary_cross_entropy)
        cases.append(case("binaryCrossEntropy", {"fromLogits": False}, y, probabilities, activation="sigmoid", weight=weight))
    for y in (targets, some_targets):
        cases.append(case("meanSquaredError", {}, y, mse, weight=weight))
# logits far out, probabilities of 0 and 1, sequences, a single column, nothing labelled
cases.append(case("softmaxCrossEntropy", {"labelSmoothing": 0}, labels, cross_entropy(0), x=far, **identity))
cases.append(case("softmaxCrossEntropy", {"labelSmoothing": 0.1}, rows, cross_entropy(0.1), x=far, **identity))
cases.append(case("binaryCrossEntropy", {}, bits, bce, x=far, **identity))
probabilities = elementwise(F.binary_cross_entropy)
cases.append(case("binaryCrossEntropy", {"fromLogits": False}, bits, probabilities, x=certain, **identity))
cases.append(case("meanSquaredError", {}, draw(4, 5, OUT), mse, x=draw(4, 5, IN), weight=weights[:4]))
one = {"kernel": kernel[:, :1], "bias": bias[:1]}
cases.append(case("binaryCrossEntropy", {}, bits[:, :1], bce, weight=weights, **one))
cases.append(case("softmaxCrossEntropy", {"labelSmoothing": 0}, torch.full((N,), -1), cross_entropy(0)))
cases.append(case("meanSquaredError", {}, nothing, mse))

# the rest of the elementwise ones, and those of rows
torch.manual_seed(1)
signs = torch.randint(0, 2, (N, OUT)).double() * 2 - 1
counts = torch.randint(0, 5, (N, OUT)).double()
masked = lambda y: torch.where(some_bits.isnan(), NAN, y)
for weight in (None, weights):
    for y in (targets, some_targets):
        cases.append(case("meanAbsoluteError", {}, y, elementwise(F.l1_loss), weight=weight))
        cases.append(case("huber", {}, y, elementwise(F.huber_loss), weight=weight))
        quarter = elementwise(lambda a, b, reduction: F.huber_loss(a, b, reduction=reduction, delta=0.25))
        cases.append(case("huber", {"delta": 0.25}, y, quarter, weight=weight))
        cases.append(case("cosineSimilarity", {}, y, cosine, weight=weight))
    for y in (signs, masked(signs)):
        cases.append(case("hinge", {}, y, elementwise(hinge), weight=weight))
    for y in (counts, masked(counts)):
        rate = elementwise(lambda a, b, reduction: F.poisson_nll_loss(a, b, log_input=False, reduction=reduction))
        cases.append(case("poisson", {}, y, rate, activation="softplus", weight=weight))
        log_rate = elementwise(lambda a, b, reduction: F.poisson_nll_loss(a, b, reduction=reduction))
        cases.append(case("poisson", {"fromLog": True}, y, log_rate, weight=weight))
    for y in (rows, some_rows):
        cases.append(case("kullbackLeibler", {}, y, kullback_leibler, activation="softmax", weight=weight))
cases.append(case("meanAbsoluteError", {}, nothing, elementwise(F.l1_loss)))
cases.append(case("cosineSimilarity", {}, nothing, cosine))
write("losses", {"cases": cases})
