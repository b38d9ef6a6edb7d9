import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { terminal } from "#platform";
import { dense, progressBar, sequential, sgd, softmaxCrossEntropy } from "../../ts";

const N = 50;
const x = { data: Float32Array.from({ length: N * 2 }, (_, i) => (i % 7) / 7), shape: [N, 2] };
const y = { data: Int32Array.from({ length: N }, (_, i) => i % 2), shape: [N] };

let written: string[];
let clock: number;

beforeEach(() => {
  written = [];
  clock = 0;
  vi.spyOn(terminal, "write").mockImplementation((text) => void written.push(text));
  // each look at the clock is 5 ms later
  vi.spyOn(performance, "now").mockImplementation(() => {
    clock += 5;
    return clock;
  });
});
afterEach(() => void vi.restoreAllMocks());

function onTerminal(isTTY: boolean, columns = 120) {
  vi.spyOn(terminal, "isTTY", "get").mockReturnValue(isTTY);
  vi.spyOn(terminal, "columns", "get").mockReturnValue(columns);
}

function model() {
  const made = sequential([dense(2, { inputShape: [2] })]);
  made.compile({ optimizer: sgd(), loss: softmaxCrossEntropy(), metrics: ["accuracy"] });
  return made;
}

const train = (options = {}) =>
  model().fit({ x, y }, { epochs: 3, batchSize: 4, callbacks: [progressBar()], ...options });

describe("progressBar without a terminal", () => {
  test("writes one plain line an epoch, with the figures of its logs", async () => {
    onTerminal(false);
    const { epochs } = await train({ validationSplit: 0.2 });
    expect(written).toHaveLength(3);
    for (const [i, line] of written.entries()) {
      const { loss, accuracy, valLoss, valAccuracy } = epochs[i]!;
      expect(line).toContain(
        `epoch ${i + 1}/3  loss ${loss.toPrecision(4)}  accuracy ${(100 * accuracy!).toFixed(1)} %` +
          `  validation ${valLoss!.toPrecision(4)}, ${(100 * valAccuracy!).toFixed(1)} %`,
      );
      expect(line).toMatch(/ {2}[\d,]+ examples\/s {2}\d+:\d\d left\n$/);
    }
  });

  test("goes on at initialEpoch, and needs no metrics and no validation", async () => {
    onTerminal(false);
    const made = sequential([dense(2, { inputShape: [2] })]);
    made.compile({ optimizer: sgd(), loss: softmaxCrossEntropy() });
    await made.fit({ x, y }, { epochs: 10, initialEpoch: 8, callbacks: [progressBar()] });
    expect(written.map((line) => line.split("  loss")[0])).toEqual(["epoch  9/10", "epoch 10/10"]);
    expect(written.join()).not.toMatch(/accuracy|validation|dataLoss|penalty/);
  });

  test("counts updates where the number of examples is not known", async () => {
    onTerminal(false);
    const batches = [0, 1].map(() => ({ x, y }));
    await model().fit(batches, { epochs: 2, callbacks: [progressBar()] });
    expect(written[0]).toMatch(/^epoch 1\/2 {2}step 2 {2}loss .* updates\/s/);
  });
});

describe("progressBar on a terminal", () => {
  test("rewrites one line and ends it", async () => {
    onTerminal(true);
    await train({ validationSplit: 0.2 });
    expect(written.length).toBeGreaterThan(4);
    expect(written.pop()).toBe("\n");
    for (const line of written) {
      expect(line.startsWith("\r\x1b[K")).toBe(true);
      expect(line).not.toContain("\n");
    }
    expect(written.at(-1)).toMatch(/epoch 3\/3 {2}━{24} {2}loss .* in 0:0\d$/);
  });

  test("writes at most every 100 ms within an epoch", async () => {
    onTerminal(true);
    const times: number[] = [];
    vi.mocked(terminal.write).mockImplementation(() => void times.push(clock));
    await train({ epochs: 1, batchSize: 1 });
    const within = times.slice(0, -3); // the epoch's end, the training's end, the line's end
    expect(within.length).toBeGreaterThan(1);
    for (let i = 1; i < within.length; i++) expect(within[i]! - within[i - 1]!).toBeGreaterThanOrEqual(100);
  });

  test.each([20, 60, 80, 100])("fits %i columns", async (columns) => {
    onTerminal(true, columns);
    await train({ validationSplit: 0.2 });
    for (const line of written) expect(line.replace("\r\x1b[K", "").length).toBeLessThan(columns);
    if (columns >= 80) expect(written.at(-2)).toMatch(/━{8,}/);
  });

  test.each([30, 40, 50, 60, 70])("at %i columns leaves figures out and cuts none", async (columns) => {
    onTerminal(true, columns);
    await train({ validationSplit: 0.2, epochs: 40 });
    for (const line of written.slice(0, -1)) {
      const text = line.replace("\r\x1b[K", "");
      expect(text.length).toBeLessThan(columns);
      const whole =
        /^epoch [ \d]\d\/40( {2}[━─]+)? {2}loss \d\.\d{3,4}( {1,2}accu?r?a?c?y? \d+\.\d ?%)?( {1,2}val(idation)? \d\.\d{3,4}, \d+\.\d ?%)?( {1,2}[\d,]+( examples)?\/s)?( {1,2}(\d+:\d\d left|in \d+:\d\d))?$/;
      expect(text).toMatch(whole);
    }
    const last = written.at(-2)!;
    if (columns >= 40) expect(last).toMatch(/ acc \d+\.\d%/);
    if (columns >= 60) expect(last).toMatch(/ val \d\.\d{3,4}, \d+\.\d%/);
  });
});

test("progressBar is plain data and checks its options", () => {
  expect(progressBar({ width: 10 })).toEqual({ type: "progressBar", width: 10 });
  expect(() => progressBar({ width: 0 })).toThrow("width must be a positive integer, got 0");
});
