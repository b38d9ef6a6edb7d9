// Examples on their way into a lane: read and checked once, then put in memory, whole or batch by batch.

import { SourceType, State } from "../../assembly/isa";
import {
  allWithin,
  type CoreArray,
  checkFinite,
  isNDArray,
  readArray,
  readRows,
  readTargets,
  readWeights,
  stepsOf,
  type Targets,
  toCore,
  weighClasses,
} from "../data/arrays";
import { argumentError, wrong } from "../errors";
import { type Shape, sameShape, sizeOf } from "../graph/graph";
import { roundUp } from "../runtime/memory";
import { targetSlot } from "./construction";
import type { Lane } from "./lane";
import type { ModelState } from "./state";
import { type Form, isRecordOf, type Port, type Structure, splitPorts } from "./structure";

/** One array of examples and the source slot that it feeds. */
interface Column {
  slot: number;
  data: CoreArray | Int32Array;
  /** Elements a row. */
  size: number;
  /** Of the whole array, as it was given. */
  shape: Shape;
}

/** Examples, read and checked. */
export interface Examples {
  rows: number;
  /** Inputs, then targets, then weights. */
  columns: Column[];
  inputs: SourceType[];
  targets: Targets[];
  /** Whether nobody else can write into them. */
  own?: boolean;
}

/** What may be given beside x and y. */
export interface ReadOptions {
  sampleWeight?: unknown;
  classWeight?: Readonly<Record<string, number>> | undefined;
  /** Look for numbers that are not finite; otherwise the gather does. */
  finite?: boolean;
}

/** One value for each port, from what its form says. */
const readPorts = (who: string, ports: readonly Port[], form: Form, given: unknown): unknown[] =>
  splitPorts(
    who,
    ports,
    given,
    form === "one" || (form === "list" && ports.length === 1 && !Array.isArray(given)),
    form,
  );

/** The inputs alone. */
export function readInputs(who: string, state: ModelState, x: unknown, finite = false): Examples {
  const { inputs, inputForm, calls } = state.structure;
  const columns: Column[] = [];
  let rows = 0;
  readPorts(`${who}: x`, inputs, inputForm, x).forEach((value, slot) => {
    const { name, value: port } = inputs[slot]!;
    const readers = calls.filter(({ call }) => call.inputs.includes(port));
    const { data, shape } = readRows(`${who}: x: ${readers[0]?.layer.name ?? name}`, value, port.shape);
    const size = sizeOf(port.shape);
    if (finite) checkFinite(`${who}: x`, data, size);
    for (const { layer } of readers) layer.definition.checkInput?.(who, data, size, layer);
    if (rows && shape[0] !== rows) throw wrong("shape", who, `${rows} examples in ${name}`, shape[0]);
    rows = shape[0]!;
    columns.push({ slot, data: toCore(data), size, shape });
  });
  const types = columns.map(({ data }) => (data instanceof Uint8Array ? SourceType.uint8 : SourceType.float32));
  return { rows, columns, inputs: types, targets: [] };
}

/** Inputs, targets and weights. */
export function readExamples(
  who: string,
  state: ModelState,
  x: unknown,
  y: unknown,
  { sampleWeight, classWeight, finite = false }: ReadOptions,
): Examples {
  const { inputs, outputs, outputForm } = state.structure;
  const examples = readInputs(who, state, x, finite);
  const { rows, columns, targets } = examples;
  const given = readPorts(`${who}: y`, outputs, outputForm, y);
  if (!state.compiled) for (const value of given) readArray(`${who}: y`, value); // arguments before state
  const { losses } = state.need(who);
  if (classWeight && outputs.length > 1) throw argumentError(who, "classWeight with one output only", classWeight);
  const factors: Column[] = [];
  const names = outputs.map(({ name }) => name);
  given.forEach((value, output) => {
    const { name, value: port } = outputs[output]!;
    const label = `${who}: y${outputs.length > 1 ? `.${name}` : ""}`;
    const { definition, config } = losses[output]!;
    const read = readTargets(label, value, rows, port.shape, definition.targets, definition.rule);
    // by output, or one array for all
    const own = outputForm === "record" && isRecordOf(names, sampleWeight) ? sampleWeight[name] : sampleWeight;
    const steps = stepsOf(read.targets);
    const size = sizeOf(steps);
    let weight = own === undefined ? undefined : readWeights(`${who}: sampleWeight`, own, rows, steps);
    if (classWeight) {
      const classes = Math.max(read.targets.elementwise ? 2 : 1, port.shape.at(-1) ?? 1);
      weight = weighClasses(`${who}: classWeight`, classWeight, read.data, rows * size, weight, classes);
    }
    const slot = targetSlot(inputs.length, output);
    columns.push({ slot, data: read.data, size: sizeOf(read.targets.shape), shape: read.shape });
    if (weight) factors.push({ slot: slot + 1, data: weight, size, shape: [rows] });
    const elementwise = read.targets.elementwise && !definition.byRow?.(port.shape, config);
    targets.push({ ...read.targets, elementwise, weighted: weight !== undefined });
  });
  columns.push(...factors);
  return examples;
}

/** The numbers of what was given, where its shape is that of the column. */
const numbersOf = ({ shape }: Column, given: unknown): unknown =>
  isNDArray(given) ? Array.isArray(given.shape) && sameShape(given.shape, shape) && given.data : given;

/**
 * Puts new arrays in the place of those that `examples` was read from, where they are of the same kinds and sizes and
 * nothing is unusual about them; false otherwise, and then they are to be read. A training loop gives such arrays in every
 * step: nothing is allocated here.
 */
export function refill(
  { columns, targets }: Examples,
  { inputForm, outputForm, layers }: Structure,
  x: unknown,
  y: unknown,
): boolean {
  if (inputForm === "record" || outputForm === "record") return false; // where an array alone is an error
  const input = columns[0]!;
  const target = columns[1]!;
  const old = targets[0]!;
  if (columns.length !== 2 || !old.complete || layers.some(({ definition }) => definition.checkInput)) return false;
  const inputs = numbersOf(input, x);
  const labels = numbersOf(target, y);
  if (!sameKind(input.data, inputs) || !sameKind(target.data, labels) || !allWithin(labels, old)) return false;
  input.data = inputs;
  target.data = labels;
  return true;
}

const sameKind = <T extends CoreArray | Int32Array>(old: T, given: unknown): given is T =>
  ArrayBuffer.isView(given) && given.constructor === old.constructor && (given as Float32Array).length === old.length;

/** A copy that the caller's later writes do not reach; of arrays too large for that, the examples themselves. */
export function ownExamples({ runtime }: ModelState, examples: Examples): Examples {
  const { columns, rows } = examples;
  if (examples.own || bytesOf(columns, rows) > runtime.heap.max / 2) return examples;
  return { ...examples, own: true, columns: columns.map((c) => ({ ...c, data: c.data.slice() })) };
}

/** Examples [from, to). */
export const someExamples = (examples: Examples, from: number, to: number): Examples => ({
  ...examples,
  rows: to - from,
  columns: examples.columns.map((c) => ({ ...c, data: c.data.subarray(from * c.size, to * c.size) })),
});

/**
 * Labels that count for output `output` among `count` rows, of `indices` where there are any, from `first` on.
 */
export function countLabels(
  { columns, inputs, targets }: Examples,
  output: number,
  first: number,
  count: number,
  indices?: Uint32Array,
): number {
  const { accepts, complete, elementwise } = targets[output]!;
  const { data, size } = columns[inputs.length + output]!;
  if (complete) return elementwise ? count * size : count;
  let labelled = 0;
  for (let r = first; r < first + count; r++) {
    const row = indices ? indices[r]! : r;
    let present = 0;
    for (let j = row * size; j < (row + 1) * size; j++) present += +accepts(data[j]!);
    labelled += elementwise ? present : +(present === size);
  }
  return labelled;
}

/** Bytes that `count` rows take in memory. */
function bytesOf(columns: readonly Column[], count: number): number {
  let bytes = 0;
  for (const { data, size } of columns) bytes += roundUp(count * size * data.BYTES_PER_ELEMENT);
  return bytes;
}

/**
 * Copies rows [first, first + count), of the order at `order` where there is one, to `at`, by default the lane's staging
 * place, and points the lane's sources there.
 */
export function stage(
  lane: Lane,
  { columns }: Examples,
  first: number,
  count: number,
  order = 0,
  at = lane.stage(bytesOf(columns, count)),
): void {
  const { u32 } = lane.runtime.heap;
  for (const { slot, data, size } of columns) {
    const rowBytes = size * data.BYTES_PER_ELEMENT;
    lane.set(State.sources + slot, at);
    if (order)
      for (let r = 0; r < count; r++) put(lane, data, u32[(order >>> 2) + first + r]! * size, size, at + r * rowBytes);
    else put(lane, data, first * size, count * size, at);
    at += roundUp(count * rowBytes);
  }
  point(lane, 0, 0, count);
}

/** Points the lane at `count` rows, of the order at `indices` (0: as they lie) from `first` on. */
export function point(lane: Lane, indices: number, first: number, count: number): void {
  lane.set(State.indices, indices);
  lane.set(State.firstRow, first);
  lane.set(State.rowCount, count);
}

/** Copies `count` elements from `from` on to `at`. */
function put({ runtime: { heap } }: Lane, data: Column["data"], from: number, count: number, at: number): void {
  const view = data instanceof Uint8Array ? heap.u8 : data instanceof Float32Array ? heap.f32 : heap.i32;
  view.set(count === data.length ? data : data.subarray(from, from + count), at / data.BYTES_PER_ELEMENT);
}

/** Where a set of examples lies that is trained on. */
export interface Residence {
  /** The region that holds it. */
  region: number;
  /** Address of the row numbers, where they are shuffled. */
  order: number;
  /** Whether the examples are there too; else they come batch by batch. */
  whole: boolean;
}

/** Takes the examples into memory where they fit in half of what it may be, and has room for an order that changes. */
export function reside(lane: Lane, examples: Examples, shuffled: boolean): Residence {
  const { rows, columns } = examples;
  const { heap } = lane.runtime;
  const orderBytes = shuffled ? roundUp(rows * 4) : 0;
  const bytes = bytesOf(columns, rows);
  const whole = bytes <= heap.max / 2 - heap.used - orderBytes;
  const region = heap.allocate(orderBytes + (whole ? bytes : 0), `${lane.name}: dataset`);
  if (whole) stage(lane, examples, 0, rows, 0, region + orderBytes);
  return { region, order: shuffled ? region : 0, whole };
}
