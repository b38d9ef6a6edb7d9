// What is shown while several models train.

import { afterEach, expect, test, vi } from "vitest";
import { bagging, dense, meanSquaredError, progressBar, sequential, sgd } from "../../ts/index";
import { terminal } from "../../ts/runtime/platform/node";
import { examples } from "../support/training";

const { x } = examples(64);
const y = Float32Array.from({ length: 64 }, (_, r) => x.data[r * 12]!);
const make = () => {
  const model = sequential([dense(1, { inputShape: [12] })]);
  model.compile({ optimizer: sgd(), loss: meanSquaredError() });
  return model;
};

let written: string;
async function shown(isTTY: boolean, estimators = 11): Promise<string> {
  written = "";
  vi.spyOn(terminal, "isTTY", "get").mockReturnValue(isTTY);
  vi.spyOn(terminal, "columns", "get").mockReturnValue(100);
  vi.spyOn(terminal, "write").mockImplementation((text) => {
    written += text;
  });
  const trained = bagging(make, { estimators, parallel: 2 });
  await trained.fit({ x, y }, { epochs: 3, callbacks: [progressBar()] });
  trained.dispose();
  return written;
}
afterEach(() => {
  vi.restoreAllMocks();
});

const ESCAPE = String.fromCharCode(27);

/** What a terminal shows after `text`: it knows "up", "clear from here on" and new lines. */
function screen(text: string): string[] {
  const lines = [""];
  let row = 0;
  for (const part of text.replaceAll(ESCAPE, "␛").split(/(␛\[\d*[AJ]|\r|\n)/)) {
    const [, count, kind] = /^␛\[(\d*)([AJ])$/.exec(part) ?? [];
    if (kind === "A") row -= Number(count);
    else if (kind === "J") lines.splice(row, Infinity, "");
    else if (part === "\n") lines[++row] ??= "";
    else if (part !== "\r") lines[row] += part;
    expect(row).toBeGreaterThanOrEqual(0);
  }
  return lines;
}

test("no terminal: a line for each epoch of each model, which names it", async () => {
  const lines = (await shown(false)).trimEnd().split("\n");
  expect(lines).toHaveLength(33);
  for (const member of ["member  0: ", "member 10: "])
    expect(lines.filter((line) => line.startsWith(`${member}epoch `))).toHaveLength(3);
  expect(lines.find((line) => line.startsWith("member  4: epoch 2/3"))).toMatch(/loss \d.*examples\/s/);
});

test("a terminal: a live line for each model in training, one that stays for each that has ended", async () => {
  const lines = screen(await shown(true));
  expect(lines.pop()).toBe("");
  expect(lines).toHaveLength(11);
  expect(lines.map((line) => line.slice(0, 10)).sort()).toEqual(
    Array.from({ length: 11 }, (_, i) => `member ${`${i}`.padStart(2)}:`),
  );
  for (const line of lines) {
    expect(line).toMatch(/^member ( \d|10): epoch 3\/3 {2}━+ {2}loss .* in 0:0\d$/);
    expect(line.length).toBeLessThan(100);
  }
});
