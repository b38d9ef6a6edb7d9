import { createHash } from "node:crypto";
import { expect, test } from "vitest";
import { unifyNaNs } from "../../ts/formats/floats";
import { weightsHash } from "../../ts/index";
import { net } from "../support/training";

test("SHA-256 over sorted keys and little-endian floats", async () => {
  const model = net();
  const hash = createHash("sha256");
  const weights = model.getWeights();
  expect(Object.keys(weights).sort()[0]).toBe("batchNorm_1/beta");
  for (const key of Object.keys(weights).sort()) {
    hash.update(key);
    const bytes = Buffer.alloc(weights[key]!.data.length * 4);
    for (const [i, v] of weights[key]!.data.entries()) bytes.writeFloatLE(v, i * 4);
    hash.update(bytes);
  }
  expect(await weightsHash(model)).toBe(hash.digest("hex"));
  const changed = model.getWeights();
  changed["dense_2/bias"]!.data[2] = -0;
  model.setWeights(changed);
  expect(await weightsHash(model)).not.toBe(await weightsHash(net()));
  model.dispose();
  await expect(weightsHash(model)).rejects.toMatchObject({ code: "state" });
});

test("what is no model is an argument error: a model in a worker, whose weights are promised, too", async () => {
  const promising = { getWeights: async () => net().getWeights() };
  for (const it of [promising, {}, undefined])
    await expect(weightsHash(it as never)).rejects.toMatchObject({
      code: "argument",
      message: expect.stringMatching(/^weightsHash: expected a model, got /),
    });
});

test("every NaN counts as 0x7fc00000", () => {
  const words = Uint32Array.of(0x7f800001, 0xffc00000, 0x7fffffff, 0x7f800000, 0xff800000, 0x80000000, 0x3f800000);
  unifyNaNs(new Float32Array(words.buffer));
  expect([...words]).toEqual([0x7fc00000, 0x7fc00000, 0x7fc00000, 0x7f800000, 0xff800000, 0x80000000, 0x3f800000]);
});
