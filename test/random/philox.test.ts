import { describe, expect, test } from "vitest";
import { BUILDS } from "../support/builds";
import { Core } from "../support/core";
import { philox } from "../support/philox";

// Random123 1.14, tests/kat_vectors, philox4x32 with 10 rounds: counter, key, numbers
const KNOWN_ANSWERS = [
  [
    [0, 0, 0, 0],
    [0, 0],
    [0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8],
  ],
  [
    [0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff],
    [0xffffffff, 0xffffffff],
    [0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd],
  ],
  [
    [0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344],
    [0xa4093822, 0x299f31d0],
    [0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1],
  ],
] as const;

describe.each(BUILDS)("%s", (build) => {
  const core = new Core(build);
  const out = core.buffer(4);
  const philox4x32 = core.exports["philox4x32"] as (...operands: number[]) => void;

  test.each(KNOWN_ANSWERS)("philox4x32 of counter %j, key %j equals Random123's published answer", (c, k, answer) => {
    philox4x32(out.address, ...c, ...k);
    expect([...out.u32]).toEqual(answer);
    expect(philox(c, k)).toEqual(answer); // the tests' own reference too
    core.checkGuards();
  });
});
