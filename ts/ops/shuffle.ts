// A random order of rows.

import { Op } from "../../assembly/isa";
import { defineEffect } from "../graph/graph";
import { randomNumbers } from "./work";

/** The counter's `op` word of shuffles: no layer has it. */
const SHUFFLE = 0xffffffff;

/** Input: the place of the u32 row numbers. The order depends on the epoch. */
export const shuffle = /* @__PURE__ */ defineEffect<Record<never, never>>("shuffle", (tape, { inputs: [y] }) =>
  tape.push(Op.shuffle, [y!], [], [y!.size, SHUFFLE], [], randomNumbers(2 * y!.size), false),
);
