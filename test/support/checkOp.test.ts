// The check checks: an op that is wrong in one small way does not pass.

import { readdirSync, readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { Op as Opcode } from "../../assembly/isa";
import { defineOp, type Op, type OpDefinition } from "../../ts/graph/graph";
import type { TapeWriter } from "../../ts/graph/tape";
import { biasAdd, columnSums } from "../../ts/ops/bias";
import { affine } from "../../ts/ops/elementwise";
import { checkCase, type Table } from "./checkOp";

type None = Record<never, never>;

const table: Table<None, "x" | "b"> = {
  cases: [],
  reference: ({ x, b }) => x.map((xi, i) => xi + b[i % b.length]!),
};
const inputs = { x: [65, 17], b: [17] };

/** biasAdd with other rules. */
function mutant(rules: Partial<OpDefinition<None>>): Op<None> {
  const { shape, gradient, lower, inPlace } = biasAdd;
  return defineOp<None>({ name: "mutant", shape, gradient, lower, inPlace: inPlace!, ...rules });
}

/** A tape whose instructions' sizes are changed on the way. */
function resized(tape: TapeWriter, change: (sizes: readonly number[]) => number[]): TapeWriter {
  const push: TapeWriter["push"] = (opcode, outputs, read, sizes, ...rest) =>
    tape.push(opcode, outputs, read, change(sizes), ...rest);
  return Object.create(tape, { push: { value: push } });
}

const MUTANTS: [what: string, op: Op<None>, complaint: RegExp][] = [
  [
    "a gradient times 1.001",
    mutant({ gradient: (dy) => [affine([dy], { scale: 1.001, offset: 0 }), columnSums([dy], {})] }),
    /gradient of x: element/,
  ],
  [
    "a bias gradient times 1.001",
    mutant({ gradient: (dy) => [dy, affine([columnSums([dy], {})], { scale: 1.001, offset: 0 })] }),
    /gradient of b: element/,
  ],
  ["a gradient left out", mutant({ gradient: (dy) => [dy, null] }), /b has no gradient/],
  [
    "the last row dropped",
    mutant({
      lower: (tape, node) =>
        biasAdd.lower(
          resized(tape, ([m, n]) => [m! - 1, n!]),
          node,
        ),
    }),
    /result 0: element 1088 of 1105: expected .*, got NaN/,
  ],
  [
    "one row too many",
    mutant({
      lower: (tape, node) =>
        biasAdd.lower(
          resized(tape, ([m, n]) => [m! + 1, n!]),
          node,
        ),
    }),
    /word \d+ of the arena is written/,
  ],
  [
    "the last row of the gradient dropped",
    mutant({
      gradient(dy) {
        const dropped = defineOp<None>({
          name: "dropped",
          shape: ([x]) => [x!],
          gradient: null,
          lower: (tape, { inputs, outputs }) =>
            tape.push(Opcode.copy, outputs, inputs, [outputs[0]!.size - outputs[0]!.shape[1]!], [], 0),
        });
        return [dropped([dy], {}), columnSums([dy], {})];
      },
    }),
    /gradient of x: element/,
  ],
  [
    "another result on more threads",
    mutant({
      lower: (tape, node) => biasAdd.lower(tape.threads > 1 ? resized(tape, ([m, n]) => [m! - 1, n!]) : tape, node),
    }),
    /forward: other bits in result 0, element 1088/,
  ],
  ["a bias that is written over", mutant({ lower: writesBias }), /mutant writes b/],
  [
    "another shape",
    mutant({ shape: ([x]) => [[...x!, 1]] }),
    /mutant has shapes \[\[65,17,1\]\], expected \[\[65,17\]\]/,
  ],
];

/** Adds x to the bias, behind the planner's back. */
function writesBias(tape: TapeWriter, node: Parameters<typeof biasAdd.lower>[1]): void {
  biasAdd.lower(tape, node);
  const [x, b] = node.inputs;
  tape.push(Opcode.accumulate, [b!], [x!], [b!.size], [], 0);
}

test("an op that is right passes", () => {
  checkCase(biasAdd, table, inputs, "strict");
  checkCase(mutant({}), table, inputs, "strict");
});

test.each(MUTANTS)("%s does not pass", (_, op, complaint) => {
  expect(() => checkCase(op, table, inputs, "strict")).toThrow(complaint);
});

describe("every file of ts/ops", () => {
  const files = readdirSync(new URL("../../ts/ops", import.meta.url)).filter((file) => file.endsWith(".ts"));
  const source = (path: string) => readFileSync(new URL(`../../${path}`, import.meta.url), "utf8");
  const withOps = files.filter((file) => /\bdefine(Op|Effect)\b/.test(source(`ts/ops/${file}`)));

  test("is found", () => {
    expect(withOps.length).toBeGreaterThan(10);
  });

  const tests = readdirSync(new URL("../../test/ops", import.meta.url)).map((file) => source(`test/ops/${file}`));

  test.each(withOps)("%s has a test that asks for a checkOp of each of its exports", (file) => {
    const named = new RegExp(`import \\* as (\\w+) from "../../ts/ops/${file.replace(".ts", "")}";`);
    const covered = tests.some((text) => {
      const name = named.exec(text)?.[1];
      return name && new RegExp(`^checkCoverage\\((${name}|\\{.*\\.\\.\\.${name}\\b.*\\})\\);`, "m").test(text);
    });
    expect(covered).toBe(true);
  });
});
