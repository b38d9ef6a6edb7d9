// A program's tape as text.

import { Base } from "../assembly/isa";
import type { Part } from "./graph/tape";
import { readExamples, readInputs } from "./training/batch";
import type { Model } from "./training/model";
import { programFor } from "./training/step";
import { table } from "./training/summary";

const BASES: Record<Base, string> = {
  [Base.absolute]: "",
  [Base.parameters]: "θ+",
  [Base.statistics]: "stats+",
  [Base.arena]: "arena+",
};

const place = (part: Part | null): string => {
  if (!part) return "–";
  const shape = part.tensor ? `[${part.tensor.shape.join(",")}]` : `${part.bytes} B`;
  return `${part.name} ${shape} @${BASES[part.place.base]}${part.place.offset}`;
};

const SPANS = ["gather", "forward", "backward", "update"];

/**
 * The tape of a training step (with y) or a prediction (without), as text: each instruction with its span, layer, op, what
 * it writes and reads and where that lies, its sizes, and whether the team runs it.
 */
export function explain(model: Model, x: unknown, y?: unknown): string {
  const { state } = model;
  state.check();
  const training = y !== undefined;
  const examples = training
    ? readExamples("explain", state, state.need("explain"), x, y, {})
    : readInputs("explain", state, x);
  const lane = state.lane(training ? "training" : "prediction");
  if (state.fitting && training) state.needIdle("explain");
  const program = programFor(state, lane, training ? "train" : "predict", examples, examples.rows, training);
  const rows = program.instructions.map(({ node, outputs, inputs, sizes, reals, team, work }) => [
    SPANS[node.span]!,
    node.layer || "·",
    node.op.name,
    outputs.map(place).join(", "),
    inputs.map(place).join(", "),
    [...sizes, ...reals].join(" "),
    `${(work / 1000).toFixed(1)} µs${team ? " team" : ""}`,
  ]);
  const head = ["span", "layer", "op", "writes", "reads", "sizes", "estimate"];
  return `${table([head, ...rows])}\n${program.instructions.length} instructions, arena ${program.arenaBytes} bytes`;
}
