import { spawn } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { beforeAll, describe, expect, test } from "vitest";
import { digits } from "../../ts";
import { CLI, downhill, type Ended, folder, lastLine } from "./run";

const at = folder();
const SHORT = ["--hidden", "64", "--epochs", "3"];
const model = at("digits.safetensors");
let trained: Ended;

beforeAll(async () => {
  trained = await downhill("train", ...SHORT, "--save", model);
});

const accuracyIn = (text: string) => Number(/^test accuracy (\d+\.\d) %$/.exec(lastLine(text))?.[1]);

describe("train", () => {
  test("ends with the test's accuracy; progress on standard error, results on standard output", () => {
    expect(trained.code).toBe(0);
    expect(accuracyIn(trained.stdout)).toBeGreaterThan(85);
    const epochs = trained.stderr.trimEnd().split("\n");
    expect(epochs).toHaveLength(3);
    for (const [i, line] of epochs.entries())
      expect(line).toMatch(
        new RegExp(`^epoch ${i + 1}/3  loss .* accuracy .* validation .* examples/s  \\d+:\\d\\d left$`),
      );
  });

  test("shows the figures of each part and a confusion matrix whose rows sum to the classes' examples", () => {
    expect(trained.stdout).toMatch(/training +1294 .*\nvalidation +143 .*\ntest +360 /);
    const rows = [...trained.stdout.matchAll(/^(\d) {2,}([\d· ]+?) {2,}(\d+) +[\d.]+ % +([\d.]+ %|–)$/gm)];
    expect(rows).toHaveLength(10);
    let right = 0;
    for (const [c, [, label, cells, examples]] of rows.entries()) {
      const counts = cells!
        .trim()
        .split(/ +/)
        .map((n) => (n === "·" ? 0 : Number(n)));
      expect(label).toBe(`${c}`);
      expect(counts.reduce((a, b) => a + b)).toBe(Number(examples));
      right += counts[c]!;
    }
    expect(accuracyIn(trained.stdout)).toBeCloseTo((100 * right) / 360, 1);
  });

  test("equal seeds give equal files, for any number of threads", async () => {
    const [again, two, other] = ["again", "two", "other"].map((name) => at(`${name}.safetensors`));
    await downhill("train", ...SHORT, "--save", again!);
    await downhill("train", ...SHORT, "--threads", "2", "--save", two!);
    await downhill("train", ...SHORT, "--seed", "1", "--save", other!);
    expect(readFileSync(again!).equals(readFileSync(model))).toBe(true);
    expect(readFileSync(two!).equals(readFileSync(model))).toBe(true);
    expect(readFileSync(other!).equals(readFileSync(model))).toBe(false);
  });

  test("takes every option of the recipe", async () => {
    const file = at("options.safetensors");
    const { code, stderr } = await downhill(
      ...["train", "--hidden", "16,8", "--no-batch-norm", "--dropout", "0", "--l1", "1e-5", "--l2", "1e-4"],
      ...["--label-smoothing", "0", "--epochs", "1", "--batch-size", "100", "--optimizer", "sgd"],
      ...["--learning-rate", "0.1", "--final-learning-rate", "0.05", "--momentum", "0.5", "--weight-decay", "1e-4"],
      ...["--schedule", "cosine", "--clip-norm", "5", "--seed", "7", "--validation-split", "0.25", "--fast-math"],
      ...["--save", file],
    );
    expect({ code, stderr }).toMatchObject({ code: 0 });
    const { stdout } = await downhill("inspect", file);
    expect(stdout).toMatch(/dense_2 +dense +\[n, 8\] +136\n/);
    expect(stdout).not.toMatch(/batchNorm|dropout/);
    expect(stdout).toContain("cosineDecay(initial: 0.1, final: 0.05, steps: 11)");
    expect(stdout).toMatch(/sgd\(.*weightDecay: 0.0001, .*momentum: 0.5/);
    expect(stdout).toMatch(/seed +7, stream 0/);
  });

  test("early stopping ends it", async () => {
    const { stderr, code } = await downhill(
      ...["train", "--hidden", "16", "--epochs", "500", "--patience", "1", "--learning-rate", "0.05"],
    );
    expect(code).toBe(0);
    expect(stderr.trimEnd().split("\n").length).toBeLessThan(400);
  });
});

describe("resume", () => {
  test("goes on from a checkpoint to the bit", async () => {
    const [whole, part, end] = ["whole", "part", "end"].map((name) => at(`${name}.safetensors`));
    const dropIn = ["--hidden", "32", "--patience", "50", "--checkpoint"];
    await downhill("train", "--epochs", "4", ...dropIn, whole!);
    // ends after the first epoch's checkpoint, as a power failure would
    const child = spawn(process.execPath, [CLI, "train", "--epochs", "4", ...dropIn, part!], { stdio: "ignore" });
    const ended = new Promise((resolve) => child.on("exit", resolve));
    while (!existsSync(part!) && child.exitCode === null) await new Promise((resolve) => setTimeout(resolve, 5));
    child.kill("SIGKILL");
    await ended;
    const { stdout } = await downhill("inspect", part!);
    if (/trained +4 epochs/.test(stdout)) return; // it was faster than the signal
    const resumed = await downhill("train", "--resume", part!, "--checkpoint", end!);
    expect(resumed.code).toBe(0);
    expect(readFileSync(end!).equals(readFileSync(whole!))).toBe(true);
  });

  test("takes more epochs, and refuses what the file decides", async () => {
    const more = await downhill("train", "--resume", model, "--epochs", "4");
    expect(more.code).toBe(0);
    expect(more.stderr.split("  ")[0]).toBe("epoch 4/4");
    const done = await downhill("train", "--resume", model);
    expect(done).toMatchObject({ code: 2 });
    expect(done.stderr).toContain("--epochs: expected more than the 3 epochs");
    const fixed = await downhill("train", "--resume", model, "--hidden", "3", "--epochs", "5");
    expect(fixed).toMatchObject({ code: 2 });
    expect(fixed.stderr).toContain('got "hidden"');
  });
});

test.skipIf(process.platform === "win32")("Ctrl-C saves the checkpoint after the step and exits 130", async () => {
  const file = at("interrupted.safetensors");
  const child = spawn(process.execPath, [CLI, "train", "--epochs", "100000", "--checkpoint", file]);
  let stderr = "";
  let signalled = false;
  child.stderr.on("data", (text) => {
    stderr += text;
    // a second one would end it at once
    if (!signalled && /epoch +2\//.test(stderr)) signalled = child.kill("SIGINT");
  });
  child.stdout.resume();
  const code = await new Promise((resolve) => child.on("close", resolve));
  expect(code).toBe(130);
  const [, epoch, update] = /interrupted in epoch (\d+), after update (\d+); saved/.exec(lastLine(stderr))!;
  const { stdout } = await downhill("inspect", file);
  expect(stdout).toMatch(new RegExp(`trained +${Number(epoch) - 1} epochs, ${update} updates`));
});

describe("a saved model", () => {
  test("evaluate finds what train found", async () => {
    const { code, stdout } = await downhill("evaluate", model, "--data", "digits");
    expect(code).toBe(0);
    expect(lastLine(stdout)).toBe(lastLine(trained.stdout));
    const train = await downhill("evaluate", model, "--data", "digits", "--part", "train");
    expect(lastLine(train.stdout)).toMatch(/^train accuracy/);
  });

  test("predict: class and probabilities, as CSV or JSON lines", async () => {
    const { stdout } = await downhill("predict", model, "--data", "digits");
    const [head, ...rows] = stdout
      .trimEnd()
      .split("\n")
      .map((line) => line.split(","));
    expect(head).toEqual(["class", ..."0123456789"]);
    expect(rows).toHaveLength(360);
    for (const [best, ...cells] of rows) {
      const p = cells.map(Number);
      expect(p.reduce((a, b) => a + b)).toBeCloseTo(1, 5);
      expect(p.indexOf(Math.max(...p))).toBe(Number(best));
    }
    const { y } = digits().test;
    const right = rows.filter(([best], i) => Number(best) === y.data[i]).length;
    expect(accuracyIn(trained.stdout)).toBeCloseTo((100 * right) / 360, 1);

    const file = at("predictions.jsonl");
    const written = await downhill("predict", model, "--data", "digits", "--format", "json", "--output", file);
    expect(written).toEqual({ code: 0, stdout: "", stderr: "" });
    const lines = readFileSync(file, "utf8").trimEnd().split("\n");
    expect(lines).toHaveLength(360);
    const first = JSON.parse(lines[0]!);
    expect(first.class).toBe(rows[0]![0]);
    expect(first.probabilities["3"]).toBe(Number(rows[0]![4]));
  });

  test("inspect shows architecture, optimizer, position, metadata, and the tape when asked", async () => {
    const { stdout } = await downhill("inspect", model);
    expect(stdout).toMatch(/dense_1 +dense +\[n, 64\] +4096/);
    expect(stdout).toMatch(/optimizer +adam\(learningRate: linearDecay\(/);
    expect(stdout).toMatch(/trained +3 epochs, 63 updates/);
    expect(stdout).toMatch(/classes +\["0",/);
    expect(stdout).not.toContain("batchNormBackward");
    const tape = await downhill("inspect", model, "--tape", "--rows", "5");
    expect(tape.stdout).toContain("batchNormBackward");
    expect(tape.stdout).toContain("[5,64]");
  });
});

test("a folder in MNIST's format", async () => {
  const data = at("mnist");
  mkdirSync(data);
  const { train, test } = digits();
  for (const [part, { x, y }] of Object.entries({ train, t10k: test })) {
    const n = y.shape[0]!;
    const header = (rank: number, sizes: number[]) =>
      Buffer.from([0, 0, 8, rank, ...sizes.flatMap((size) => [0, 0, size >> 8, size & 255])]);
    const pixels = Buffer.from(x.data.map((v) => v * 240));
    writeFileSync(`${data}/${part}-images-idx3-ubyte`, Buffer.concat([header(3, [n, 8, 8]), pixels]));
    writeFileSync(`${data}/${part}-labels-idx1-ubyte`, Buffer.concat([header(1, [n]), Buffer.from(y.data)]));
  }
  const file = at("mnist.safetensors");
  const run = await downhill("train", "--data", data, ...SHORT, "--save", file);
  expect(accuracyIn(run.stdout)).toBeGreaterThan(85);
  const { stdout } = await downhill("predict", file, "--data", data);
  expect(stdout.split("\n")).toHaveLength(362);
});
