// What each layer of Keras and TF.js is here.

import { show } from "../../errors";
import type { Shape } from "../../graph/graph";
import { activation, elu, leakyRelu, relu, softmax } from "../../layers/activation";
import { batchNorm } from "../../layers/batchNorm";
import { conv1d, conv2d, conv2dTranspose, depthwiseConv2d, separableConv2d } from "../../layers/convolution";
import { dense } from "../../layers/dense";
import { dropout } from "../../layers/dropout";
import { embedding } from "../../layers/embedding";
import { layerNorm } from "../../layers/groupNorm";
import { clip } from "../../layers/imported";
import { importedRecurrent } from "../../layers/importedRecurrent";
import type { Layer } from "../../layers/layer";
import { add, average, concatenate, maximum, multiply, subtract } from "../../layers/merge";
import { alphaDropout, gaussianDropout, gaussianNoise, spatialDropout2d } from "../../layers/noise";
import { averagePool2d, globalAveragePool2d, globalMaxPool2d, maxPool2d } from "../../layers/pooling";
import { prelu } from "../../layers/prelu";
import { bidirectional, gru, lstm, simpleRnn } from "../../layers/recurrent";
import { upSampling2d, zeroPadding2d } from "../../layers/resizing";
import { flatten, permute, rescaling, reshape } from "../../layers/shape";
import { isRecord } from "../../options";
import { own, Reader } from "./reader";

/** A layer of the file. */
export interface Plan {
  /** Layers, one behind the other, that are it on inputs of these shapes, which have no batch; what is wrong is a problem. */
  make(shapes: readonly Shape[]): Layer[];
  /** Our parameters that the file has no weights of: they stay 1 and 0. */
  absent: readonly string[];
}

type Translate = (o: Reader) => Plan | undefined;

const plan = (make: Plan["make"], absent: readonly string[] = []): Plan => ({ make, absent });

/** A layer that does not depend on what it is called on. */
const always =
  (make: (o: Reader) => Layer[]): Translate =>
  (o) => {
    const layers = o.try(() => make(o)) ?? [];
    return plan(() => layers);
  };

const images = (o: Reader) => o.only("data_format", "channels_last", undefined);

const window = (o: Reader, prefix?: string) => {
  images(o);
  const { options, then } = o.kernel(prefix);
  const strides = o.raw("strides");
  return { options: { ...options, strides, padding: o.raw("padding"), dilationRate: o.raw("dilation_rate") }, then };
};

/** The axis that is to be the last one of x, [n, …]. */
const lastAxis = (o: Reader, key = "axis") => {
  const axis = o.one(key) ?? -1;
  return (shape: Shape) => {
    if (axis !== -1 && axis !== shape.length) o.problem(`${key} ${show(axis)} of ${shape.length + 1} axes`);
  };
};

/** A layer that is checked against its input's shape. */
const checked = (layer: Layer | undefined, check: (shape: Shape) => void, absent?: readonly string[]): Plan =>
  plan(([shape]) => {
    check(shape!);
    return layer ? [layer] : [];
  }, absent);

/** Pooling of sequences [n, t, c], which are images of one column to us. */
const pool1d =
  (make: typeof maxPool2d): Translate =>
  (o) => {
    images(o);
    const size = o.one("pool_size") ?? 2;
    const strides = o.one("strides") ?? size;
    const padding = o.raw("padding");
    const options = { ...o.common(), strides: [strides, 1], padding };
    return onSequence(o, (column) => [column, make([size, 1] as never, options)], true);
  };

/** Layers of images on [n, t, c] as [n, t, 1, c]. `back`: they leave one. */
const onSequence = (o: Reader, make: (column: Layer) => Layer[], back: boolean): Plan =>
  plan(([shape]) => {
    if (shape?.length !== 2) {
      o.problem(`an input of ${(shape?.length ?? 0) + 1} axes`);
      return [];
    }
    const [steps, channels] = shape as [number, number];
    const layers = o.try(() => make(reshape([steps, 1, channels]))) ?? [];
    return back ? [...layers, reshape([-1, channels])] : layers;
  });

const pool2d = (make: typeof maxPool2d): Translate =>
  always((o) => {
    images(o);
    const options = { ...o.common(), strides: o.raw("strides"), padding: o.raw("padding") };
    return [make(o.raw("pool_size"), options)];
  });

const globalPool2d =
  (make: typeof globalMaxPool2d): Translate =>
  (o) => {
    images(o);
    const keeps = o.raw("keepdims") === true;
    const layer = o.try(() => make(o.common()));
    return plan(([shape]) => (layer ? [layer, ...(keeps ? [reshape([1, 1, shape!.at(-1)!])] : [])] : []));
  };

const globalPool1d =
  (make: typeof globalMaxPool2d): Translate =>
  (o) => {
    images(o);
    const keeps = o.raw("keepdims") === true;
    const options = o.common();
    return onSequence(o, (column) => [column, make(options), ...(keeps ? [reshape([1, -1])] : [])], false);
  };

const merge = (make: (options?: object) => Layer): Translate => always((o) => [make(o.common())]);

/** Normalization whose gamma and beta may be left out. */
const affine = (o: Reader) => {
  o.only("gamma_constraint", undefined);
  o.only("beta_constraint", undefined);
  for (const key of ["gamma", "beta", "moving_mean", "moving_variance"]) o.raw(`${key}_initializer`);
  const options = {
    ...o.common(),
    epsilon: o.raw("epsilon") ?? 0.001,
    gammaRegularizer: o.regularizer("gamma_regularizer"),
    betaRegularizer: o.regularizer("beta_regularizer"),
  };
  const absent = [["scale", "gamma"] as const, ["center", "beta"] as const];
  return { options, absent: absent.filter(([key]) => o.raw(key) === false).map(([, parameter]) => parameter) };
};

/** What a recurrent layer is, where ours is another one: of which gates, or in which order. */
function otherCell(o: Reader): { cell: string; slope?: number } | undefined {
  if (o.className === "SimpleRNN") return undefined;
  const gate: unknown = o.raw("recurrent_activation");
  const hard = gate === "hard_sigmoid";
  if (!hard) o.only("recurrent_activation", "sigmoid");
  const before = o.className === "GRU" && o.raw("reset_after") !== true;
  if (hard && o.className === "GRU" && !before) o.problem('recurrent_activation "hard_sigmoid" with reset_after');
  const ours = (o.raw("activation") ?? "linear") === "tanh";
  if (!hard && !before && (ours || o.className === "GRU")) return undefined;
  return { cell: o.className.toLowerCase(), ...(hard && { slope: o.keras3 ? 1 / 6 : 0.2 }) };
}

type Common = ReturnType<Reader["common"]>;

/** `both`: options of a layer that goes both ways. */
const cell = (make: typeof lstm | typeof gru | typeof simpleRnn, both?: Common): Translate =>
  always((o) => {
    const { options, then } = o.kernel();
    if (then.length) o.problem(`activation ${show(o.raw("activation"))}`);
    for (const key of ["return_state", "stateful", "go_backwards", "time_major"]) o.only(key, undefined, false);
    for (const key of ["dropout", "recurrent_dropout"]) o.only(key, undefined, 0);
    const other = otherCell(o);
    const recurrent = {
      recurrentInitializer: o.initializer("recurrent_initializer"),
      recurrentRegularizer: o.regularizer("recurrent_regularizer"),
      recurrentConstraint: o.constraint("recurrent_constraint"),
      returnSequences: o.raw("return_sequences"),
    };
    const all = { ...options, ...recurrent };
    if (other) {
      const activityRegularizer = both?.activityRegularizer ?? options.activityRegularizer;
      return [importedRecurrent(o.raw("units"), { ...all, ...both, ...other, activityRegularizer, both: !!both })];
    }
    const layer = (make as typeof lstm)(o.raw("units"), all);
    return [both ? bidirectional(layer, both) : layer];
  });

const cells = (both?: Common): Readonly<Record<string, Translate>> => ({
  SimpleRNN: cell(simpleRnn, both),
  LSTM: cell(lstm, both),
  GRU: cell(gru, both),
});

/** Of an image or sequence every position has the same. */
const sharedPrelu: Translate = (o) => {
  const shared: unknown = o.raw("shared_axes") ?? [];
  o.only("alpha_constraint", undefined);
  const alphaInitializer = o.initializer("alpha_initializer");
  const alphaRegularizer = o.regularizer("alpha_regularizer");
  const layer = o.try(() => prelu({ ...o.common(), alphaInitializer, alphaRegularizer }));
  return plan(([shape]) => {
    const axes = shape!.slice(1).map((_, i) => i + 1);
    if (!Array.isArray(shared) || shared.includes(shape!.length) || !axes.every((axis) => shared.includes(axis)))
      o.problem(`shared_axes ${show(shared)}, where one alpha a channel has ${show(axes)}`);
    return layer ? [layer] : [];
  });
};

const noise = (make: (rate: number, options?: object) => Layer, key = "rate"): Translate =>
  always((o) => {
    o.only("noise_shape", undefined);
    return [make(o.raw(key), o.common())];
  });

const layers = (): Readonly<Record<string, Translate>> => ({
  ...cells(),
  Dense: always((o) => {
    const { options, then } = o.kernel();
    return [dense(o.raw("units"), options), ...then];
  }),
  Activation: always((o) => {
    const { activation: name, then } = o.activation();
    const options = o.common();
    if (then.length && options.activityRegularizer) o.problem("activity_regularizer behind this activation");
    return then.length ? then : [activation(name, options)];
  }),
  ReLU: always((o) => {
    const most = o.raw("max_value");
    const negativeSlope = o.raw("negative_slope") ?? 0;
    o.only("threshold", undefined, 0);
    const options = o.common();
    if (most === undefined) return [negativeSlope === 0 ? relu(options) : leakyRelu({ ...options, negativeSlope })];
    if (negativeSlope !== 0 || most < 0)
      o.problem(`max_value ${show(most)} with negative_slope ${show(negativeSlope)}`);
    return [clip({ ...options, low: 0, high: most })];
  }),
  LeakyReLU: always((o) => {
    const slopes = [o.raw("alpha"), o.raw("negative_slope")];
    return [leakyRelu({ ...o.common(), negativeSlope: slopes[0] ?? slopes[1] ?? 0.3 })];
  }),
  PReLU: sharedPrelu,
  ELU: always((o) => [elu({ ...o.common(), alpha: o.raw("alpha") })]),
  Softmax: (o) => {
    const check = lastAxis(o);
    const layer = o.try(() => softmax(o.common()));
    return checked(layer, check);
  },
  Conv1D: always((o) => {
    const { options, then } = window(o);
    const sizes = { strides: o.one("strides"), dilationRate: o.one("dilation_rate"), groups: o.raw("groups") };
    return [conv1d(o.raw("filters"), o.one("kernel_size"), { ...options, ...sizes }), ...then];
  }),
  Conv2D: always((o) => {
    const { options, then } = window(o);
    return [conv2d(o.raw("filters"), o.raw("kernel_size"), { ...options, groups: o.raw("groups") }), ...then];
  }),
  DepthwiseConv2D: always((o) => {
    o.only("groups", undefined, 1);
    const { options, then } = window(o, "depthwise");
    return [depthwiseConv2d(o.raw("kernel_size"), { ...options, depthMultiplier: o.raw("depth_multiplier") }), ...then];
  }),
  SeparableConv2D: always((o) => {
    o.only("groups", undefined, 1);
    for (const key of ["kernel_regularizer", "kernel_constraint"]) o.only(key, undefined);
    o.raw("kernel_initializer");
    const { options, then } = window(o, "depthwise");
    const pointwise = [o.regularizer("pointwise_regularizer"), o.constraint("pointwise_constraint")];
    o.initializer("pointwise_initializer");
    const ours = [options.kernelRegularizer, options.kernelConstraint];
    if (JSON.stringify(pointwise) !== JSON.stringify(ours))
      o.problem("a pointwise_regularizer or pointwise_constraint that the depthwise kernel has not");
    const depthMultiplier = o.raw("depth_multiplier");
    return [separableConv2d(o.raw("filters"), o.raw("kernel_size"), { ...options, depthMultiplier }), ...then];
  }),
  Conv2DTranspose: always((o) => {
    o.only("groups", undefined, 1);
    o.only("output_padding", undefined);
    const { options, then } = window(o);
    return [conv2dTranspose(o.raw("filters"), o.raw("kernel_size"), options), ...then];
  }),
  MaxPooling1D: pool1d(maxPool2d),
  AveragePooling1D: pool1d(averagePool2d),
  MaxPooling2D: pool2d(maxPool2d),
  AveragePooling2D: pool2d(averagePool2d),
  GlobalMaxPooling1D: globalPool1d(globalMaxPool2d),
  GlobalAveragePooling1D: globalPool1d(globalAveragePool2d),
  GlobalMaxPooling2D: globalPool2d(globalMaxPool2d),
  GlobalAveragePooling2D: globalPool2d(globalAveragePool2d),
  BatchNormalization(o) {
    const check = lastAxis(o);
    const { options, absent } = affine(o);
    const layer = o.try(() => batchNorm({ ...options, momentum: o.raw("momentum") ?? 0.99 }));
    return checked(layer, check, absent);
  },
  LayerNormalization(o) {
    const check = lastAxis(o);
    const { options, absent } = affine(o);
    const layer = o.try(() => layerNorm(options));
    return checked(layer, check, absent);
  },
  Dropout: noise(dropout),
  SpatialDropout1D(o) {
    const rate = o.raw("rate");
    const options = o.common();
    return onSequence(o, (column) => [column, spatialDropout2d(rate, options)], true);
  },
  SpatialDropout2D: always((o) => {
    images(o);
    return [spatialDropout2d(o.raw("rate"), o.common())];
  }),
  GaussianNoise: noise(gaussianNoise, "stddev"),
  GaussianDropout: noise(gaussianDropout),
  AlphaDropout: noise(alphaDropout),
  Flatten: always((o) => {
    images(o);
    return [flatten(o.common())];
  }),
  Reshape: always((o) => {
    const shape = o.raw("target_shape");
    // TF.js writes null for what the others leave
    return [reshape(Array.isArray(shape) ? shape.map((d: unknown) => d ?? -1) : shape, o.common())];
  }),
  Permute: always((o) => [permute(o.raw("dims"), o.common())]),
  Rescaling: always((o) => [rescaling({ ...o.common(), scale: o.raw("scale"), offset: o.raw("offset") })]),
  Embedding: always((o) => {
    o.only("mask_zero", undefined, false);
    const options = {
      ...o.common(),
      embeddingsInitializer: o.initializer("embeddings_initializer"),
      embeddingsRegularizer: o.regularizer("embeddings_regularizer"),
      embeddingsConstraint: o.constraint("embeddings_constraint"),
    };
    return [embedding(o.raw("input_dim"), o.raw("output_dim"), options)];
  }),
  Bidirectional(o) {
    o.only("merge_mode", "concat");
    o.only("backward_layer", undefined);
    const inner = o.raw("layer");
    const className = own(inner, "class_name");
    const config: unknown = own(inner, "config");
    if (typeof className !== "string" || !Object.hasOwn(cells(), className) || !isRecord(config)) {
      o.problem(`layer ${typeof className === "string" ? className : "without a class_name"}`);
      return undefined;
    }
    const reader = new Reader(className, config, o.name, o.problems, o.keras3);
    const both = cells(o.common())[className]!(reader);
    reader.finish();
    return both;
  },
  UpSampling2D: always((o) => {
    images(o);
    o.only("interpolation", undefined, "nearest"); // TF.js places the pixels of "bilinear" otherwise than Keras
    return [upSampling2d(o.raw("size"), o.common())];
  }),
  ZeroPadding2D: always((o) => {
    images(o);
    return [zeroPadding2d(o.raw("padding"), o.common())];
  }),
  Add: merge(add),
  Subtract: merge(subtract),
  Multiply: merge(multiply),
  Average: merge(average),
  Maximum: merge(maximum),
  Concatenate: always((o) => [concatenate({ ...o.common(), axis: o.raw("axis") })]),
});

/** Made when it is first needed: a bundle without importTfjs is to have none of it. */
let table: Readonly<Record<string, Translate>> | undefined;

/** What a layer is here; nothing and a problem where it is not covered. */
export function translate(o: Reader): Plan | undefined {
  const { className, problems } = o;
  table ??= layers();
  if (!Object.hasOwn(table, className)) {
    o.problem("no layer of downhill's");
    return undefined;
  }
  const before = problems.length;
  const found = table[className]!(o);
  o.finish();
  return problems.length === before ? found : undefined;
}
