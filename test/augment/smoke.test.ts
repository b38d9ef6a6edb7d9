import { expect, test } from "vitest";
import * as d from "../../ts/index";

test("smoke", async () => {
  const { train } = d.digits();
  const n = train.x.shape[0]!;
  const x = { data: train.x.data, shape: [n, 8, 8, 1] };
  const all = [
    d.randomTranslate(),
    d.randomRotate(),
    d.randomZoom(),
    d.randomShear(),
    d.randomFlip(),
    d.randomCrop(),
    d.randomErasing(),
    d.randomBrightness(),
    d.randomContrast(),
    d.mixup(),
    d.cutmix(),
  ];
  const make = () => {
    d.setSeed(1);
    const m = d.sequential([d.flatten({ inputShape: [8, 8, 1] }), d.dense(64), d.relu(), d.dense(10)]);
    m.compile({ optimizer: d.adam({ learningRate: 0.01 }), loss: d.softmaxCrossEntropy(), metrics: ["accuracy"] });
    return m;
  };
  for (const augment of [undefined, [], [d.randomTranslate()], all]) {
    const m = make();
    const t = performance.now();
    const h = await m.fit({ x, y: train.y }, { epochs: 3, augment });
    console.log(augment?.length, performance.now() - t, h.epochs.at(-1));
  }
  console.log(d.explain(make(), { batchSize: 4 }).slice(0, 500));
  const a = d.augmentBatch(x, all, { seed: 1 });
  expect(a.shape).toEqual(x.shape);
});
