// Places in a row of bytes without an end: best fit over the holes between them.

/** What is free from `at` up to `end`. */
interface Hole {
  at: number;
  end: number;
}

export class Space {
  /** By offset; none touch, and the last one has no end. */
  readonly #holes: Hole[];

  constructor(base = 0) {
    this.#holes = [{ at: base, end: Infinity }];
  }

  /** From here on all is free. */
  get top(): number {
    return this.#holes.at(-1)!.at;
  }

  /** The smallest hole of at least that size. */
  find(bytes: number): Hole {
    let best = this.#holes.at(-1)!;
    for (const hole of this.#holes)
      if (hole.end - hole.at >= bytes && hole.end - hole.at < best.end - best.at) best = hole;
    return best;
  }

  /** Takes the first bytes of a hole. */
  take(bytes: number, hole = this.find(bytes)): number {
    const { at, end } = hole;
    hole.at += bytes;
    if (hole.at === end) this.#holes.splice(this.#holes.indexOf(hole), 1);
    return at;
  }

  give(at: number, bytes: number): void {
    const holes = this.#holes;
    const i = holes.findIndex((hole) => hole.at > at);
    if (holes[i]!.at === at + bytes) holes[i]!.at = at;
    else holes.splice(i, 0, { at, end: at + bytes });
    if (holes[i - 1]?.end === at) holes[i - 1]!.end = holes.splice(i, 1)[0]!.end;
  }
}
