// A program's tape as text.

import { Base, Epilogue, LabelKind, SourceType } from "../../assembly/isa";
import { Span, type Tensor } from "../graph/graph";
import type { Instruction, Part } from "../graph/tape";
import { count, oneOf, optional, or, readOptions } from "../options";
import type { Model } from "./model";
import { lowerProgram, type ProgramSpec } from "./program";
import type { ModelState } from "./state";
import { bytes } from "./summary";

/** Options of `explain`. */
export interface ExplainOptions {
  /** Examples of the batch. Default 32. */
  batchSize?: number;
  /** Which program. Default "train" where the model is compiled, else "predict". */
  program?: "train" | "gradients" | "evaluate" | "predict";
}

const EPILOGUES: Record<Epilogue, string> = {
  [Epilogue.none]: "",
  [Epilogue.relu]: "relu",
  [Epilogue.reluBackward]: "reluBackward",
  [Epilogue.tanh]: "tanh",
  [Epilogue.tanhBackward]: "tanhBackward",
  [Epilogue.sigmoid]: "sigmoid",
  [Epilogue.sigmoidBackward]: "sigmoidBackward",
};

const SPANS: Record<Span, string> = {
  [Span.gather]: "gather",
  [Span.forward]: "forward",
  [Span.backward]: "backward",
  [Span.update]: "update",
};

/** The program's shapes: class numbers as targets where the loss takes classes, else one target an element. */
function specOf(state: ModelState, kind: ProgramSpec["kind"], rows: number): ProgramSpec {
  const { inputs, outputs } = state.structure;
  const losses = kind === "predict" ? [] : state.need("explain").losses;
  return {
    kind,
    rows,
    inputs: inputs.map(() => SourceType.float32),
    targets: losses.map(({ definition }, i) =>
      definition.targets === "class"
        ? { kind: LabelKind.index, shape: outputs[i]!.value.shape.slice(0, -1), weighted: false }
        : { kind: LabelKind.rows, shape: outputs[i]!.value.shape, weighted: false },
    ),
    training: kind === "train" || kind === "gradients",
    accumulate: 0,
  };
}

/** Names of operands: values of the arena are numbered in the order in which they are written. */
class Names {
  readonly #numbers = new Map<Tensor, number>();
  readonly #gradients = new Map<number, string>();

  constructor({ compiled, structure }: ModelState) {
    if (compiled)
      for (const { key, offset } of structure.parameters) this.#gradients.set(compiled.gradients + offset * 4, key);
  }

  /** `%7[32,128]@4096`, `workspace 2 KiB@8192`, `d kernel[64,128]`. */
  written({ tensor, place, bytes: size }: Part, layer: string): string {
    const at = place.base === Base.arena ? `@${place.offset}` : "";
    return tensor ? `${this.#name(tensor, layer)}[${tensor.shape}]${at}` : `workspace ${bytes(size)}${at}`;
  }

  /** `%7`, `workspace`, `kernel[64,128]`: shapes of what no instruction before has written. */
  read(part: Part, layer: string): string {
    const { tensor } = part;
    if (!tensor) return "workspace";
    const name = this.#name(tensor, layer);
    return name.startsWith("%") && !tensor.node!.op.view ? name : `${name}[${tensor.shape}]`;
  }

  #name(tensor: Tensor, layer: string): string {
    const { base, offset } = tensor.place!;
    if (base !== Base.arena) {
      const gradient = base === Base.absolute && this.#gradients.get(offset);
      const name = gradient && tensor.node ? `d ${gradient}` : tensor.name;
      return layer ? name.replace(`${layer}/`, "") : name;
    }
    const root = rootOf(tensor);
    if (!this.#numbers.has(root)) this.#numbers.set(root, this.#numbers.size);
    return `%${this.#numbers.get(root)}`;
  }
}

const rootOf = (t: Tensor): Tensor => (t.node?.op.view ? rootOf(t.node.inputs[0]!) : t);

/** The op, which of its instructions, and what is fused into it. */
function describe({ node }: Instruction, index: number, of: number): string {
  const { op, attributes } = node;
  const words = [op.name];
  if (of > 1) words.push(`${index + 1}/${of}`);
  if (attributes.transA || attributes.transB) words.push(attributes.transA ? "TN" : "NT");
  if (op.name === "gemm" && node.inputs[2]) words.push("+ bias");
  if (attributes.epilogue) words.push(`+ ${EPILOGUES[attributes.epilogue as Epilogue]}`);
  if (attributes.norm) words.push("+ batch norm");
  if (attributes.pooled) words.push("+ max pool");
  if (attributes.relu) words.push("+ relu");
  if (attributes.scale !== undefined && op.name === "gather") words.push("+ rescaling");
  return words.join(" ");
}

/**
 * A program's tape as text, one instruction a line, under the spans' names: layer, op, estimated time on one thread (‖: run
 * by the team), what it writes ← what it reads. `%7[32,128]@4096` is a value, its shape and its place in the activation arena,
 * in bytes; what has no place is a parameter or lies in another block. The model is not changed.
 *
 * @example console.log(explain(model, { batchSize: 128 }))
 * @throws DownhillError `state` where a program needs a compiled model
 */
export function explain(model: Model, options?: ExplainOptions): string {
  const { batchSize, program } = readOptions("explain", options, {
    batchSize: or(count(), 32),
    program: optional(oneOf("train", "gradients", "evaluate", "predict")),
  });
  const { state } = model;
  state.check();
  const kind = program ?? (state.compiled ? "train" : "predict");
  const spec = specOf(state, kind, batchSize);
  const { tape } = lowerProgram(state, state.lane(kind === "predict" ? "prediction" : "training"), spec);
  const { instructions, arenaBytes } = tape;

  const names = new Names(state);
  const lines = instructions.map((instruction, i) => {
    const { node, outputs, inputs, team, work } = instruction;
    const mine = instructions.filter((other) => other.node === node);
    const present = (parts: readonly (Part | null)[]) => parts.filter((part) => part !== null);
    const read = present(inputs).map((part) => names.read(part, node.layer));
    const written = present(outputs).map((part) => names.written(part, node.layer));
    return {
      heading: node.span === instructions[i - 1]?.node.span ? "" : `\n${SPANS[node.span]}\n`,
      layer: node.layer,
      what: describe(instruction, mine.indexOf(instruction), mine.length),
      time: `${(work / 1000).toFixed(work < 1000 ? 2 : 1)} µs${team ? " ‖" : "  "}`,
      operands: [...written, ...(read.length ? ["←", ...read] : [])].join(" "),
    };
  });
  const width = (key: "layer" | "what" | "time") => Math.max(...lines.map((line) => line[key].length));
  const [layer, what, time] = [width("layer"), width("what"), width("time")];
  const rows = lines.map(
    (line) =>
      line.heading +
      `  ${line.layer.padEnd(layer)}  ${line.what.padEnd(what)}  ${line.time.padStart(time)}  ${line.operands}`.trimEnd(),
  );
  const head = `${state.name}: ${kind}, batch of ${batchSize}; ${instructions.length} instructions, arena ${bytes(arenaBytes)}`;
  return [head, ...rows].join("\n");
}
