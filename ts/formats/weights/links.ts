// Which tensors of a file are which parameters of a layer, in the names and layouts of PyTorch and of Keras.

import { permute } from "../../data/permute";
import { argumentError } from "../../errors";
import { type Shape, sizeOf } from "../../graph/graph";
import type { Symbolic } from "../../layers/layer";
import type { ModelLayer } from "../../training/structure";

/** A tensor of the file that a layer needs. */
export interface Part {
  /** Behind the module's name; the first is the one that is written. */
  names: readonly string[];
  shape: Shape;
  /** It may also be one number for all, or have axes of 1 in front. */
  loose?: "one" | "ones";
}

/** Parts of a module and the parameters of a layer that hold the same numbers. */
export interface Link {
  theirs: readonly Part[];
  /** Without the layer's name. */
  ours: readonly string[];
  read(theirs: Float32Array[]): Float32Array[];
  write(ours: Float32Array[]): Float32Array[];
}

/** Whose names and layouts a file has. */
export type Layout = "torch" | "keras";

/** The links of a layer; between them they name each of its parameters once. */
export function linksOf(layer: ModelLayer, layout: Layout | undefined): Link[] {
  const shapes = new Map(layer.entries.map(({ key, shape }) => [key.slice(layer.name.length + 1), shape]));
  const found = layout && (layout === "torch" ? torch : keras)(layer, shapes);
  return found ?? [...shapes].map(([key, shape]) => same(key, shape));
}

const same = (key: string, shape: Shape, ...names: string[]): Link => ({
  theirs: [{ names: names.length ? names : [key], shape }],
  ours: [key],
  read: (theirs) => theirs,
  write: (ours) => ours,
});

/** `view`: the file's numbers as an array of that shape, of which axes[k] is our axis k. */
const moved = (name: string, key: string, view: Shape, axes: readonly number[], shape = view): Link => ({
  theirs: [{ names: [name], shape }],
  ours: [key],
  read: ([theirs]) => [transposed(theirs!, view, axes)],
  write: ([ours]) => [
    transposed(
      ours!,
      axes.map((axis) => view[axis]!),
      view.map((_, axis) => axes.indexOf(axis)),
    ),
  ],
});

/** Axis k of the result is axis axes[k] of x. */
const transposed = (x: Float32Array, shape: Shape, axes: readonly number[]): Float32Array =>
  permute(new Float32Array(x.length), x, shape, axes);

/** The matrix [out, in] that is our [in, out]. */
const matrix = (name: string, key: string, ours: Shape): Link => moved(name, key, [ours[1]!, ours[0]!], [1, 0]);

type Shapes = ReadonlyMap<string, Shape>;

/** The links of a type that has a name there, or nothing: then names and layouts are ours. */
type Table = (layer: ModelLayer, shapes: Shapes) => Link[] | undefined;

/** Of those that the layer has. */
const present = (shapes: Shapes, links: Record<string, (shape: Shape) => Link>): Link[] =>
  [...shapes].map(([key, shape]) => links[key]!(shape));

// PyTorch

const torch: Table = (layer, shapes) => {
  const { type } = layer;
  const image = flattenedBefore(layer);
  // of an image [h, w, c] that was flattened, PyTorch has the channels first
  const features = image && [image.at(-1)!, ...image.slice(0, -1)];
  const channelsLast = features && [...features.slice(1).map((_, i) => i + 1), 0];
  const one = (name: string, key: string) => (shape: Shape) =>
    features ? moved(name, key, features, channelsLast!, shape) : same(key, shape, name);
  const bias = { bias: (shape: Shape) => same("bias", shape) };
  const statistics = {
    movingMean: one("running_mean", "movingMean"),
    movingVariance: one("running_var", "movingVariance"),
  };
  const affine = { gamma: one("weight", "gamma"), beta: one("bias", "beta") };
  switch (type) {
    case "dense":
      return present(shapes, {
        ...bias,
        kernel([rows, units]) {
          if (!features) return matrix("weight", "kernel", [rows!, units!]);
          const axes = [...channelsLast!.map((axis) => axis + 1), 0];
          return moved("weight", "kernel", [units!, ...features], axes, [units!, rows!]);
        },
      });
    case "conv1d":
      return present(shapes, {
        ...bias,
        kernel: ([k, inputs, out]) => moved("weight", "kernel", [out!, inputs!, k!], [2, 1, 0]),
      });
    case "conv2d":
      return present(shapes, {
        ...bias,
        kernel: ([h, w, inputs, out]) => moved("weight", "kernel", [out!, inputs!, h!, w!], [2, 3, 1, 0]),
      });
    case "depthwiseConv2d":
      return present(shapes, { ...bias, kernel: (shape) => depthwise("weight", "kernel", shape) });
    case "separableConv2d":
      return present(shapes, {
        depthwiseKernel: (shape) => depthwise("depthwise.weight", "depthwiseKernel", shape),
        pointwiseKernel: ([, , inputs, out]) =>
          moved("pointwise.weight", "pointwiseKernel", [out!, inputs!, 1, 1], [2, 3, 1, 0]),
        bias: (shape) => same("bias", shape, "pointwise.bias"),
      });
    case "conv2dTranspose":
      return present(shapes, {
        ...bias,
        kernel: ([h, w, out, inputs]) => moved("weight", "kernel", [inputs!, out!, h!, w!], [2, 3, 1, 0]),
      });
    case "batchNorm":
      return present(shapes, { ...affine, ...statistics });
    case "layerNorm":
    case "groupNorm":
      return present(shapes, affine);
    case "prelu":
      return present(shapes, {
        alpha(shape) {
          const link = one("weight", "alpha")(shape);
          return { ...link, theirs: [{ ...link.theirs[0]!, loose: "one" }] };
        },
      });
    case "embedding":
      return present(shapes, { embeddings: (shape) => same("embeddings", shape, "weight") });
    case "simpleRnn":
    case "lstm":
    case "gru":
      return torchCell(shapes, "", "");
    case "bidirectional":
      return [...torchCell(shapes, "forward/", ""), ...torchCell(shapes, "backward/", "_reverse")];
    case "multiHeadAttention":
      return torchAttention(layer.name, shapes);
    default:
      return undefined;
  }
};

/** [in·m, 1, kh, kw], channel c·m + i, for our [kh, kw, in, m]. */
const depthwise = (name: string, key: string, [h, w, inputs, m]: Shape): Link =>
  moved(name, key, [inputs!, m!, h!, w!], [2, 3, 0, 1], [inputs! * m!, 1, h!, w!]);

function torchCell(shapes: Shapes, prefix: string, suffix: string): Link[] {
  const name = (part: string) => `${part}_l0${suffix}`;
  const links = [
    matrix(name("weight_ih"), `${prefix}kernel`, shapes.get(`${prefix}kernel`)!),
    matrix(name("weight_hh"), `${prefix}recurrentKernel`, shapes.get(`${prefix}recurrentKernel`)!),
  ];
  const bias = shapes.get(`${prefix}bias`);
  const both = [name("bias_ih"), name("bias_hh")] as const;
  if (shapes.has(`${prefix}recurrentBias`))
    links.push(same(`${prefix}bias`, bias!, both[0]), same(`${prefix}recurrentBias`, bias!, both[1]));
  else if (bias)
    links.push({
      theirs: both.map((part) => ({ names: [part], shape: bias })),
      ours: [`${prefix}bias`],
      read: ([input, hidden]) => [input!.map((b, i) => b + hidden![i]!)],
      write: ([ours]) => [ours!, ours!.map(() => -0)], // x + (−0) is x to the bit
    });
  return links;
}

const ROLES = ["query", "key", "value"] as const;

/** torch.nn.MultiheadAttention: [in, heads, dim] is a matrix [heads·dim, in], one above the other where all inputs are alike. */
function torchAttention(who: string, shapes: Shapes): Link[] {
  const kernels = ROLES.map((role) => shapes.get(`${role}/kernel`)!);
  const width = kernels[0]![0]!;
  if (kernels.some(([, heads, dim]) => heads! * dim! !== width))
    throw argumentError(
      `${who}: layout "torch"`,
      `heads·keyDim and heads·valueDim of ${width}, the query's width`,
      kernels.map(([, heads, dim]) => heads! * dim!),
    );
  const links: Link[] = [];
  const stack = (name: string, ours: string[], shape: Shape, turned: boolean) => {
    const rows = width * width;
    const size = turned ? rows : width;
    const turn = (x: Float32Array) => (turned ? transposed(x, [width, width], [1, 0]) : x);
    links.push({
      theirs: [{ names: [name], shape }],
      ours,
      read: ([theirs]) => ours.map((_, i) => turn(theirs!.slice(i * size, (i + 1) * size))),
      write(given) {
        const all = new Float32Array(3 * size);
        given.forEach((x, i) => {
          all.set(turn(x), i * size);
        });
        return [all];
      },
    });
  };
  if (kernels.every(([inputs]) => inputs === width))
    stack(
      "in_proj_weight",
      ROLES.map((role) => `${role}/kernel`),
      [3 * width, width],
      true,
    );
  else
    ROLES.forEach((role, i) => {
      const inputs = kernels[i]![0]!;
      links.push(moved(`${role[0]}_proj_weight`, `${role}/kernel`, [width, inputs], [1, 0]));
    });
  if (shapes.has("query/bias"))
    stack(
      "in_proj_bias",
      ROLES.map((role) => `${role}/bias`),
      [3 * width],
      false,
    );
  links.push(moved("out_proj.weight", "output/kernel", [width, width], [1, 0]));
  if (shapes.has("output/bias")) links.push(same("output/bias", [width], "out_proj.bias"));
  return links;
}

/** Layers behind which a flattened image still is one: they work element by element, or feature by feature. */
const KEEPING = [
  ...["activation", "elu", "gelu", "leakyRelu", "prelu", "relu", "selu", "sigmoid", "silu", "softplus", "tanh"],
  ...["alphaDropout", "dropout", "gaussianDropout", "gaussianNoise", "rescaling", "batchNorm", "layerNorm", "softmax"],
];

/** The layers that came before on the way from x, nearest first, as long as they have one input. */
function* before(x: Symbolic): Generator<{ type: string; from: Symbolic }> {
  for (let { call } = x; call?.inputs.length === 1; { call } = call.inputs[0]!)
    yield { type: call.layer.config.type, from: call.inputs[0]! };
}

/**
 * The shape [h, w, c] of the image, or [t, c] of what a convolution made of a sequence, whose numbers the layer is given in
 * one row: PyTorch, which has channels first, has them in another order.
 */
function flattenedBefore({ calls }: ModelLayer): Shape | undefined {
  const x = calls[0]!.inputs[0]!;
  if (x.shape.length !== 1) return undefined;
  for (const { type, from } of before(x))
    if (type === "flatten" || type === "reshape") {
      const { length } = from.shape;
      return length === 3 || (length === 2 && isConvolved(from)) ? from.shape : undefined;
    } else if (!KEEPING.includes(type)) return undefined;
  return undefined;
}

function isConvolved(x: Symbolic): boolean {
  for (const { type } of before(x)) if (!KEEPING.includes(type)) return type === "conv1d";
  return false;
}

// Keras

const keras: Table = ({ type }, shapes) => {
  const named = (names: Record<string, string[]>) =>
    [...shapes].map(([key, shape]) => same(key, shape, ...(names[key] ?? [key])));
  switch (type) {
    case "depthwiseConv2d":
      return named({ kernel: ["depthwise_kernel", "kernel"] });
    case "separableConv2d":
      return named({ depthwiseKernel: ["depthwise_kernel"], pointwiseKernel: ["pointwise_kernel"] });
    case "batchNorm":
      return named({ movingMean: ["moving_mean"], movingVariance: ["moving_variance"] });
    case "prelu":
      return [...shapes].map(([key, shape]) => ({
        ...same(key, shape),
        theirs: [{ names: [key], shape, loose: "ones" }],
      }));
    case "simpleRnn":
    case "lstm":
    case "gru":
      return kerasCell(shapes, "");
    case "bidirectional":
      return [...kerasCell(shapes, "forward/"), ...kerasCell(shapes, "backward/")];
    case "importedRecurrent":
      return [...shapes].map(([key, shape]) => same(key, shape, key.replace("recurrentKernel", "recurrent_kernel")));
    case "multiHeadAttention":
      return named({
        "output/kernel": ["attention_output/kernel", "output/kernel"],
        "output/bias": ["attention_output/bias", "output/bias"],
      });
    default:
      return undefined;
  }
};

/** Gates are in our order but for a GRU's, z r h, whose two biases are the rows of one array. */
function kerasCell(shapes: Shapes, prefix: string): Link[] {
  const kernel = shapes.get(`${prefix}kernel`)!;
  const recurrent = shapes.get(`${prefix}recurrentKernel`)!;
  const bias = shapes.get(`${prefix}bias`);
  const gates = recurrent[1]! / recurrent[0]!;
  const name = (part: string) => `${prefix}${part}`;
  const links = [
    same(name("kernel"), kernel, name("kernel")),
    same(name("recurrentKernel"), recurrent, name("recurrent_kernel")),
  ];
  if (gates !== 3) return bias ? [...links, same(name("bias"), bias, name("bias"))] : links;
  const units = recurrent[0]!;
  const turn = (x: Float32Array) => withSwapped(x, units);
  const turned = links.map((link) => ({
    ...link,
    read: (theirs: Float32Array[]) => theirs.map(turn),
    write: (ours: Float32Array[]) => ours.map(turn),
  }));
  if (bias)
    turned.push({
      theirs: [{ names: [name("bias")], shape: [2, 3 * units] }],
      ours: [name("bias"), name("recurrentBias")],
      read: ([theirs]) => [turn(theirs!.slice(0, 3 * units)), turn(theirs!.slice(3 * units))],
      write([input, hidden]) {
        const rows = new Float32Array(6 * units);
        rows.set(turn(input!));
        rows.set(turn(hidden!), 3 * units);
        return [rows];
      },
    });
  return turned;
}

/** Rows of three gates, the first two of which are exchanged. */
function withSwapped(x: Float32Array, units: number): Float32Array {
  const y = x.slice();
  for (let row = 0; row < x.length; row += 3 * units) {
    y.set(x.subarray(row + units, row + 2 * units), row);
    y.set(x.subarray(row, row + units), row + units);
  }
  return y;
}

/** Whether a tensor of that shape is the part. */
export function fits({ shape, loose }: Part, given: Shape, loosely = true): boolean {
  if (loosely && loose === "one" && `${given}` === "1") return true;
  const front = loosely && loose === "ones" ? Math.max(0, given.length - shape.length) : 0;
  return `${given.slice(front)}` === `${shape}` && given.slice(0, front).every((d) => d === 1);
}

/** The numbers of a part, where one stands for all. */
export const spread = ({ shape }: Part, data: Float32Array): Float32Array =>
  data.length === sizeOf(shape) ? data : new Float32Array(sizeOf(shape)).fill(data[0]!);
