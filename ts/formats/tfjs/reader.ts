// A layer's config as Keras and TF.js write it, read key by key. What nothing reads, and is not known to say nothing, is a
// problem: it might change what the layer does.

import { maxNorm, minMaxNorm, nonNeg, unitNorm } from "../../constraints/constraints";
import { DownhillError, show } from "../../errors";
import {
  constant,
  glorotNormal,
  glorotUniform,
  heNormal,
  heUniform,
  lecunNormal,
  lecunUniform,
  ones,
  orthogonal,
  randomNormal,
  randomUniform,
  truncatedNormal,
  varianceScaling,
  zeros,
} from "../../initializers/initializers";
import { leakyRelu } from "../../layers/activation";
import { clip } from "../../layers/imported";
import type { Layer } from "../../layers/layer";
import { rescaling } from "../../layers/shape";
import { isRecord } from "../../options";
import type { Built } from "../../registry";
import { l1, l1l2, l2 } from "../../regularizers/regularizers";

// biome-ignore lint/suspicious/noExplicitAny: what a file holds is checked by the factories that are given it
type Any = any;

/** An own property that is not null. */
export const own = (record: unknown, key: string): Any =>
  isRecord(record) && Object.hasOwn(record, key) ? (record[key] ?? undefined) : undefined;

/** A text as an error may have it. */
export const short = (text: string): string => (text.length > 200 ? `${text.slice(0, 200)}…` : text);

/** Keys that say nothing about what a layer computes. */
const SILENT = /* @__PURE__ */ new Set([
  ...["name", "trainable", "dtype", "batch_input_shape", "batch_shape", "input_shape", "input_dtype", "batch_size"],
  ...["seed", "implementation", "unroll", "use_cudnn", "input_length", "sparse", "ragged", "optional"],
  ...[
    "unit_forget_bias",
    "autocast",
    "build_config",
    "synchronized",
    "fused",
    "zero_output_for_mask",
    "supports_masking",
  ],
]);

/** min(max(scale·x + ½, 0), 1) */
const hardSigmoid = (scale: number): Layer[] => [rescaling({ scale, offset: 0.5 }), clip({ low: 0, high: 1 })];

const ACTIVATIONS: Readonly<Record<string, string>> = {
  ...{ linear: "linear", relu: "relu", elu: "elu", selu: "selu", sigmoid: "sigmoid", tanh: "tanh", gelu: "gelu" },
  ...{ softplus: "softplus", softmax: "softmax", swish: "silu", silu: "silu" },
};

export class Reader {
  /** Where the layer stands in errors. */
  readonly who: string;
  readonly #read = new Set<string>();

  /** `name`: what the layer is called here. `keras3`: whether Keras 3 wrote it, some of whose formulas differ. */
  constructor(
    readonly className: string,
    readonly config: Record<string, unknown>,
    readonly name: string,
    readonly problems: string[],
    readonly keras3: boolean,
  ) {
    this.who = `${name} (${className})`;
  }

  /** A value that is not null. */
  raw(key: string): Any {
    this.#read.add(key);
    return own(this.config, key);
  }

  problem(text: string): void {
    this.problems.push(short(`${this.who}: ${text}`));
  }

  /** A value is one of these, or absent where that is one of them. */
  only(key: string, ...allowed: unknown[]): void {
    const value = this.raw(key);
    if (!allowed.includes(value)) this.problem(`${key} ${show(value)}`);
  }

  /** The one number of a list of one. */
  one(key: string): Any {
    const value = this.raw(key);
    return Array.isArray(value) && value.length === 1 ? value[0] : value;
  }

  /** What `make` makes; what it throws is a problem. */
  try<T>(make: () => T): T | undefined {
    try {
      return make();
    } catch (error) {
      if (!(error instanceof DownhillError)) throw error;
      this.problem(error.message.replace(/^\w+: /, ""));
      return undefined;
    }
  }

  /** Options of every layer. */
  common(): Any {
    const activityRegularizer = this.regularizer("activity_regularizer");
    return { name: this.name, ...(this.raw("trainable") === false && { trainable: false }), activityRegularizer };
  }

  /** Names of options that are left and say something. */
  finish(): void {
    for (const [key, value] of Object.entries(this.config))
      if (!this.#read.has(key) && !SILENT.has(key) && value !== null && value !== false)
        this.problem(`${key} ${show(value)}`);
  }

  /** Options of a kernel, a bias and an activation; `then`: layers that the activation is where it is no option. */
  kernel(prefix = "kernel"): { options: Any; then: Layer[] } {
    const { activation, then } = this.activation();
    const options = {
      ...this.common(),
      activation,
      useBias: this.raw("use_bias"),
      kernelInitializer: this.initializer(`${prefix}_initializer`),
      biasInitializer: this.initializer("bias_initializer"),
      kernelRegularizer: this.regularizer(`${prefix}_regularizer`),
      biasRegularizer: this.regularizer("bias_regularizer"),
      kernelConstraint: this.constraint(`${prefix}_constraint`),
      biasConstraint: this.constraint("bias_constraint"),
    };
    if (then.length && options.activityRegularizer) this.problem("activity_regularizer behind this activation");
    return { options, then };
  }

  /** An activation by name: ours, or layers. */
  activation(key = "activation"): { activation: Any; then: Layer[] } {
    const name = this.raw(key) ?? "linear";
    if (typeof name === "string" && Object.hasOwn(ACTIVATIONS, name))
      return { activation: ACTIVATIONS[name], then: [] };
    if (name === "relu6") return { activation: undefined, then: [clip({ low: 0, high: 6 })] };
    if (name === "hard_sigmoid") return { activation: undefined, then: hardSigmoid(this.keras3 ? 1 / 6 : 0.2) };
    if (name === "leaky_relu") return { activation: undefined, then: [leakyRelu({ negativeSlope: 0.2 })] };
    this.problem(`${key} ${show(name)}`);
    return { activation: undefined, then: [] };
  }

  /** `{ class_name, config }`, or nothing where it is null. */
  #object(key: string): { className: string; config: Any } | undefined {
    const value = this.raw(key);
    if (value === undefined) return undefined;
    const className = own(value, "class_name");
    if (typeof className === "string") return { className, config: own(value, "config") };
    return { className: typeof value === "string" ? value : show(value), config: undefined };
  }

  /** Keras adds c·Σw², we add c·½Σw². */
  regularizer(key: string): Built | undefined {
    const given = this.#object(key);
    if (!given) return undefined;
    const { className, config } = given;
    const twice = (c: Any) => (typeof c === "number" ? 2 * c : c);
    return this.try(() => {
      if (className === "L1L2") return l1l2({ l1: own(config, "l1") ?? 0, l2: twice(own(config, "l2") ?? 0) });
      if (className === "L2") return l2(twice(own(config, "l2")));
      if (className === "L1") return l1(own(config, "l1"));
      this.problem(`${key} ${className}`);
      return undefined;
    });
  }

  constraint(key: string): Built | undefined {
    const given = this.#object(key);
    if (!given) return undefined;
    const { className, config } = given;
    const axis = own(config, "axis");
    return this.try(() => {
      if (className === "MaxNorm") return maxNorm({ maxValue: own(config, "max_value"), axis });
      if (className === "NonNeg") return nonNeg();
      if (className === "UnitNorm") return unitNorm({ axis });
      if (className === "MinMaxNorm") {
        const [minValue, maxValue, rate] = ["min_value", "max_value", "rate"].map((name) => own(config, name));
        return minMaxNorm({ minValue, maxValue, rate, axis });
      }
      this.problem(`${key} ${className}`);
      return undefined;
    });
  }

  /** What the layer would begin with; as its weights are in the file, one that we have not is no problem. */
  initializer(key: string): Built | undefined {
    const { className, config } = this.#object(key) ?? { className: "", config: undefined };
    const option = (name: string) => own(config, name);
    const plain = {
      GlorotUniform: glorotUniform,
      GlorotNormal: glorotNormal,
      HeNormal: heNormal,
      HeUniform: heUniform,
    };
    const more = { LecunNormal: lecunNormal, LecunUniform: lecunUniform, Zeros: zeros, Ones: ones };
    const makers: Record<string, () => Built> = {
      ...plain,
      ...more,
      Constant: () => constant(option("value")),
      RandomNormal: () => randomNormal({ mean: option("mean"), stddev: option("stddev") }),
      TruncatedNormal: () => truncatedNormal({ mean: option("mean"), stddev: option("stddev") }),
      RandomUniform: () => randomUniform({ minval: option("minval"), maxval: option("maxval") }),
      Orthogonal: () => orthogonal({ gain: option("gain") }),
      VarianceScaling: () =>
        varianceScaling({
          scale: option("scale"),
          mode: camel(option("mode")),
          distribution: camel(option("distribution") === "normal" ? "truncated_normal" : option("distribution")),
        }),
    };
    try {
      return Object.hasOwn(makers, className) ? makers[className]!() : undefined;
    } catch (error) {
      if (error instanceof DownhillError) return undefined;
      throw error;
    }
  }
}

const camel = (text: Any): Any =>
  typeof text === "string" ? text.replace(/_(\w)/g, (_, letter: string) => letter.toUpperCase()) : text;
