// The methods of the chapter: for each its formula, its page under docs/, and the runs that show it.

import type { DemoName } from "./protocol";

export interface Method {
  /** The page's name, without `.md`. */
  page: string;
  /** As formula.ts reads them: short ones, which stand side by side where there is room. */
  formula: readonly string[];
  /** A hash of the page. Absent where a demo shows it. */
  run?: string;
  /** The same without the method, or what else it is to be compared with. */
  other?: string;
  /** A race that shows it too. */
  race?: string;
  demo?: DemoName;
}

/** Too large a net for 200 points, some of them mislabelled. */
const MOONS = "train?data=moons&n=200&noise=0.5&flip=0.1&layers=64-64&act=relu&init=heNormal";
/** Too large a net for 300 digits, a fifth of them mislabelled. */
const FEW = "train?data=digits&n=300&flip=0.2&layers=128-128&epochs=100";
const SPARSE = "train?data=digits&n=300&flip=0.2&layers=128-128&epochs=60";
const L1 = `${SPARSE}&opt=sgd&lr=0.1`;
const BATCH = "train?data=digits&opt=sgd&lr=0.1&epochs=30";
const DECAY = "train?data=digits&n=1000&flip=0.3&layers=16&opt=sgd&lr=0.3&batch=8&epochs=20";
/** Inputs under scales from 0.1 to 10. */
const STRETCHED = "train?data=digits&n=1000&stretch=10&epochs=20";
const STRETCHED_SGD = `${STRETCHED}&opt=sgd&lr=0.3`;
const DEEP = "train?data=digits&layers=32-32-32-32-32-32-32-32-32-32&opt=sgd&lr=0.1&epochs=20";

export const METHODS = {
  l2: {
    page: "l2",
    formula: ["J(θ) = L(θ) + \\frac{c}{2} ‖w‖^2", "w ← (1 − ε c) w − ε ∇L"],
    run: `${MOONS}&l2=0.01`,
    other: MOONS,
  },
  l1: {
    page: "l1",
    formula: ["J(θ) = L(θ) + c ‖w‖_1", "w ← \\text{sign}(w) · \\max(|w| − ε c, 0)"],
    run: `${L1}&l1=0.003&prox=1`,
    other: L1,
  },
  augmentation: {
    page: "data-augmentation",
    formula: ["\\tilde{x}(p) = x(M p)", "M = M_1 M_2 ⋯ M_k"],
    run: `${FEW}&aug=all`,
    other: FEW,
  },
  inputNoise: {
    page: "noise",
    formula: ["E[(f(x + z) − t)^2] ≈ (f(x) − t)^2 + σ^2 ‖∇_x f‖^2"],
    run: `${MOONS}&xn=0.3`,
    other: MOONS,
  },
  hiddenNoise: {
    page: "noise",
    formula: ["\\tilde{h} = h + z", "z ∼ N(0, σ^2)"],
    run: `${FEW}&hn=1`,
    other: FEW,
  },
  weightNoise: {
    page: "weight-noise",
    formula: ["g = ∇J(w + z)", "z ∼ N(0, σ^2)", "w ← w − ε g"],
    run: `${FEW}&wn=0.1`,
    other: FEW,
  },
  labelSmoothing: {
    page: "losses",
    formula: ["L = − Σ_j t_j \\log \\text{softmax}(\\hat{y})_j", "t_j = (1 − s) [j = k] + \\frac{s}{K}"],
    run: `${MOONS}&smooth=0.2`,
    other: MOONS,
  },
  multitask: {
    page: "multitask",
    formula: ["J = Σ_k λ_k L_k(f_k(h))", "h = t(x)"],
    demo: "multitask",
  },
  earlyStopping: {
    page: "early-stopping",
    formula: ["i^* = \\text{argmin}_i v_i", "i_{\\text{stop}} = i^* + p"],
    run: FEW,
  },
  parameterTying: {
    page: "parameter-tying",
    formula: ["J = L_A + L_B + \\frac{c}{2} ‖w^A − w^B‖^2"],
    demo: "parameterTying",
  },
  parameterSharing: {
    page: "parameter-sharing",
    formula: ["y_{ijk} = Σ_{abc} x_{i+a, j+b, c} w_{abck}", "\\frac{∂J}{∂w} = Σ_{ij} \\frac{∂J}{∂w^{(ij)}}"],
    run: "train?data=digits&n=300&layers=c8-p-c16-p",
    other: "train?data=digits&n=300&layers=128",
  },
  sparseRepresentation: {
    page: "sparse-representation",
    formula: ["J = L + c · \\frac{1}{n} Σ_i ‖h_i‖_1"],
    run: `${SPARSE}&sparse=0.003`,
    other: SPARSE,
  },
  bagging: {
    page: "bagging",
    formula: ["\\hat{y} = \\frac{1}{k} Σ_i f_i(x)", "E[e^2] = \\frac{v}{k} + \\frac{k − 1}{k} c"],
    demo: "bagging",
  },
  dropout: {
    page: "dropout",
    formula: ["\\tilde{h} = \\frac{m h}{1 − p}", "P(m = 0) = p"],
    run: `${FEW}&dropout=0.5`,
    other: FEW,
  },
  adversarialTraining: {
    page: "adversarial-training",
    formula: ["\\tilde{x} = x + ε · \\text{sign}(∇_x L)", "J = \\frac{1}{2} L(x) + \\frac{1}{2} L(\\tilde{x})"],
    run: "train?data=digits&layers=128&adv=0.1",
  },

  batch: {
    page: "batch-size",
    formula: ["g = \\frac{1}{N} Σ_{i=1}^N ∇L(x_i)", "θ ← θ − ε g"],
    run: `${BATCH}&batch=full`,
    other: BATCH,
  },
  online: {
    page: "batch-size",
    formula: ["θ ← θ − ε ∇L(x_i)"],
    run: "train?data=digits&opt=sgd&lr=0.01&batch=1&epochs=30",
    other: BATCH,
  },
  minibatch: {
    page: "batch-size",
    formula: ["\\hat{g} = \\frac{1}{n} Σ_{i ∈ B} ∇L(x_i)", "\\sqrt{E‖\\hat{g} − g‖^2} = \\frac{σ}{\\sqrt{n}}"],
    run: BATCH,
    other: `${BATCH}&shuffle=0`,
  },
  learningRateDecay: {
    page: "learning-rate",
    formula: ["ε_k = (1 − \\frac{k}{τ}) ε_0 + \\frac{k}{τ} ε_τ", "Σ ε_k = ∞", "Σ ε_k^2 < ∞"],
    run: `${DECAY}&sched=linear`,
    other: DECAY,
  },
  sgd: {
    page: "optimizers",
    formula: ["θ ← θ − ε \\hat{g}"],
    run: "descend?o=sgd&noise=5&twins=1",
  },
  momentum: {
    page: "optimizers",
    formula: ["v ← μ v + g", "θ ← θ − ε v"],
    run: "descend?o=sgd,momentum,nesterov",
  },
  adagrad: {
    page: "optimizers",
    formula: ["r ← r + g^2", "θ ← θ − \\frac{ε}{\\sqrt{r} + δ} g"],
    run: `${STRETCHED}&opt=adagrad&lr=0.1`,
    other: STRETCHED_SGD,
    race: "descend?o=sgd,adagrad",
  },
  rmsprop: {
    page: "optimizers",
    formula: ["r ← ρ r + (1 − ρ) g^2", "θ ← θ − \\frac{ε}{\\sqrt{r} + δ} g"],
    run: `${STRETCHED}&opt=rmsprop&lr=0.01`,
    other: STRETCHED_SGD,
    race: "descend?f=plateau&o=adagrad:0.02,rmsprop:0.02",
  },
  adam: {
    page: "optimizers",
    formula: [
      "m ← β_1 m + (1 − β_1) g",
      "v ← β_2 v + (1 − β_2) g^2",
      "θ ← θ − ε \\frac{\\hat{m}}{\\sqrt{\\hat{v}} + δ}",
      "\\hat{m} = \\frac{m}{1 − β_1^t}",
      "\\hat{v} = \\frac{v}{1 − β_2^t}",
    ],
    run: `${STRETCHED}&lr=0.01`,
    other: STRETCHED_SGD,
    race: "descend?f=rosenbrock&o=sgd,rmsprop,adam",
  },
  symmetry: {
    page: "initialization",
    formula: ["w_{ij} = w_{ik} ⇒ \\frac{∂J}{∂w_{ij}} = \\frac{∂J}{∂w_{ik}}"],
    run: "train?data=digits&act=tanh&init=glorotUniform&epochs=20",
    other: "train?data=digits&act=tanh&init=zeros&epochs=20",
  },
  xavier: {
    page: "initialization",
    formula: ["\\text{Var}(w) = \\frac{2}{n_{\\text{in}} + n_{\\text{out}}}"],
    run: `${DEEP}&act=tanh&init=glorotUniform`,
    other: `${DEEP}&act=tanh&init=tiny`,
  },
  batchNorm: {
    page: "batch-normalization",
    formula: ["\\hat{z} = \\frac{z − μ_B}{\\sqrt{σ_B^2 + ε}}", "h = \\max(0, γ \\hat{z} + β)"],
    run: `${DEEP}&init=tiny&bn=1`,
    other: `${DEEP}&init=tiny`,
  },

  illConditioning: {
    page: "difficulties",
    formula: ["L(θ − ε g) ≈ L(θ) − ε g^⊤ g + \\frac{ε^2}{2} g^⊤ H g"],
    run: "descend?o=sgd,momentum,adam",
    other: "descend?condition=1&o=sgd:0.5,momentum,adam",
  },
  localMinima: {
    page: "difficulties",
    formula: ["g = 0", "λ_i(H) > 0 ∀ i"],
    run: "descend?f=rastrigin&o=sgd,momentum,adam&at=2.3,-1.7",
    other: "descend?f=rastrigin&o=sgd,momentum,adam&at=0.4,0.3",
  },
  saddlePoints: {
    page: "difficulties",
    formula: ["g = 0", "λ_i(H) > 0 > λ_j(H)"],
    run: "descend?f=saddle&o=sgd:0.1&noise=0.01&at=1.5,0&n=60&twins=1",
  },
  clipping: {
    page: "clipping",
    formula: ["g ← g · \\min(1, \\frac{c}{‖g‖})"],
    run: "descend?f=cliff&o=momentum:0.1&clip=0.5&at=0.2,0.5&n=100&twins=1",
  },
  vanishing: {
    page: "gradient-monitor",
    formula: ["W^t = V \\text{diag}(λ)^t V^{−1}", "|λ| < 1 ⇒ λ^t → 0"],
    run: `${DEEP}&act=sigmoid&init=glorotUniform`,
    other: DEEP,
  },
  exploding: {
    page: "gradient-monitor",
    formula: ["|λ| > 1 ⇒ |λ^t| → ∞"],
    run: `${DEEP}&init=large`,
    other: DEEP,
  },
} satisfies Record<string, Method>;

export type MethodName = keyof typeof METHODS;

export const SECTIONS = {
  regularization: [
    "l2",
    "l1",
    "augmentation",
    "inputNoise",
    "hiddenNoise",
    "weightNoise",
    "labelSmoothing",
    "multitask",
    "earlyStopping",
    "parameterTying",
    "parameterSharing",
    "sparseRepresentation",
    "bagging",
    "dropout",
    "adversarialTraining",
  ],
  optimization: [
    "batch",
    "online",
    "minibatch",
    "learningRateDecay",
    "sgd",
    "momentum",
    "adagrad",
    "rmsprop",
    "adam",
    "symmetry",
    "xavier",
    "batchNorm",
  ],
  difficulties: ["illConditioning", "localMinima", "saddlePoints", "clipping", "vanishing", "exploding"],
} satisfies Record<string, MethodName[]>;

/** `#tab?parameters` taken apart. */
export function parts(run: string): { tab: string; parameters: URLSearchParams } {
  const [tab, query] = run.split("?") as [string, string];
  return { tab, parameters: new URLSearchParams(query) };
}
