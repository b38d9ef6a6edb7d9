// DEFLATE (RFC 1951), the way back: what the embedded core needs, in a quarter of a library's bytes.

import { DownhillError } from "../errors";

/** In what order the lengths of the code for code lengths are written. */
const ORDER = [16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15];

const damaged = (): never => {
  throw new DownhillError("format", "inflate: the deflated data are damaged");
};

/** Symbols by code. A code's bits come after a 1, so that codes of all lengths are different numbers. */
function codeTable(lengths: number[]): number[] {
  const table: number[] = [];
  for (let length = 1, code = 2; length < 16; length++, code *= 2) {
    for (let symbol = 0; symbol < lengths.length; symbol++) if (lengths[symbol] === length) table[code++] = symbol;
    if (code > 2 << length) damaged(); // more codes than there are
  }
  return table;
}

/** The bytes of a raw deflate stream. */
export function inflate(deflated: Uint8Array): Uint8Array<ArrayBuffer> {
  const out: number[] = [];
  let at = 0; // in bits

  const bits = (count: number): number => {
    let value = 0;
    for (let i = 0; i < count; i++) value |= (((deflated[at >> 3] ?? damaged()) >> (at++ & 7)) & 1) << i;
    return value;
  };
  const symbol = (table: number[]): number => {
    let code = 1;
    do code = (code * 2) | bits(1);
    while (table[code] === undefined && code < 65536);
    return table[code] ?? damaged();
  };
  // steps double every 2^width symbols, and as many more bits tell the place between two
  const spread = (step: number, width: number): number => {
    const extra = (step >> width) - 1;
    return extra < 1 ? step : (((1 << width) | (step & ((1 << width) - 1))) << extra) + bits(extra);
  };

  for (let last = 0; !last; ) {
    last = bits(1);
    const type = bits(2);
    if (type === 0) {
      at = (at + 7) & -8;
      const length = bits(16);
      if (bits(16) !== (length ^ 65535)) damaged();
      for (let i = 0; i < length; i++) out.push(bits(8));
      continue;
    }
    let lengths: number[] = [];
    let literals = 288;
    if (type === 1) {
      for (let i = 0; i < 320; i++) lengths[i] = i < 144 ? 8 : i < 256 ? 9 : i < 280 ? 7 : i < 288 ? 8 : 5;
    } else if (type === 2) {
      literals = bits(5) + 257;
      const all = literals + bits(5) + 1;
      const count = bits(4) + 4;
      for (let i = 0; i < count; i++) lengths[ORDER[i] as number] = bits(3);
      const table = codeTable(lengths);
      lengths = [];
      while (lengths.length < all) {
        const length = symbol(table);
        if (length < 16) lengths.push(length);
        else {
          const repeated = length > 16 ? 0 : (lengths.at(-1) ?? damaged());
          for (let n = length < 18 ? 3 + bits(length - 14) : 11 + bits(7); n > 0; n--) lengths.push(repeated);
        }
      }
      if (lengths.length > all) damaged();
    } else damaged();
    const [literal, distance] = [codeTable(lengths.slice(0, literals)), codeTable(lengths.slice(literals))];
    for (let value = symbol(literal); value !== 256; value = symbol(literal)) {
      if (value < 256) out.push(value);
      else {
        if (value > 285) damaged();
        const length = value < 285 ? 3 + spread(value - 257, 2) : 258;
        const far = symbol(distance);
        const from = out.length - 1 - spread(far, 1);
        if (far > 29 || from < 0) damaged();
        for (let i = 0; i < length; i++) out.push(out[from + i] as number);
      }
    }
  }
  return Uint8Array.from(out);
}
