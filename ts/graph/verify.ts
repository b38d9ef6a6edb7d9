// Holds a tape against the plan before it runs: every operand lies inside its buffer, and every buffer is read only
// after it was written, before anything else was written over it. Kernels check nothing.

import { Base } from "../../assembly/isa";
import type { Tensor } from "./graph";
import type { Part, Tape } from "./tape";

/** The blocks behind each base: where each begins and ends, in bytes from the base. */
export type Limits = Record<Base, readonly (readonly [from: number, to: number])[]>;

/** Bytes of the arena and the operand that wrote them last. */
interface Piece {
  from: number;
  to: number;
  part: Part;
}

/** Throws where a tape would read or write what it must not. */
export function verify(tape: Tape, limits: Limits): void {
  const written: Piece[] = []; // by offset, none overlap
  for (const { node, at, inputs, outputs } of tape.instructions) {
    for (const part of inputs) check(part, readWrongly);
    for (const part of outputs) check(part, write);

    /** Holds an operand against its tensor and its block, and one in the arena against what `use` says of its bytes. */
    function check(part: Part | null, use: (part: Part, from: number, to: number) => string | undefined): void {
      if (!part) return;
      const { place, bytes, tensor, name } = part;
      const from = place.offset;
      const to = from + bytes;
      const whole = tensor?.place;
      const why =
        whole && (place.base !== whole.base || from < whole.offset || to > whole.offset + tensor.bytes)
          ? "lies outside its tensor"
          : from % 4 !== 0 || !limits[place.base].some((block) => from >= block[0] && to <= block[1])
            ? "lies outside its block"
            : place.base === Base.arena && use(part, from, to);
      if (why)
        throw new Error(
          `tape: ${node.layer || "?"}/${node.op.name} at word ${at}: operand ${name} (${from}…${to}) ${why}`,
        );
    }
  }

  /** Where the pieces in [from, to) begin in `written`, and they themselves. */
  function within(from: number, to: number): [number, Piece[]] {
    let low = 0;
    let high = written.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (written[middle]!.to <= from) low = middle + 1;
      else high = middle;
    }
    while (high < written.length && written[high]!.from < to) high++;
    return [low, written.slice(low, high)];
  }

  function write(part: Part, from: number, to: number): undefined {
    const [i, pieces] = within(from, to);
    const now = [
      { ...pieces[0]!, to: from },
      { from, to, part },
      { ...pieces.at(-1)!, from: to },
    ];
    written.splice(i, pieces.length, ...now.filter((piece) => piece.from < piece.to));
  }

  /** Why `part` cannot be read at [from, to), if so. */
  function readWrongly(part: Part, from: number, to: number): string | undefined {
    let at = from;
    for (const piece of within(from, to)[1]) {
      if (piece.from > at) break;
      if (ownerOf(piece.part) !== ownerOf(part)) return `was written over by ${piece.part.name}`;
      at = piece.to;
    }
    return at < to ? "is read before it is written" : undefined;
  }
}

/** The tensor whose bytes a part is: a view's are those of what it views. */
function ownerOf(part: Part): Tensor | undefined {
  let t = part.tensor;
  while (t?.node?.op.view) t = t.node.inputs[0]!;
  return t;
}
