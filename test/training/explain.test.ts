import { describe, expect, test } from "vitest";
import {
  adam,
  batchNorm,
  dense,
  dropout,
  explain,
  l2,
  meanSquaredError,
  relu,
  rescaling,
  sequential,
  setSeed,
  softmaxCrossEntropy,
} from "../../ts/index";

function build() {
  return sequential([
    rescaling({ scale: 1 / 255, inputShape: [16] }),
    dense(8, { kernelRegularizer: l2(1e-3) }),
    batchNorm(),
    relu(),
    dropout(0.5),
    dense(3),
  ]);
}

const headings = (text: string) => text.split("\n").filter((line) => /^\w+$/.test(line));

describe("explain", () => {
  test("without compile: the prediction program for 32 examples", () => {
    const text = explain(build());
    expect(text).toMatch(/^sequential: predict, batch of 32; \d+ instructions, arena [\d.]+ KiB$/m);
    expect(headings(text)).toEqual(["gather", "forward"]);
    expect(text).toContain("gather + rescaling");
    expect(text).toMatch(/dense_1 {2}.*gemm \+ bias .*%1\[32,8\]@\d+ workspace .* ← %0 kernel\[16,8\] bias\[8\]$/m);
    expect(text).toMatch(/batchNormInference 2\/2 \+ relu/);
    expect(text).not.toContain("dropout");
  });

  test("compiled: the training program, its spans in order, one instruction a line", () => {
    const model = build();
    model.compile({ optimizer: adam(), loss: softmaxCrossEntropy(), metrics: ["accuracy"], clipNorm: 1 });
    const text = explain(model, { batchSize: 20 });
    expect(headings(text)).toEqual(["gather", "forward", "backward", "update"]);
    const count = Number(/(\d+) instructions/.exec(text)![1]);
    expect(text.split("\n").filter((line) => line.startsWith("  "))).toHaveLength(count);
    for (const part of [
      "%0[20,16]",
      "softmaxCrossEntropy",
      "accuracy",
      "gemm TN",
      "gemm NT",
      "d kernel[16,8]",
      "batchNormBackward 3/3 + relu",
    ])
      expect(text).toContain(part);
    expect(text).toMatch(
      /optimizerStep .* parameters\[\d+\] optimizer\/mSum\[\d+\] optimizer\/vSum\[\d+\] ← gradients\[\d+\]/,
    );
    expect(text).not.toMatch(/undefined|NaN|\[object| $/m);
    expect(Math.max(...text.split("\n").map((line) => line.length))).toBeLessThan(150);
  });

  test("class losses read class numbers, elementwise losses a target an element", () => {
    const target = (loss: ReturnType<typeof meanSquaredError>) => {
      const model = build();
      model.compile({ optimizer: adam(), loss });
      return /dense_2 +gather +\S+ µs +(%1\[[\d,]+\])/.exec(explain(model))![1];
    };
    expect(target(softmaxCrossEntropy())).toBe("%1[32]");
    expect(target(meanSquaredError())).toBe("%1[32,3]");
  });

  test("changes nothing: not the memory in use, nor what training does next", () => {
    const x = Float32Array.from({ length: 32 * 16 }, (_, i) => (i * 37) % 256);
    const y = Int32Array.from({ length: 32 }, (_, i) => i % 3);
    const losses = (explained: boolean) => {
      setSeed(1);
      const model = build();
      model.compile({ optimizer: adam(), loss: softmaxCrossEntropy() });
      return Array.from({ length: 5 }, () => {
        const { loss } = model.trainOnBatch(x, y);
        const { used } = model.state.runtime.memory();
        if (explained)
          for (const program of ["train", "gradients"] as const) explain(model, { program, batchSize: 512 });
        expect(model.state.runtime.memory().used).toBe(used);
        return loss;
      });
    };
    expect(losses(true)).toEqual(losses(false));
  });

  test("errors: options, a program that needs compile, a disposed model", () => {
    const model = build();
    expect(() => explain(model, { batchSize: 0 })).toThrow(/explain: batchSize must be a positive integer, got 0/);
    expect(() => explain(model, { rows: 3 } as never)).toThrow(/explain: unknown option "rows"/);
    expect(() => explain(model, { program: "train" })).toThrow(/explain: the model is not compiled/);
    model.dispose();
    expect(() => explain(model)).toThrow(/disposed/);
  });
});
