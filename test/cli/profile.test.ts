import { writeFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import type { Profile } from "../../ts";
import { downhill, folder } from "./run";

const at = folder();
const profiled = async (...args: string[]): Promise<Profile> => {
  const { code, stdout, stderr } = await downhill("profile", ...args, "--json");
  expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
  return JSON.parse(stdout);
};

describe("profile", () => {
  test("of the recipe on the digits: a table", async () => {
    const { code, stdout, stderr } = await downhill("profile");
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    expect(stdout).toMatch(/^training step of 64: [\d.]+ µs; 1 thread, strict\n\ngather\n/);
    expect(stdout).toMatch(/^ {2}dense_1 +gemm .* \[64,256\] ← \[64,64\] \[64,256\]$/m);
    expect(stdout).toMatch(/\n\nlimits\n {2}matrix product +1 thread +[\d.]+ GFLOP\/s\n/);
  });

  test("options shape the model, the batch and the runtime", async () => {
    const args = [
      "--hidden",
      "32,16",
      "--no-batch-norm",
      "--dropout",
      "0",
      "--optimizer",
      "sgd",
      "--batch-size",
      "10000",
    ];
    const profile = await profiled(...args, "--threads", "2");
    expect(profile).toMatchObject({ threads: 2, fastMath: false, batchSize: 1437 });
    expect(Object.keys(profile.layers).filter((name) => /batchNorm|dropout/.test(name))).toEqual([]);
    expect(profile.instructions[2]).toMatchObject({ layer: "dense_1", op: "gemm", outputs: [[1437, 32]] });
  });

  test("of a saved model, and of a table", async () => {
    writeFileSync(
      at("t.csv"),
      `a,b,c\n${Array.from({ length: 40 }, (_, i) => `${i % 7},${i % 5},${i % 2 ? "x" : "y"}`).join("\n")}\n`,
    );
    const table = ["--data", at("t.csv")];
    const built = await profiled(...table, "--target", "c", "--hidden", "8");
    const saved = at("t.safetensors");
    await downhill("train", ...table, "--target", "c", "--hidden", "8", "--epochs", "1", "--save", saved);
    const found = await profiled(saved, ...table, "--batch-size", "20");
    expect(built.batchSize).toBe(40);
    expect(found.batchSize).toBe(20);
    expect(found.instructions.map(({ op }) => op)).toEqual(built.instructions.map(({ op }) => op));
  });
});
