// A model's blocks outside of its own: copied whole in linear memory, or packed into bytes for a file.

import { decodeBytes, encodeBase64 } from "../formats/base64";
import type { Memory } from "../runtime/memory";
import type { ModelState } from "./state";
import type { Entry } from "./structure";

/** Bytes of the entries, one after another. */
export function packedBytes(entries: readonly Entry[]): number {
  return entries.reduce((sum, { size }) => sum + size * 4, 0);
}

/** The entries of the block at `address` one after another, without what aligns them. */
export function pack(heap: Memory, address: number, entries: readonly Entry[]): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(packedBytes(entries));
  let at = 0;
  for (const { offset, size } of entries) {
    const from = address + offset * 4;
    bytes.set(heap.u8.subarray(from, from + size * 4), at);
    at += size * 4;
  }
  return bytes;
}

/** Puts packed entries back into the block at `address`. */
export function unpack(heap: Memory, address: number, entries: readonly Entry[], bytes: Uint8Array): void {
  let at = 0;
  for (const { offset, size } of entries) {
    heap.u8.set(bytes.subarray(at, at + size * 4), address + offset * 4);
    at += size * 4;
  }
}

/** Parameters and statistics, packed. */
export interface PackedWeights {
  parameters: Uint8Array<ArrayBuffer>;
  statistics: Uint8Array<ArrayBuffer>;
}

/** Addresses of two blocks of a model's layout. */
interface Blocks {
  readonly parameters: number;
  readonly statistics: number;
}

/** The weights in `from`, packed. */
export function packWeights({ runtime, structure }: ModelState, from: Blocks): PackedWeights {
  return {
    parameters: pack(runtime.heap, from.parameters, structure.parameters),
    statistics: pack(runtime.heap, from.statistics, structure.statistics),
  };
}

/** Puts packed weights into `to`. */
export function unpackWeights({ runtime, structure }: ModelState, to: Blocks, packed: PackedWeights): void {
  unpack(runtime.heap, to.parameters, structure.parameters, packed.parameters);
  unpack(runtime.heap, to.statistics, structure.statistics, packed.statistics);
}

/** Packed weights as text. */
export interface WeightsText {
  parameters: string;
  statistics: string;
}

export function weightsToText({ parameters, statistics }: PackedWeights): WeightsText {
  return { parameters: encodeBase64(parameters), statistics: encodeBase64(statistics) };
}

/** Throws `format` where the text is not of as many bytes as the structure asks for. */
export function weightsFromText(
  who: string,
  { structure }: Pick<ModelState, "structure">,
  text: { parameters?: unknown; statistics?: unknown } | undefined,
): PackedWeights {
  return {
    parameters: decodeBytes(`${who}: parameters`, text?.parameters, packedBytes(structure.parameters)),
    statistics: decodeBytes(`${who}: statistics`, text?.statistics, packedBytes(structure.statistics)),
  };
}

/** A copy of a model's parameters and statistics in linear memory. */
export class Snapshot {
  readonly parameters: number;
  readonly statistics: number;

  /** @throws DownhillError `memory` */
  constructor(
    readonly state: ModelState,
    who: string,
  ) {
    const { parameterFloats, statisticFloats } = state.structure;
    this.parameters = state.runtime.heap.allocate((parameterFloats + statisticFloats) * 4, who);
    this.statistics = this.parameters + parameterFloats * 4;
  }

  /** Copies the model's weights. */
  take(): void {
    this.#copy(this.state, this);
  }

  /** Makes the copy the model's weights. */
  restore(): void {
    this.#copy(this, this.state);
  }

  #copy(from: Blocks, to: Blocks): void {
    const { runtime, structure } = this.state;
    const { u8 } = runtime.heap;
    u8.copyWithin(to.parameters, from.parameters, from.parameters + structure.parameterFloats * 4);
    u8.copyWithin(to.statistics, from.statistics, from.statistics + structure.statisticFloats * 4);
  }

  free(): void {
    this.state.runtime.heap.free(this.parameters);
  }
}
