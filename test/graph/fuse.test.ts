import { describe, expect, test } from "vitest";
import { Epilogue, SourceType, State } from "../../assembly/isa";
import { fuse } from "../../ts/graph/fuse";
import { gradient, prune } from "../../ts/graph/gradient";
import { Graph, Span, type Tensor } from "../../ts/graph/graph";
import { plan } from "../../ts/graph/plan";
import { gelu, relu, sigmoid, tanh } from "../../ts/ops/activations";
import { batchNorm, batchNormInference } from "../../ts/ops/batchNorm";
import { biasAdd } from "../../ts/ops/bias";
import { dropout } from "../../ts/ops/dropout";
import { add, affine } from "../../ts/ops/elementwise";
import { gather } from "../../ts/ops/gather";
import { matmul } from "../../ts/ops/gemm";
import { numbers } from "../support/checkOp";
import { Core } from "../support/core";
import { leaf, names } from "../support/graphs";
import { runGraph } from "../support/runGraph";

const epsilon = 1e-3;

/** What a graph is built with: leaves by shape, kept results, the gradient. */
class Sketch {
  readonly graph = new Graph();
  #seed = 0;

  constructor(readonly core: Core) {
    const source = core.floats(numbers(40 * 9, 7));
    core.state.u32[State.sources] = source.address;
    core.state.u32[State.rowCount] = 33;
  }

  leaf(...shape: number[]): Tensor {
    this.#seed++;
    return leaf(this.graph, shape, this.core, this.#seed, `leaf ${this.#seed}`);
  }

  batch(): Tensor {
    return gather(this.graph, { slot: 0, shape: [33, 9], type: SourceType.float32 });
  }

  keep(t: Tensor): Tensor {
    this.graph.kept.add(t);
    return t;
  }

  /** Keeps the gradients of Σ y·c. */
  backward(y: Tensor, targets: Tensor[]): void {
    const dy = this.leaf(...y.shape);
    this.graph.span = Span.backward;
    const found = gradient(this.graph, [[y, dy]], targets, (a, b) => add([a, b], {}));
    for (const g of found.values()) this.keep(g);
  }
}

type Build = (sketch: Sketch) => void;

function built(build: Build, fused: boolean, core = new Core()): Graph {
  const sketch = new Sketch(core);
  build(sketch);
  prune(sketch.graph);
  if (fused) fuse(sketch.graph);
  prune(sketch.graph);
  return sketch.graph;
}

/** Bits of all that is kept. */
function bits(build: Build, fused: boolean): Uint32Array[] {
  const core = new Core();
  const graph = built(build, fused, core);
  const { read } = runGraph(core, graph, plan(graph, 1));
  return [...graph.kept].map(read);
}

const CASES: Record<string, { build: Build; fused: string[] }> = {
  "bias into the product": {
    build: (s) => s.keep(biasAdd([matmul(s.leaf(33, 9), s.leaf(9, 5)), s.leaf(5)], {})),
    fused: ["gemm"],
  },
  "bias and ReLU into the product": {
    build: (s) => s.keep(relu([biasAdd([matmul(s.leaf(33, 9), s.leaf(9, 5)), s.leaf(5)], {})], {})),
    fused: ["gemm"],
  },
  "ReLU into a product without bias": {
    build: (s) => s.keep(relu([matmul(s.leaf(33, 9), s.leaf(9, 5))], {})),
    fused: ["gemm"],
  },
  "no other activation into the product": {
    build: (s) => s.keep(gelu([biasAdd([matmul(s.leaf(33, 9), s.leaf(9, 5)), s.leaf(5)], {})], {})),
    fused: ["gemm", "gelu"],
  },
  "a rescaling into the gather": {
    build: (s) => s.keep(affine([s.batch()], { scale: 0.3, offset: -0.7 })),
    fused: ["gather"],
  },
  "only one rescaling into the gather": {
    build: (s) => s.keep(affine([affine([s.batch()], { scale: 0.3, offset: -0.7 })], { scale: 2, offset: 0 })),
    fused: ["gather", "affine"],
  },
  "ReLU into batch normalization, its backward pass too": {
    build(s) {
      const [x, gamma, beta] = [s.keep(tanh([s.leaf(33, 5)], {})), s.leaf(5), s.leaf(5)];
      s.backward(relu([batchNorm([x, gamma, beta], { epsilon })], {}), [x, gamma, beta]);
    },
    fused: ["tanh", "batchNorm", "batchNormBackward"],
  },
  "ReLU into batch normalization with moving statistics, its backward pass too": {
    build(s) {
      const [x, gamma, beta, mean] = [s.keep(tanh([s.leaf(33, 5)], {})), s.leaf(5), s.leaf(5), s.leaf(5)];
      const variance = s.keep(affine([sigmoid([s.leaf(5)], {})], { scale: 1, offset: 0.1 }));
      s.backward(relu([batchNormInference([x, gamma, beta, mean, variance], { epsilon })], {}), [x, gamma, beta]);
    },
    fused: ["tanh", "sigmoid", "affine", "batchNormInference", "batchNormBackward"],
  },
};

for (const activation of [relu, tanh, sigmoid])
  CASES[`${activation.name}'s derivative into the gradient's product`] = {
    build(s) {
      const [x, w] = [s.leaf(33, 9), s.leaf(9, 5)];
      const h = activation([x], {});
      s.backward(matmul(h, w), [x, w]);
    },
    fused: [activation.name, "gemm", "gemm"],
  };

CASES["a whole network"] = {
  build(s) {
    const x = affine([s.batch()], { scale: 0.5, offset: 0.25 });
    const leaves = [s.leaf(9, 17), s.leaf(17), s.leaf(17), s.leaf(17, 7), s.leaf(7), s.leaf(7, 3), s.leaf(3)] as const;
    const [w1, gamma, beta, w2, b2, w3, b3] = leaves;
    const h1 = dropout([relu([batchNorm([matmul(x, w1), gamma, beta], { epsilon })], {})], { rate: 0.25, op: 1 });
    const h2 = relu([biasAdd([matmul(h1, w2), b2], {})], {});
    s.backward(s.keep(biasAdd([matmul(h2, w3), b3], {})), [...leaves]);
  },
  fused: [
    ...["gather", "gemm", "batchNorm", "dropout", "gemm", "gemm"], // h2 and the last bias are in their products
    ...["columnSums", "gemm", "gemm", "columnSums", "gemm", "gemm", "dropout", "batchNormBackward", "gemm"],
  ],
};

describe.each(Object.entries(CASES))("%s", (_, { build, fused }) => {
  test("joins", () => {
    expect(names(built(build, true)).sort()).toEqual([...fused].sort());
  });

  test("gives the bits of the graph that is not fused (strict)", () => {
    expect(bits(build, true)).toEqual(bits(build, false));
  });
});

const SECOND_READERS: Record<string, { build: (s: Sketch) => Tensor; after: string[] }> = {
  "a product's value": {
    build(s) {
      const y = matmul(s.leaf(33, 9), s.leaf(9, 5));
      s.keep(biasAdd([y, s.leaf(5)], {}));
      return y;
    },
    after: ["gemm", "biasAdd"],
  },
  "the value before a ReLU": {
    build(s) {
      const y = biasAdd([matmul(s.leaf(33, 9), s.leaf(9, 5)), s.leaf(5)], {});
      s.keep(relu([y], {}));
      return y;
    },
    after: ["gemm", "relu"],
  },
  "the batch before a rescaling": {
    build(s) {
      const x = s.batch();
      s.keep(affine([x], { scale: 2, offset: 1 }));
      return x;
    },
    after: ["gather", "affine"],
  },
  "what batch normalization gives": {
    build(s) {
      const y = batchNorm([s.leaf(33, 5), s.leaf(5), s.leaf(5)], { epsilon });
      s.keep(relu([y], {}));
      return y;
    },
    after: ["batchNorm", "relu"],
  },
};

describe.each(Object.entries(SECOND_READERS))("%s stays", (_, { build, after }) => {
  test("where it is kept", () => {
    const graph = built((s) => void s.keep(build(s)), true);
    expect(names(graph)).toEqual(after);
  });

  test("where another node reads it", () => {
    const graph = built((s) => void s.keep(tanh([build(s)], {})), true);
    expect(names(graph).sort()).toEqual([...after, "tanh"].sort());
  });
});

test("a ReLU whose input has another reader keeps its own derivative", () => {
  const graph = built((s) => {
    const [x, gamma, beta] = [s.leaf(33, 5), s.leaf(5), s.leaf(5)];
    const z = batchNorm([x, gamma, beta], { epsilon });
    s.keep(z);
    s.backward(relu([z], {}), [gamma, beta]);
  }, true);
  expect(names(graph)).toEqual(["batchNorm", "relu", "reluBackward", "batchNormBackward"]);
});

test("a product takes one epilogue", () => {
  const graph = built((s) => void s.keep(relu([relu([matmul(s.leaf(3, 4), s.leaf(4, 5))], {})], {})), true);
  expect(names(graph)).toEqual(["gemm", "relu"]);
  expect(graph.nodes[0]!.attributes.epilogue).toBe(Epilogue.relu);
});
