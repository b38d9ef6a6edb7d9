import { describe, expect, test } from "vitest";
import type { Batch, BatchSource } from "../../ts/data/sources";
import { DownhillError, dataset, type Item, type NDArray, weightsHash } from "../../ts/index";
import { compiledNet, examples } from "../support/training";

const n = 10;
const x = { data: Float32Array.from({ length: 2 * n }, (_, i) => i), shape: [n, 2] };
const y = Int32Array.from({ length: n }, (_, i) => i);
const all = () => dataset({ x, y });

type Data = ReturnType<typeof all>;
const arrays = (data: Data) => data.arrays() as { x: NDArray; y: Int32Array };
/** The examples' numbers, in order; x goes with y. */
function labels(batch: Batch): number[] {
  const { x, y } = batch as { x: NDArray; y: Int32Array };
  expect([...x.data]).toEqual([...y].flatMap((i) => [2 * i, 2 * i + 1]));
  expect(x.shape).toEqual([y.length, 2]);
  return [...y];
}
const order = (data: Data) => labels(arrays(data) as Batch);
const batches = (data: Data, epoch = 0) =>
  [...((data.arrays() as BatchSource).batches(epoch) as Iterable<Batch>)].map(labels);
const sorted = (list: number[]) => [...list].sort((a, b) => a - b);
const natural = [...y];

describe("orders", () => {
  test("as given, nothing done", () => {
    expect(order(all())).toEqual(natural);
    expect(all().size).toBe(n);
  });

  test("shuffle is a permutation that the seed decides", () => {
    const shuffled = order(all().shuffle(1));
    expect(sorted(shuffled)).toEqual(natural);
    expect(shuffled).not.toEqual(natural);
    expect(order(all().shuffle(1))).toEqual(shuffled);
    expect(order(all().shuffle(2))).not.toEqual(shuffled);
    expect(order(all().shuffle(2 ** 40 + 1))).not.toEqual(shuffled);
    expect(order(all().shuffle())).toEqual(order(all().shuffle(0)));
  });

  test("each of the 6 orders of three comes equally often (χ² below 20.5: p > 0.001)", () => {
    const three = dataset({ x: [[0], [1], [2]], y: [0, 1, 2] });
    const counts = new Map<string, number>();
    for (let seed = 0; seed < 3000; seed++) {
      const key = ((three.shuffle(seed).arrays() as Batch).y as { data: ArrayLike<number> }).data;
      counts.set(String(Array.from(key)), (counts.get(String(Array.from(key))) ?? 0) + 1);
    }
    expect(counts.size).toBe(6);
    const chi = [...counts.values()].reduce((sum, c) => sum + (c - 500) ** 2 / 500, 0);
    expect(chi).toBeLessThan(20.5);
  });

  test("bootstrap draws as many with replacement", () => {
    const drawn = order(all().bootstrap(3));
    expect(drawn.length).toBe(n);
    expect(new Set(drawn).size).toBeLessThan(n);
    expect(order(all().bootstrap(3))).toEqual(drawn);
    expect(order(all().bootstrap(4))).not.toEqual(drawn);
  });

  test("take and split", () => {
    expect(order(all().take(3))).toEqual([0, 1, 2]);
    expect(order(all().take(99))).toEqual(natural);
    const [train, rest] = all().shuffle(5).split(0.75);
    expect([train.size, rest.size]).toEqual([7, 3]);
    expect(sorted([...order(train), ...order(rest)])).toEqual(natural);
    expect([...order(train), ...order(rest)]).toEqual(order(all().shuffle(5)));
    const [a, b] = rest.split(0.5);
    expect([...order(a), ...order(b)]).toEqual(order(rest));
  });
});

describe("batches", () => {
  test("the last one may be smaller; after batch elements are batches", () => {
    expect(batches(all().batch(4))).toEqual([
      [0, 1, 2, 3],
      [4, 5, 6, 7],
      [8, 9],
    ]);
    const data = all().batch(4);
    expect(data.size).toBe(3);
    expect(batches(data.take(1))).toEqual([[0, 1, 2, 3]]);
    const [first, rest] = data.split(0.5);
    expect([batches(first), batches(rest)]).toEqual([
      [[0, 1, 2, 3]],
      [
        [4, 5, 6, 7],
        [8, 9],
      ],
    ]);
    expect(sorted(batches(data.shuffle(1)).flat())).toEqual(natural);
    expect(batches(data.shuffle(1)).every((b) => b.length === 4 || b.length === 2)).toBe(true);
  });

  test("shuffled anew each epoch, but split, take and bootstrap choose the same", () => {
    const data = all().shuffle(1).batch(3);
    expect(batches(data, 1)).not.toEqual(batches(data, 0));
    expect(batches(data, 1)).toEqual(batches(data, 1));
    const [train, rest] = all().shuffle(1).split(0.5);
    const again = train.shuffle(2).batch(2);
    expect(batches(again, 3)).not.toEqual(batches(again, 0));
    for (const epoch of [0, 1, 2, 3]) {
      expect(sorted(batches(again, epoch).flat())).toEqual(sorted(order(train)));
      expect(batches(rest.batch(9), epoch).flat()).toEqual(order(rest));
      expect(batches(all().bootstrap(1).batch(9), epoch).flat()).toEqual(order(all().bootstrap(1)));
    }
  });
});

describe("map", () => {
  const double = ({ x, y }: Item): Item => {
    const { data, shape } = x as NDArray;
    return { x: { data: data.map((v) => 2 * v), shape }, y };
  };

  test("examples are mapped one by one, lazily, whatever the order of the calls", () => {
    const seen: unknown[] = [];
    const data = all().map((item) => {
      seen.push(item.y);
      return double(item);
    });
    expect(seen).toEqual([]);
    expect(data.take(2).arrays()).toEqual({
      x: { data: Float32Array.of(0, 2, 4, 6), shape: [2, 2] },
      y: { data: Float64Array.of(0, 1), shape: [2] },
    });
    expect(seen).toEqual([0, 1]);
    expect(data.shuffle(3).take(4).arrays()).toEqual(all().shuffle(3).take(4).map(double).arrays());
    expect([...((data.batch(4).arrays() as BatchSource).batches(0) as Iterable<Batch>)].length).toBe(3);
  });

  test("after batch whole batches are mapped", () => {
    const data = all().batch(8).map(double);
    const [first] = (data.arrays() as BatchSource).batches(0) as Iterable<Batch>;
    expect((first!.x as NDArray).shape).toEqual([8, 2]);
    expect((first!.x as NDArray).data[15]).toBe(30);
  });

  test("its own errors come back unchanged; what it gives is checked", () => {
    const own = new Error("own");
    const thrown = (f: (item: Item) => unknown) => {
      try {
        all()
          .map(f as never)
          .arrays();
      } catch (error) {
        return error;
      }
      return undefined;
    };
    expect(
      thrown(() => {
        throw own;
      }),
    ).toBe(own);
    expect(thrown(() => 5)).toMatchObject({ code: "argument" });
    expect(thrown(async (item) => item)).toMatchObject({ code: "argument" });
    expect(thrown(({ x }) => ({ x }))).toMatchObject({ code: "argument" });
    expect(thrown(({ y }) => ({ x: new Float32Array(1 + (y as number)), y }))).toMatchObject({ code: "shape" });
  });
});

describe("arrays of every kind", () => {
  test("typed arrays keep their type, flat ones stay flat; lists and records too", () => {
    const pixels = { data: Uint8Array.from({ length: 12 }, (_, i) => i), shape: [3, 2, 2] };
    const data = dataset({
      x: { image: pixels, more: new Float32Array(6) },
      y: [[1], [2], [3]],
      sampleWeight: [1, 2, 3],
    });
    expect(data.shuffle(1).take(1).size).toBe(1);
    expect(
      dataset({ x: { image: pixels, more: new Float32Array(6) }, y: [[1], [2], [3]], sampleWeight: [1, 2, 3] })
        .take(2)
        .arrays(),
    ).toEqual({
      x: { image: { data: Uint8Array.of(0, 1, 2, 3, 4, 5, 6, 7), shape: [2, 2, 2] }, more: new Float32Array(4) },
      y: { data: Float32Array.of(1, 2), shape: [2, 1] },
      sampleWeight: { data: Float32Array.of(1, 2), shape: [2] },
    });
    expect(
      dataset({ x: [pixels, pixels], y: Int32Array.of(0, 1, 2) })
        .take(1)
        .arrays(),
    ).toEqual({
      x: Array(2).fill({ data: Uint8Array.of(0, 1, 2, 3), shape: [1, 2, 2] }),
      y: Int32Array.of(0),
    });
  });

  test("wrong ones", () => {
    const codes: [() => unknown, string][] = [
      [() => dataset(5 as never), "argument"],
      [() => dataset({ x } as never), "argument"],
      [() => dataset({ x, y, z: 1 } as never), "argument"],
      [() => dataset({ x: Promise.resolve(x) as never, y }), "argument"],
      [() => dataset({ x, y: [1, 2, 3] }), "shape"],
      [() => dataset({ x, y: new Int32Array(3) }), "shape"],
      [() => dataset({ x: [], y: [] }), "shape"],
      [() => dataset({ x: new Float32Array(0), y: new Int32Array(0) }), "shape"],
      [() => all().split(0), "argument"],
      [() => all().split(1), "argument"],
      [() => all().split("0.5" as never), "argument"],
      [() => all().split(0.01), "shape"],
      [() => all().take(0), "argument"],
      [() => all().take(1.5), "argument"],
      [() => all().batch("4" as never), "argument"],
      [() => all().batch(4).batch(2), "state"],
      [() => all().shuffle(-1), "argument"],
      [() => all().bootstrap(undefined as never), "argument"],
      [() => all().map(5 as never), "argument"],
    ];
    for (const [call, code] of codes) {
      let error: unknown;
      try {
        call();
      } catch (e) {
        error = e;
      }
      expect(error, String(call)).toBeInstanceOf(DownhillError);
      expect((error as DownhillError).code, String(call)).toBe(code);
    }
  });
});

test("toArrays: all in the dataset's order; classes of a table", async () => {
  const data = dataset({ x: [[1], [2], [3]], y: [0, 1, 2] });
  expect(await data.shuffle(1).toArrays()).toEqual(data.shuffle(1).arrays());
  expect(await data.map(({ x, y }) => ({ x, y })).toArrays()).toEqual(data.map(({ x, y }) => ({ x, y })).arrays());
  expect(data.classes).toBeUndefined();
  const table = { x: [[1], [2]], y: [0, 1], columns: ["a"], classes: ["u", "v"] };
  expect(dataset(table).shuffle().take(1).classes).toEqual(["u", "v"]);
});

test("fit on a dataset equals fit on its arrays; batches are those of an iterable", async () => {
  const data = examples();
  const hash = async (fitted: unknown, options: object) => {
    const model = compiledNet();
    await model.fit(fitted as never, { epochs: 2, ...options });
    return weightsHash(model);
  };
  expect(await hash(dataset(data), {})).toBe(await hash(data, {}));
  expect(await hash(dataset(data).batch(32), {})).toBe(await hash(data, { shuffle: false }));
  const model = compiledNet();
  const logs = await model.evaluate(dataset(data).batch(50));
  expect(logs.accuracy).toBeCloseTo((await model.evaluate(data)).accuracy!, 6);
});
