"""fixtures/metrics.json: metrics of given predictions, as scikit-learn has them. Scores are multiples of 1/32, so that some are
equal; what is not labelled is left out before scikit-learn sees it."""

import numpy as np
import torch
from oracle import draw, write
from sklearn import metrics as sk

N = 61
NAN = float("nan")
torch.manual_seed(3)
weights = (torch.rand(N) * 8).round() / 4


def scores(columns, informed):
    """Scores that tell something about `informed`, labels of as many columns."""
    return draw(N, columns) + 0.75 * informed


def figures(y, decided, score, w, binary):
    """Of class numbers y, or of one column or several of bits."""
    found = {}
    for average in ["binary"] if binary == 1 else ["macro", "micro"]:
        common = dict(sample_weight=w, average=average, zero_division=0)
        found[average] = [f(y, decided, **common) for f in (sk.precision_score, sk.recall_score, sk.f1_score)]
    if binary:
        found["auc"] = sk.roc_auc_score(y, score, sample_weight=w, average=None if binary == 1 else "macro")
    elif score.shape[1] == 2:
        found["auc"] = sk.roc_auc_score(y, score[:, 1] - score[:, 0], sample_weight=w)
    else:
        p = torch.softmax(torch.tensor(score), 1).numpy()
        one = [sk.roc_auc_score(y == c, p[:, c], sample_weight=w) for c in range(p.shape[1]) if 0 < (y == c).sum() < len(y)]
        found["auc"] = float(np.mean(one))
    return found


cases = []


def add(loss, prediction, y, weight, expected, options={}):
    cases.append({"loss": loss, "options": options, "prediction": prediction, "y": y, "weight": weight, "expected": expected})


for weight in (None, weights):
    w_all = None if weight is None else weight.numpy()
    # one bit, logits and probabilities
    y = torch.randint(0, 2, (N, 1)).double()
    score = scores(1, y)
    keep = np.arange(N) % 9 != 4
    masked = y.clone()
    masked[~torch.tensor(keep)] = NAN
    for target, k in ((y, np.ones(N, bool)), (masked, keep)):
        w = None if w_all is None else w_all[k]
        args = y[:, 0].numpy()[k], (score[:, 0] > 0).numpy()[k].astype(float), score[:, 0].numpy()[k]
        add("binaryCrossEntropy", score, target, weight, figures(*args, w, 1))
    p = torch.sigmoid(score)
    p = (p * 64).round() / 64
    add("binaryCrossEntropy", p, y, weight, figures(y[:, 0].numpy(), (p[:, 0] > 0.5).numpy().astype(float), p[:, 0].numpy(), w_all, 1), {"fromLogits": False})
    # several bits an example
    y = torch.randint(0, 2, (N, 3)).double()
    score = scores(3, y)
    add("binaryCrossEntropy", score, y, weight, figures(y.numpy(), (score > 0).numpy().astype(float), score.numpy(), w_all, 3))
    # two and five classes, of which one never occurs
    for classes in (2, 5):
        labels = torch.randint(0, 2 if classes == 2 else 4, (N,))
        score = scores(classes, torch.nn.functional.one_hot(labels, classes))
        if classes == 5:
            score[:, 4] -= 6
        some = labels.clone()
        some[~torch.tensor(keep)] = -1
        for target, k in ((labels, np.ones(N, bool)), (some, keep)):
            w = None if w_all is None else w_all[k]
            s = score.numpy()[k]
            expected = figures(labels.numpy()[k], s.argmax(1), s, w, 0)
            if classes == 5:
                expected["top2"] = sk.top_k_accuracy_score(labels.numpy()[k], s + np.arange(5) * -1e-9, k=2, labels=range(5), sample_weight=w)
            add("softmaxCrossEntropy", score, target, weight, expected)
    # values
    for columns in (1, 3):
        y = draw(N, columns, scale=2, offset=5)
        prediction = y + draw(N, columns)
        args = dict(sample_weight=w_all)
        add("meanSquaredError", prediction, y, weight, {"rSquared": sk.r2_score(y, prediction, **args), "meanAbsoluteError": sk.mean_absolute_error(y, prediction, **args)})
write("metrics", {"cases": cases})
