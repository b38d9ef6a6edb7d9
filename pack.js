// Packs for ts/runtime/unpack.ts: bits, each under its contexts, in an arithmetic coder. Of a core they are matches and literals. The parse
// is the cheapest way through the file by what its bits cost in the pass before; a few passes settle it.

const LONGEST = 400; // bytes a match
const DEPTH = 2000; // earlier places looked at for matches
const WAYS = 8; // kept for each place
const DECAY = 0.93; // as in unpack.ts, and the contexts
const CONTEXTS = 2 ** 20;
const RADIX = 48; // so few that the core's digits fill a block of zlib's, 16,383 symbols, and code has none of it; from ( to W
const LOW = RADIX ** 5; // of the six digits that carries can still reach, the first one's weight; at least 2 ** 24

/** What unpack reads, written bit by bit: `bit(value, ...contexts)`. */
function writer(bit) {
  const number = (base, value) => {
    const length = 31 - Math.clz32(value);
    for (let i = 0; i < length; i++) bit(1, base + i);
    bit(0, base + length);
    for (let node = 1, i = length - 1; i >= 0; i--) {
      const digit = (value >> i) & 1;
      bit(digit, base + 32 * length + (node < 16 ? node : 16 + i));
      node = node * 2 + digit;
    }
  };
  return {
    isMatch: (value, history, last, second) => bit(value, history * 256 + last, 1024 + history * 256 + second),
    isRepeated: (value, history) => bit(value, 2048 + history),
    offset: (value) => number(2304, value),
    length: (value) => number(3072, value),
    literal(value, last, second, third) {
      for (let node = 1, i = 7; i >= 0; i--) {
        const digit = (value >> i) & 1;
        const pair = (a, b) => 135_168 + (((a * 256 + b) * 256 + node) % 913_397);
        const [far, near] = [pair(256 + last, third), pair(last, second)];
        bit(digit, 3840 + node, 4096 + second * 256 + node, far, 69_632 + last * 256 + node, near);
        node = node * 2 + digit;
      }
    },
  };
}

/** For each place the nearest earlier ones that agree for longer than nearer ones: [offset, shortest, longest] lengths. */
function findMatches(bytes) {
  const heads = new Map();
  const before = new Int32Array(bytes.length).fill(-1);
  return Array.from(bytes, (byte, at) => {
    const found = [];
    if (at + 1 === bytes.length) return found;
    const pair = byte | (bytes[at + 1] << 8);
    before[at] = heads.get(pair) ?? -1;
    heads.set(pair, at);
    let longest = 1;
    for (let from = before[at], n = 0; from >= 0 && n < DEPTH && longest < LONGEST; from = before[from], n++) {
      let length = 2;
      while (length < LONGEST && at + length < bytes.length && bytes[from + length] === bytes[at + length]) length++;
      if (length > longest) found.push([at - from, longest + 1, length]);
      longest = Math.max(longest, length);
    }
    return found;
  });
}

/** The coder: `bit(value, ...contexts)` writes one, of which `chance(contexts)` of a 1 was expected; `text()` ends it. */
function coder() {
  const [ones, seen] = [new Float32Array(CONTEXTS), new Uint8Array(CONTEXTS)];
  const total = new Float64Array(256);
  for (let n = 1; n < 256; n++) total[n] = total[n - 1] * DECAY + 1;
  const out = [];
  let [low, range] = [0, LOW];
  const chance = (contexts) => contexts.reduce((p, c, i) => (ones[c] + (i + 2) * p) / (total[seen[c]] + (i + 2)), 0.5);
  const shift = () => {
    out.push(Math.floor(low / LOW));
    low = (low % LOW) * RADIX;
  };
  const bit = (value, ...contexts) => {
    for (; range < 2 ** 24; range *= RADIX) shift();
    const bound = Math.floor(range * chance(contexts));
    low += value ? 0 : bound;
    range = value ? bound : range - bound;
    if (low >= LOW * RADIX) {
      low -= LOW * RADIX;
      let i = out.length - 1;
      while (out[i] === RADIX - 1) out[i--] = 0;
      out[i]++;
    }
    for (const c of contexts) {
      ones[c] = ones[c] * DECAY + value;
      if (seen[c] < 255) seen[c]++;
    }
  };
  const text = () => {
    for (let i = 0; i < 6; i++) shift();
    return String.fromCharCode(...out.slice(1).map((digit) => digit + 40)); // the first holds what is carried into it: 0
  };
  return { bit, chance, text };
}

/** The events in their order, and what they cost: the text, each literal's price at its place, the bits under each context. */
function encode(bytes, events) {
  const { bit, chance, text } = coder();
  const counts = [new Uint32Array(CONTEXTS), new Uint32Array(CONTEXTS)];
  const literals = new Float64Array(bytes.length);
  const { isMatch, isRepeated, offset, length, literal } = writer((value, ...contexts) => {
    bit(value, ...contexts);
    counts[value][contexts[0]]++;
  });
  let price = 0;
  const { literal: estimate } = writer((value, ...contexts) => {
    const p = chance(contexts);
    price -= Math.log2(value ? p : 1 - p);
  });
  length(bytes.length);
  let at = 0;
  for (const { size, repeated, history, distance } of events) {
    const [last, second, third] = [1, 2, 3].map((back) => bytes[at - back] ?? 0);
    isMatch(+(size > 0), history, last, second);
    for (let i = at; i < at + Math.max(1, size); i++) {
      price = 0;
      estimate(bytes[i], ...[1, 2, 3].map((back) => bytes[i - back] ?? 0));
      literals[i] = price;
    }
    if (size > 0) {
      if (!(history & 1)) isRepeated(+repeated, history);
      if (!repeated) offset(distance);
      length(size - 1);
    } else literal(bytes[at], last, second, third);
    at += Math.max(1, size);
  }
  return { packed: text(), literals, counts };
}

/** The cheapest events by these prices. */
function parse(bytes, matches, { literals, counts }) {
  const cost = (value, c) => -Math.log2((counts[value][c] + 0.4) / (counts[0][c] + counts[1][c] + 0.8));
  let sum = 0;
  const price = writer((value, c) => {
    sum += cost(value, c);
  });
  const priced = (write, ...args) => {
    sum = 0;
    write(...args);
    return sum;
  };
  const [lengths, offsets] = [new Map(), new Map()];
  const known = (map, write, key) => map.get(key) ?? map.set(key, priced(write, key)).get(key);
  const ways = Array.from(bytes, () => []);
  ways[0] = [{ cost: 0, history: 0, distance: 0 }];
  ways.push([]);
  /** Takes a way to `at` among the best. */
  const reach = (at, way) => {
    const list = ways[at];
    if (list.length === WAYS && list[WAYS - 1].cost <= way.cost) return;
    const same = list.findIndex(({ distance, history }) => distance === way.distance && history === way.history);
    if (same >= 0 && list[same].cost <= way.cost) return;
    if (same >= 0) list.splice(same, 1);
    let i = list.length;
    while (i > 0 && list[i - 1].cost > way.cost) i--;
    list.splice(i, 0, way);
    if (list.length > WAYS) list.pop();
  };
  for (let at = 0; at < bytes.length; at++) {
    for (const way of ways[at]) {
      const { history, distance } = way;
      const after = history & 1;
      const flag = (value) => way.cost + priced(price.isMatch, value, history, bytes[at - 1] ?? 0, 0);
      const next = (value) => (history * 2 + value) & 3;
      const literal = flag(0) + literals[at];
      reach(at + 1, { cost: literal, history: next(0), distance, from: way, size: 0 });
      const match = (to, cost, size, repeated) =>
        reach(at + size, { cost, history: next(1), distance: to, from: way, size, repeated });
      const matched = flag(1);
      if (!after && distance) {
        const base = matched + priced(price.isRepeated, 1, history);
        for (let n = 0; n < LONGEST && at + n < bytes.length && bytes[at + n] === bytes[at + n - distance]; n++)
          if (n > 0) match(distance, base + known(lengths, price.length, n), n + 1, true);
      }
      const base = matched + (after ? 0 : priced(price.isRepeated, 0, history));
      for (const [offset, shortest, longest] of matches[at])
        for (let size = shortest; size <= longest; size++)
          match(
            offset,
            base + known(offsets, price.offset, offset) + known(lengths, price.length, size - 1),
            size,
            false,
          );
    }
  }
  const events = [];
  for (let way = ways[bytes.length][0]; way.from; way = way.from) {
    const { size, repeated, distance, from } = way;
    events.push({ size, repeated, distance, history: from.history });
  }
  return events.reverse();
}

/** The bytes, packed as text. More passes find a little more. */
export function pack(bytes, passes = 4) {
  const matches = findMatches(bytes);
  let best = {
    literals: new Float64Array(bytes.length).fill(5),
    counts: [new Uint32Array(CONTEXTS), new Uint32Array(CONTEXTS)],
  };
  let prices = best;
  for (let pass = 0; pass < passes; pass++) {
    prices = encode(bytes, parse(bytes, matches, prices));
    if (!(best.packed?.length <= prices.packed.length)) best = prices;
  }
  return best.packed;
}

/** Bits, packed as text: each under the contexts with which `read`, made for ts/runtime/unpack.ts's decode, asks for it. */
export function packBits(bits, read) {
  const { bit, text } = coder();
  let at = 0;
  read((...contexts) => {
    bit(bits[at], ...contexts);
    return bits[at++];
  });
  return text();
}
