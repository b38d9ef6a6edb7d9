// Holds a tape against the plan before it runs: every operand lies inside its buffer, and every buffer is read only
// after it was written, before anything else was written over it. Kernels check nothing.

import { Base } from "../../assembly/isa";
import type { Tensor } from "./graph";
import type { Instruction, Part, Tape } from "./tape";

/** The blocks behind each base: where each begins and ends, in bytes from the base. */
export type Limits = Record<Base, readonly (readonly [from: number, to: number])[]>;

/** Throws where a tape would read or write what it must not. */
export function verify(tape: Tape, limits: Limits): void {
  const written = new Intervals();
  for (const instruction of tape.instructions) {
    for (const part of instruction.inputs) {
      if (!part) continue;
      inside(instruction, part, limits);
      if (part.place.base !== Base.arena) continue;
      const why = written.refuses(part.place.offset, part.place.offset + part.bytes, part);
      if (why) throw complaint(instruction, part, why);
    }
    for (const part of instruction.outputs) {
      if (!part) continue;
      inside(instruction, part, limits);
      if (part.place.base === Base.arena) written.write(part.place.offset, part.place.offset + part.bytes, part);
    }
  }

  function inside(instruction: Instruction, part: Part, limits: Limits): void {
    const { base, offset } = part.place;
    if (part.tensor?.place) {
      const start = part.tensor.place.offset;
      if (base !== part.tensor.place.base || offset < start || offset + part.bytes > start + part.tensor.bytes)
        throw complaint(instruction, part, "lies outside its tensor");
    }
    if (offset % 4 !== 0 || !limits[base].some(([from, to]) => offset >= from && offset + part.bytes <= to))
      throw complaint(instruction, part, "lies outside its block");
  }
}

function complaint({ node, at }: Instruction, { name, place, bytes }: Part, why: string): Error {
  const range = `${place.offset}…${place.offset + bytes}`;
  return new Error(`tape: ${node.layer || "?"}/${node.op.name} at word ${at}: operand ${name} (${range}) ${why}`);
}

interface Interval {
  from: number;
  to: number;
  part: Part;
}

/** Which bytes were written last by which operand. */
class Intervals {
  #list: Interval[] = []; // by offset, none overlap

  #first(from: number): number {
    let low = 0;
    let high = this.#list.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.#list[middle]!.to <= from) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  write(from: number, to: number, part: Part): void {
    const i = this.#first(from);
    let j = i;
    const pieces: Interval[] = [];
    while (j < this.#list.length && this.#list[j]!.from < to) {
      const old = this.#list[j++]!;
      if (old.from < from) pieces.push({ from: old.from, to: from, part: old.part });
      if (old.to > to) pieces.push({ from: to, to: old.to, part: old.part });
    }
    pieces.push({ from, to, part });
    this.#list.splice(i, j - i, ...pieces.sort((a, b) => a.from - b.from));
  }

  /** Why `part` cannot be read at [from, to), if so. */
  refuses(from: number, to: number, part: Part): string | undefined {
    let at = from;
    for (let i = this.#first(from); at < to; i++) {
      const piece = this.#list[i];
      if (!piece || piece.from > at) return "is read before it is written";
      if (ownerOf(piece.part) !== ownerOf(part)) return `was written over by ${piece.part.name}`;
      at = piece.to;
    }
    return undefined;
  }
}

/** The tensor whose bytes a part is: a view's are those of what it views. */
function ownerOf(part: Part): Tensor | undefined {
  let t = part.tensor;
  while (t?.node?.op.view) t = t.node.inputs[0]!;
  return t;
}
