// What a run of the Train tab is: a plain object, its ranges, and its short form in the URL.
//
// Equal settings give equal weights, to the bit, in every browser. What is not in here (speed, pauses) does not change a run.

/** Points of the plane lie in [−EXTENT, EXTENT]². */
export const EXTENT = 3;
/** Steps of a coordinate of own points: they are k·EXTENT/GRID, −GRID ≤ k < GRID. */
const GRID = 512;

export const MAX_POINTS = 400;
/** Classes that own points may have. */
export const MAX_CLASSES = 6;
export const MAX_LAYERS = 12;
export const MAX_UNITS = 128;
export const MAX_FILTERS = 32;
/** Of 8 × 8 pixels a third pooling leaves one. */
export const MAX_POOLS = 2;

export const DATA = ["circles", "moons", "spirals", "xor", "blobs", "points", "digits"] as const;
export const ACTIVATIONS = [
  "relu",
  "leakyRelu",
  "elu",
  "selu",
  "gelu",
  "silu",
  "softplus",
  "tanh",
  "sigmoid",
  "linear",
] as const;
export const INITIALIZERS = [
  "glorotUniform",
  "heNormal",
  "lecunNormal",
  "orthogonal",
  "tiny",
  "large",
  "zeros",
] as const;
export const OPTIMIZERS = [
  "sgd",
  "momentum",
  "nesterov",
  "adagrad",
  "rmsprop",
  "adadelta",
  "adam",
  "adamw",
  "nadam",
  "radam",
  "lion",
] as const;
export const SCHEDULES = [
  "constant",
  "linear",
  "exponential",
  "inverseTime",
  "step",
  "cosine",
  "warmup",
  "oneCycle",
] as const;
export const AUGMENTATIONS = ["none", "shift", "rotate", "zoom", "all"] as const;

/** A point that was clicked, with its class 0 … MAX_CLASSES − 1. */
export interface Point {
  x: number;
  y: number;
  label: number;
}

/** A hidden layer. `conv` (3 × 3) and `pool` (2 × 2) are for digits, and come before what is dense. */
export type HiddenLayer = { type: "dense"; units: number } | { type: "conv"; filters: number } | { type: "pool" };

export interface Settings {
  data: (typeof DATA)[number];
  /** Training and validation together. Own points count themselves. */
  examples: number;
  /** Standard deviation of what is added to the points' coordinates. */
  noise: number;
  /** The share of training labels that are drawn anew among the other classes. */
  labelNoise: number;
  /** The share of examples that are only evaluated. */
  validation: number;
  points: readonly Point[];
  /** s: inputs come under scales from 1/s to s, which makes the loss ill-conditioned; 1: as they are. */
  stretch: number;

  layers: readonly HiddenLayer[];
  activation: (typeof ACTIVATIONS)[number];
  initializer: (typeof INITIALIZERS)[number];
  batchNorm: boolean;
  /** Hidden dense layers of one shape are one layer, called again and again. */
  shared: boolean;

  dropout: number;
  l1: number;
  /** L1 by soft thresholds: weights become exactly 0. Not together with L2. */
  proximal: boolean;
  l2: number;
  /** The largest norm of a unit's weights; 0: none. */
  maxNorm: number;
  /** L1 on hidden outputs: a sparse representation. */
  sparse: number;
  /** c of c·½‖w⁽ᴬ⁾ − w⁽ᴮ⁾‖² between hidden dense layers that follow one another and have one shape. */
  tied: number;
  inputNoise: number;
  hiddenNoise: number;
  weightNoise: number;
  augment: (typeof AUGMENTATIONS)[number];
  /** How far FGSM moves an input, half of the loss being that of moved examples; 0: off. */
  adversarial: number;
  labelSmoothing: number;
  /** Decay of the moving average of weights at which the net is evaluated; 0: off. */
  ema: number;

  optimizer: (typeof OPTIMIZERS)[number];
  learningRate: number;
  momentum: number;
  schedule: (typeof SCHEDULES)[number];
  /** The largest norm of the gradient; 0: none. */
  clipNorm: number;
  /** The largest absolute value in the gradient; 0: none. */
  clipValue: number;
  batchSize: number | "full";
  /** A new order of the examples each epoch. */
  shuffle: boolean;
  epochs: number;
  /** Epochs without a better validation loss after which early stopping would stop; 0: it is not watched. */
  patience: number;
  seed: number;
}

export type Group = "data" | "network" | "regularization" | "training";

interface Common {
  group: Group;
  /** Its name in the URL. */
  key: string;
  /** Where it has no effect, it need not be shown. Default: everywhere. */
  applies?: (settings: Settings) => boolean;
}

/**
 * What a control needs to know. `number`: any number from the first stop to the last one; a slider moves along the stops.
 * `full`: behind the last stop comes "full". `integer`: no fractions.
 */
export type Field = Common &
  (
    | { kind: "choice"; options: readonly string[] }
    | { kind: "number"; stops: readonly number[]; integer?: boolean; full?: boolean }
    | { kind: "switch" }
    | { kind: "layers" }
    | { kind: "points" }
  );

const isDigits = ({ data }: Settings) => data === "digits";
const isGenerated = ({ data }: Settings) => data !== "digits" && data !== "points";
const hasHidden = ({ layers }: Settings) => layers.length > 0;
/** Some dense layer behind one of its size may be the same layer again. */
export const hasTwins = ({ layers }: Settings): boolean =>
  layers.some((layer, i) => i > 1 && sameUnits(layer, layers[i - 1]!) && sameUnits(layer, layers[i - 2]!));
const sameUnits = (a: HiddenLayer, b: HiddenLayer) => a.type === "dense" && b.type === "dense" && a.units === b.units;

const weak = [0, 1e-5, 3e-5, 1e-4, 3e-4, 1e-3, 3e-3, 0.01, 0.03, 0.1];
const shares = [0, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.35, 0.4, 0.45, 0.5];

/** Every setting, in the order in which controls stand. */
export const FIELDS: { readonly [K in keyof Settings]: Field } = {
  data: { group: "data", key: "data", kind: "choice", options: DATA },
  examples: {
    group: "data",
    key: "n",
    kind: "number",
    stops: [20, 50, 100, 200, 300, 500, 700, 1000, 1437, 2000],
    integer: true,
    applies: ({ data }) => data !== "points",
  },
  noise: {
    group: "data",
    key: "noise",
    kind: "number",
    stops: [0, 0.05, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.7, 1],
    applies: isGenerated,
  },
  labelNoise: { group: "data", key: "flip", kind: "number", stops: shares },
  validation: { group: "data", key: "val", kind: "number", stops: shares },
  points: { group: "data", key: "points", kind: "points", applies: ({ data }) => data === "points" },
  stretch: { group: "data", key: "stretch", kind: "number", stops: [1, 2, 3, 5, 10, 20, 50] },

  layers: { group: "network", key: "layers", kind: "layers" },
  activation: { group: "network", key: "act", kind: "choice", options: ACTIVATIONS, applies: hasHidden },
  initializer: { group: "network", key: "init", kind: "choice", options: INITIALIZERS },
  batchNorm: { group: "network", key: "bn", kind: "switch", applies: hasHidden },
  shared: { group: "network", key: "shared", kind: "switch", applies: hasTwins },

  dropout: {
    group: "regularization",
    key: "dropout",
    kind: "number",
    stops: [0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8],
    applies: hasHidden,
  },
  l2: { group: "regularization", key: "l2", kind: "number", stops: weak },
  l1: { group: "regularization", key: "l1", kind: "number", stops: weak },
  proximal: { group: "regularization", key: "prox", kind: "switch", applies: ({ l1, l2 }) => l1 > 0 && l2 === 0 },
  maxNorm: { group: "regularization", key: "max", kind: "number", stops: [0, 0.5, 1, 1.5, 2, 3, 4, 5] },
  sparse: { group: "regularization", key: "sparse", kind: "number", stops: weak, applies: hasHidden },
  tied: { group: "regularization", key: "tied", kind: "number", stops: [...weak, 0.3, 1], applies: hasTwins },
  inputNoise: {
    group: "regularization",
    key: "xn",
    kind: "number",
    stops: [0, 0.05, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.7, 1],
  },
  hiddenNoise: {
    group: "regularization",
    key: "hn",
    kind: "number",
    stops: [0, 0.05, 0.1, 0.2, 0.3, 0.5, 0.7, 1],
    applies: hasHidden,
  },
  weightNoise: { group: "regularization", key: "wn", kind: "number", stops: [0, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2] },
  augment: { group: "regularization", key: "aug", kind: "choice", options: AUGMENTATIONS, applies: isDigits },
  adversarial: {
    group: "regularization",
    key: "adv",
    kind: "number",
    stops: [0, 0.02, 0.05, 0.1, 0.15, 0.2, 0.3, 0.5],
  },
  labelSmoothing: {
    group: "regularization",
    key: "smooth",
    kind: "number",
    stops: [0, 0.02, 0.05, 0.1, 0.2, 0.3, 0.5],
  },
  ema: { group: "regularization", key: "ema", kind: "number", stops: [0, 0.9, 0.95, 0.98, 0.99, 0.995, 0.999] },

  optimizer: { group: "training", key: "opt", kind: "choice", options: OPTIMIZERS },
  learningRate: {
    group: "training",
    key: "lr",
    kind: "number",
    stops: [1e-5, 3e-5, 1e-4, 3e-4, 1e-3, 3e-3, 0.01, 0.03, 0.1, 0.3, 1, 3, 10],
  },
  momentum: {
    group: "training",
    key: "mu",
    kind: "number",
    stops: [0.1, 0.3, 0.5, 0.7, 0.8, 0.9, 0.95, 0.98, 0.99],
    applies: ({ optimizer }) => optimizer === "momentum" || optimizer === "nesterov",
  },
  schedule: { group: "training", key: "sched", kind: "choice", options: SCHEDULES },
  clipNorm: { group: "training", key: "clip", kind: "number", stops: [0, 0.01, 0.03, 0.1, 0.3, 1, 3, 10] },
  clipValue: { group: "training", key: "clipv", kind: "number", stops: [0, 0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1] },
  batchSize: {
    group: "training",
    key: "batch",
    kind: "number",
    stops: [1, 2, 4, 8, 16, 32, 64, 128, 256, 512],
    integer: true,
    full: true,
  },
  shuffle: { group: "training", key: "shuffle", kind: "switch" },
  epochs: {
    group: "training",
    key: "epochs",
    kind: "number",
    stops: [1, 5, 10, 20, 30, 50, 100, 200, 300, 500, 1000, 2000, 5000],
    integer: true,
  },
  patience: {
    group: "training",
    key: "patience",
    kind: "number",
    stops: [0, 1, 2, 3, 5, 10, 20, 30, 50, 100],
    integer: true,
    applies: ({ validation }) => validation > 0,
  },
  seed: { group: "training", key: "seed", kind: "number", stops: [0, 2 ** 31 - 1], integer: true },
};

const PLANE: Settings = {
  data: "circles",
  examples: 300,
  noise: 0.2,
  labelNoise: 0,
  validation: 0.3,
  points: [],
  stretch: 1,
  layers: [
    { type: "dense", units: 8 },
    { type: "dense", units: 8 },
  ],
  activation: "tanh",
  initializer: "glorotUniform",
  batchNorm: false,
  shared: false,
  dropout: 0,
  l2: 0,
  l1: 0,
  proximal: false,
  maxNorm: 0,
  sparse: 0,
  tied: 0,
  inputNoise: 0,
  hiddenNoise: 0,
  weightNoise: 0,
  augment: "none",
  adversarial: 0,
  labelSmoothing: 0,
  ema: 0,
  optimizer: "adam",
  learningRate: 0.01,
  momentum: 0.9,
  schedule: "constant",
  clipNorm: 0,
  clipValue: 0,
  batchSize: 16,
  shuffle: true,
  epochs: 200,
  patience: 10,
  seed: 0,
};

/** The defaults of the other data, where they differ from those of circles. */
const OWN: { readonly [D in Settings["data"]]?: Partial<Settings> } = {
  spirals: {
    examples: 500,
    noise: 0.1,
    layers: [
      { type: "dense", units: 32 },
      { type: "dense", units: 32 },
    ],
    epochs: 300,
  },
  blobs: { noise: 0.5 },
  points: { validation: 0 },
  digits: {
    examples: 1437,
    validation: 0.2,
    layers: [{ type: "dense", units: 64 }],
    activation: "relu",
    initializer: "heNormal",
    learningRate: 0.003,
    batchSize: 32,
    epochs: 50,
  },
};

const NAMES = Object.keys(FIELDS) as (keyof Settings)[];

/** A run that nobody has changed anything of. */
export function defaults(data: Settings["data"] = "circles"): Settings {
  return { ...PLANE, ...OWN[data], data };
}

/** The same settings on other data: what is at its default goes to the new one, what others cannot have too. */
export function withData(settings: Settings, data: Settings["data"]): Settings {
  const before = defaults(settings.data);
  const changed = Object.fromEntries(
    NAMES.filter((name) => name !== "data" && !same(settings, before, name)).map((name) => [name, settings[name]]),
  );
  return checked({ ...defaults(data), ...changed, data });
}

const same = (a: Settings, b: Settings, name: keyof Settings) => text(a, name) === text(b, name);

/** The point of the grid next to a place, in the plane. */
export function pointAt(x: number, y: number, label: number): Point {
  return { x: (cell(x) * EXTENT) / GRID, y: (cell(y) * EXTENT) / GRID, label };
}

const cell = (x: number) => Math.min(GRID - 1, Math.max(-GRID, Math.round((x * GRID) / EXTENT) + 0));

/** What of the settings differs from the defaults of their data. `data` itself stands where it is not circles. */
export function toParameters(settings: Settings): URLSearchParams {
  const parameters = new URLSearchParams();
  const own = defaults(settings.data);
  for (const name of NAMES)
    if (name === "data" ? settings.data !== PLANE.data : !same(settings, own, name))
      parameters.set(FIELDS[name].key, text(settings, name));
  return parameters;
}

/** The settings that a URL holds; what it does not hold, or holds wrongly, is as by default. */
export function fromParameters(parameters: URLSearchParams): Settings {
  const given = parameters.get(FIELDS.data.key);
  const settings = defaults(DATA.find((data) => data === given));
  for (const name of NAMES) {
    const value = parameters.get(FIELDS[name].key);
    const read = value === null || name === "data" ? undefined : parse(FIELDS[name], value);
    if (read !== undefined) (settings as unknown as Record<string, unknown>)[name] = read;
  }
  return checked(settings);
}

/** Layers of images are for images only. */
function checked(settings: Settings): Settings {
  const { data, layers } = settings;
  return data !== "digits" && layers.some(({ type }) => type !== "dense")
    ? { ...settings, layers: defaults(data).layers }
    : settings;
}

/** The form in the URL. */
function text(settings: Settings, name: keyof Settings): string {
  const value = settings[name];
  if (name === "layers") return layersText(settings.layers);
  if (name === "points") return settings.points.map(pointText).join("");
  return typeof value === "boolean" ? `${+value}` : `${value}`;
}

/** undefined where it is no value of the field. */
function parse(field: Field, value: string): unknown {
  switch (field.kind) {
    case "choice":
      return field.options.find((option) => option === value);
    case "switch":
      return value === "1" ? true : value === "0" ? false : undefined;
    case "layers":
      return parseLayers(value);
    case "points":
      return parsePoints(value);
    case "number": {
      if (field.full && value === "full") return value;
      const number = value.trim() === "" ? Number.NaN : Number(value);
      const { stops, integer } = field;
      return number >= stops[0]! && number <= stops.at(-1)! && (!integer || Number.isInteger(number))
        ? number + 0
        : undefined;
    }
  }
}

/** `c8-p-32`: a convolution of 8 filters, a pooling, 32 units; `none` is no hidden layer. */
export function layersText(layers: readonly HiddenLayer[]): string {
  return (
    layers
      .map((layer) => (layer.type === "dense" ? layer.units : layer.type === "conv" ? `c${layer.filters}` : "p"))
      .join("-") || "none"
  );
}

/** undefined where the text is no list of layers that can be built. */
export function parseLayers(value: string): readonly HiddenLayer[] | undefined {
  if (value === "none") return [];
  const layers: HiddenLayer[] = [];
  let pools = 0;
  for (const part of value.split("-")) {
    const [, type, digits] = /^(c?|p)(\d{0,4})$/.exec(part) ?? [];
    const count = Number(digits);
    const dense = layers.at(-1)?.type === "dense";
    if (type === "" && count >= 1 && count <= MAX_UNITS) layers.push({ type: "dense", units: count });
    else if (type === "c" && !dense && count >= 1 && count <= MAX_FILTERS)
      layers.push({ type: "conv", filters: count });
    else if (type === "p" && !dense && digits === "" && ++pools <= MAX_POOLS) layers.push({ type: "pool" });
    else return undefined;
  }
  return layers.length <= MAX_LAYERS ? layers : undefined;
}

const LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/** Four letters: 10 bits a coordinate, 4 the class. */
function pointText({ x, y, label }: Point): string {
  const bits = ((cell(x) + GRID) * 1024 + cell(y) + GRID) * 16 + label;
  return [18, 12, 6, 0].map((shift) => LETTERS[(bits >>> shift) & 63]).join("");
}

function parsePoints(value: string): readonly Point[] | undefined {
  const points: Point[] = [];
  if (value.length % 4 || value.length > 4 * MAX_POINTS) return undefined;
  for (let at = 0; at < value.length; at += 4) {
    let bits = 0;
    for (const letter of value.slice(at, at + 4)) {
      const six = LETTERS.indexOf(letter);
      if (six < 0) return undefined;
      bits = bits * 64 + six;
    }
    const label = bits & 15;
    if (label >= MAX_CLASSES) return undefined;
    const x = (((bits >>> 14) - GRID) * EXTENT) / GRID;
    const y = ((((bits >>> 4) & 1023) - GRID) * EXTENT) / GRID;
    points.push({ x, y, label });
  }
  return points;
}
