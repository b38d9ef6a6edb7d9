import { writeFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { downhill, folder } from "./run";

const at = folder();

describe("usage", () => {
  test.each([
    [["nonsense"], "unknown command 'nonsense'"],
    [["train", "--bogus"], "unknown option '--bogus'"],
    [["train", "--epoch", "3"], "Did you mean --epochs?"],
    [["train", "--epochs", "0"], "Expected a positive integer"],
    [["train", "--epochs", ""], "Expected a positive integer"],
    [["train", "--dropout", "1"], "Expected a number in [0, 1)"],
    [["train", "--hidden", "3,x"], "Expected positive integers such as 256,128, or none"],
    [["train", "--threads", "many"], 'Expected a positive integer or "auto"'],
    [["train", "--optimizer", "foo"], "Allowed choices are adam"],
    [["train", "--target", "x"], "--target: expected a CSV file"],
    [["train", "--patience", "2", "--validation-split", "0"], "--patience: expected"],
    [["predict", "model"], "required option '--data <source>' not specified"],
    [["profile", "--batch-size", "0"], "Expected a positive integer"],
    [["profile", "a.safetensors", "--hidden", "3"], "a.safetensors: expected no options that shape the model"],
    [["profile", "--target", "x"], "--target: expected a CSV file"],
    [["bench", "--round", "3"], "Did you mean --rounds?"],
    [["bench", "--rounds", "x"], "Expected a positive integer"],
    [["inspect"], "missing required argument 'file'"],
  ])("%j exits 2 and says why", async (args, why) => {
    const { code, stdout, stderr } = await downhill(...args);
    expect({ code, stdout }).toEqual({ code: 2, stdout: "" });
    expect(stderr.startsWith("downhill: ")).toBe(true);
    expect(stderr).toContain(why);
    expect(stderr).not.toMatch(/^ +at /m);
  });

  test("a CSV file needs --target", async () => {
    writeFileSync(at("t.csv"), "a,b\n1,2\n");
    const { code, stderr } = await downhill("train", "--data", at("t.csv"));
    expect(code).toBe(2);
    expect(stderr).toBe(
      "downhill: --target: expected the name of the column to predict in the CSV file, got undefined\n",
    );
    const unknown = await downhill("train", "--data", at("t.csv"), "--target", "c");
    expect(unknown).toMatchObject({ code: 2 });
    expect(unknown.stderr).toContain('one of ["a", "b"], got "c"');
  });

  test("without a command the help comes, with code 2; asked for, with 0", async () => {
    const none = await downhill();
    expect(none.code).toBe(2);
    expect(none.stderr).toContain("Usage: downhill");
    for (const args of [["--help"], ["train", "--help"], ["predict", "--help"], ["profile", "--help"]]) {
      const { code, stdout, stderr } = await downhill(...args);
      expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
      expect(stdout).toMatch(/Examples?:\n {2}downhill/);
    }
    const { code, stdout, stderr } = await downhill("bench", "--help");
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    expect(stdout).toMatch(/^Usage: downhill bench \[options\]\n/);
    for (const option of ["--json", "--filter", "--rounds", "--threads"]) expect(stdout).toContain(`\n  ${option} <`);
    expect((await downhill("--version")).stdout).toMatch(/^\d+\.\d+\.\d+\n$/);
  });
});

describe("failures", () => {
  test.each([
    [["train", "--data", "no such thing"], 'got "no such thing", which is not there'],
    [["evaluate", "no.safetensors", "--data", "digits"], 'cannot read "no.safetensors"'],
    [["inspect", "package.json"], "downhill: package.json: "],
    [["profile", "package.json"], "downhill: package.json: "],
    [["evaluate", "package.json", "--data", "digits"], "downhill: package.json: "],
    [["train", "--resume", "package.json"], "downhill: package.json: "],
  ])("%j exits 1 with one line", async (args, why) => {
    const { code, stdout, stderr } = await downhill(...args);
    expect({ code, stdout }).toEqual({ code: 1, stdout: "" });
    expect(stderr).toContain(why);
    expect(stderr.trimEnd().split("\n")).toHaveLength(1);
  });

  test("a place that cannot be written, a loss that explodes", async () => {
    const short = ["train", "--hidden", "8", "--epochs", "1"];
    const unwritable = await downhill(...short, "--save", at("no/such/folder.safetensors"));
    expect(unwritable.code).toBe(1);
    expect(unwritable.stderr).toContain("downhill: cannot write");
    expect(unwritable.stderr).not.toContain("epoch"); // said before the training
    const unwritten = await downhill(...short, "--checkpoint", at("no/such/folder.safetensors"));
    expect(unwritten.stderr).toMatch(/^downhill: cannot write .*\n$/);
    const huge = ["--no-batch-norm", "--optimizer", "sgd", "--learning-rate", "1e30"];
    const exploded = await downhill(...short, ...huge);
    expect(exploded.code).toBe(1);
    expect(exploded.stderr).toMatch(/^downhill: fit: epoch 0, batch \d+: the loss is/m);
  });
});
