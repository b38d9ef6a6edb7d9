// The race itself, in the playground's worker: every step is one of the library's optimizers.

import {
  adadelta,
  adagrad,
  adam,
  cosineDecay,
  exponentialDecay,
  linearDecay,
  lion,
  nadam,
  oneCycle,
  rmsprop,
  setSeed,
  sgd,
  stepDecay,
} from "downhill";
import {
  beale,
  cliff,
  descend,
  himmelblau,
  type Landscape,
  monkeySaddle,
  plateau,
  quadratic,
  rastrigin,
  rosenbrock,
  saddle,
} from "downhill/landscapes";
import type { DescendReply, DescendRequest, LandscapeMap, Track } from "./protocol";
import { type DescendSettings, hasTwins, type LandscapeName, RACERS, type Racer, type ScheduleName } from "./settings";

const LANDSCAPE: Record<LandscapeName, (condition: number) => Landscape> = {
  quadratic: (condition) => quadratic({ condition }),
  saddle,
  monkeySaddle,
  cliff,
  rosenbrock: () => rosenbrock(),
  beale,
  himmelblau,
  rastrigin,
  plateau,
};

type Rate = NonNullable<NonNullable<Parameters<typeof sgd>[0]>["learningRate"]>;

const OPTIMIZER: Record<Racer, (learningRate: Rate, momentum: number) => ReturnType<typeof sgd>> = {
  sgd: (learningRate) => sgd({ learningRate }),
  momentum: (learningRate, momentum) => sgd({ learningRate, momentum }),
  nesterov: (learningRate, momentum) => sgd({ learningRate, momentum, nesterov: momentum > 0 }),
  adagrad: (learningRate) => adagrad({ learningRate }),
  rmsprop: (learningRate) => rmsprop({ learningRate }),
  adadelta: (learningRate) => adadelta({ learningRate }),
  adam: (learningRate) => adam({ learningRate }),
  nadam: (learningRate) => nadam({ learningRate }),
  lion: (learningRate) => lion({ learningRate }),
};

/** From `initial` on over all steps; those that fall by a factor end at a hundredth. */
const SCHEDULE: Record<ScheduleName, (initial: number, steps: number) => Rate> = {
  constant: (initial) => initial,
  linear: (initial, steps) => linearDecay({ initial, final: initial / 100, steps }),
  exponential: (initial, steps) => exponentialDecay({ initial, decayRate: 0.01, decaySteps: steps }),
  step: (initial, steps) => stepDecay({ initial, factor: 0.1, every: Math.ceil(steps / 3) }),
  cosine: (initial, steps) => cosineDecay({ initial, steps }),
  oneCycle: (max, steps) => oneCycle({ max, steps }),
};

/** The part of a landscape worth looking at, and what is about it in a picture of columns × rows squares. */
export function mapOf(name: LandscapeName, condition: number, columns: number, rows: number): LandscapeMap {
  const landscape = LANDSCAPE[name](condition);
  const { start, minima } = landscape;
  const [[left, right], [bottom, top]] = landscape.bounds;
  const cell = Math.max((right - left) / columns, (top - bottom) / rows);
  const [midX, midY] = [(left + right) / 2, (bottom + top) / 2];
  const points = new Float32Array(2 * columns * rows);
  for (let row = 0, i = 0; row < rows; row++)
    for (let column = 0; column < columns; column++) {
      points[i++] = midX + (column + 0.5 - columns / 2) * cell;
      points[i++] = midY - (row + 0.5 - rows / 2) * cell;
    }
  const around = (middle: number, cells: number) => [middle - (cells * cell) / 2, middle + (cells * cell) / 2] as const;
  const bounds = [around(midX, columns), around(midY, rows)] as const;
  const heights = landscape.value({ data: points, shape: [columns * rows, 2] }).data;
  const lowest = minima.length
    ? Math.min(...landscape.value({ data: Float32Array.from(minima.flat()), shape: [minima.length, 2] }).data)
    : undefined;
  return { start, bounds, minima, ...(lowest !== undefined && { lowest }), columns, rows, heights };
}

/** All tracks, those of the twins behind the others. */
export function race(settings: DescendSettings): Track[] {
  const { landscape: name, condition, rates, momentum, schedule, clipNorm, clipValue, noise, start, steps } = settings;
  const landscape = LANDSCAPE[name](condition);
  const run = (racer: Racer, twin: boolean): Track => {
    setSeed(settings.seed); // all meet the same noise
    const rate = SCHEDULE[twin ? "constant" : schedule](rates[racer]!, steps);
    const options = { optimizer: OPTIMIZER[racer](rate, momentum), steps, ...(start && { start }) };
    const more = twin ? {} : { ...(clipNorm && { clipNorm }), ...(clipValue && { clipValue }), noise };
    const { path, losses, diverged } = descend(landscape, { ...options, ...more });
    return { racer, twin, path: path.data, losses: losses.data, diverged };
  };
  const racers = RACERS.filter((racer) => rates[racer] !== undefined);
  return [false, ...(hasTwins(settings) ? [true] : [])].flatMap((twin) => racers.map((racer) => run(racer, twin)));
}

/** What the worker does with a message of the tab. */
export function answer(
  request: DescendRequest,
  reply: (message: DescendReply, transfer: Transferable[]) => void,
): void {
  const { tab, id } = request;
  try {
    if (request.type === "map") {
      const map = mapOf(request.landscape, request.condition, request.columns, request.rows);
      reply({ tab, id, type: "map", map }, [map.heights.buffer]);
    } else {
      const tracks = race(request.settings);
      const buffers = tracks.flatMap(({ path, losses }) => [path.buffer, losses.buffer]);
      reply({ tab, id, type: "race", tracks }, buffers);
    }
  } catch (error) {
    reply({ tab, id, type: "error", message: (error as Error).message }, []);
  }
}
