// What a race is, and how it is written in the URL: `#descend?f=rosenbrock&o=sgd,adam:0.2&clip=0.5`. What is as by default is left
// out; what makes no sense is taken as left out. The same settings give the same paths to the bit.

export type LandscapeName =
  | "quadratic"
  | "saddle"
  | "monkeySaddle"
  | "cliff"
  | "rosenbrock"
  | "beale"
  | "himmelblau"
  | "rastrigin"
  | "plateau";

export type Racer = "sgd" | "momentum" | "nesterov" | "adagrad" | "rmsprop" | "adadelta" | "adam" | "nadam" | "lion";

export const RACERS: readonly Racer[] = [
  "sgd",
  "momentum",
  "nesterov",
  "adagrad",
  "rmsprop",
  "adadelta",
  "adam",
  "nadam",
  "lion",
];

export type ScheduleName = "constant" | "linear" | "exponential" | "step" | "cosine" | "oneCycle";

export const SCHEDULES: readonly ScheduleName[] = ["constant", "linear", "exponential", "step", "cosine", "oneCycle"];

export interface DescendSettings {
  landscape: LandscapeName;
  /** The quadratic's. */
  condition: number;
  /** Who races, and each one's learning rate. */
  rates: Partial<Record<Racer, number>>;
  /** Of momentum and Nesterov. */
  momentum: number;
  schedule: ScheduleName;
  clipNorm?: number;
  clipValue?: number;
  /** Standard deviation of the noise on each component of the gradient. */
  noise: number;
  /** Of the noise. */
  seed: number;
  /** Absent: the landscape's own. */
  start?: readonly [x: number, y: number];
  steps: number;
  /** Each one races without clipping, schedule and noise too. */
  twins: boolean;
}

/** Rates in the order of RACERS with which each gets somewhere, and for how long it is worth looking. */
const LANDSCAPE: Record<LandscapeName, { steps: number; rates: readonly number[] }> = {
  quadratic: { steps: 200, rates: [0.015, 0.005, 0.005, 0.5, 0.02, 2, 0.1, 0.1, 0.05] },
  saddle: { steps: 200, rates: [0.02, 0.005, 0.005, 0.05, 0.01, 0.1, 0.01, 0.01, 0.01] },
  monkeySaddle: { steps: 200, rates: [0.01, 0.002, 0.002, 0.02, 0.002, 0.05, 0.005, 0.005, 0.005] },
  cliff: { steps: 200, rates: [0.1, 0.05, 0.05, 0.2, 0.02, 2, 0.05, 0.05, 0.02] },
  rosenbrock: { steps: 500, rates: [0.002, 0.001, 0.001, 0.5, 0.02, 2, 0.1, 0.1, 0.01] },
  beale: { steps: 200, rates: [0.02, 0.01, 0.005, 0.5, 0.02, 2, 0.1, 0.1, 0.02] },
  himmelblau: { steps: 200, rates: [0.01, 0.005, 0.005, 0.5, 0.05, 2, 0.1, 0.1, 0.05] },
  rastrigin: { steps: 200, rates: [0.002, 0.002, 0.002, 0.2, 0.02, 1, 0.05, 0.05, 0.02] },
  plateau: { steps: 200, rates: [0.1, 0.05, 0.05, 0.1, 0.01, 1, 0.05, 0.05, 0.02] },
};

export const LANDSCAPES = Object.keys(LANDSCAPE) as readonly LandscapeName[];

/** [least, greatest] of what a number may be. */
export const RANGE = {
  rate: [1e-5, 10],
  condition: [1, 1000],
  momentum: [0, 0.99],
  clipNorm: [1e-3, 1e3],
  clipValue: [1e-3, 1e3],
  noise: [0, 10],
  steps: [1, 2000],
  seed: [0, 2 ** 32 - 1],
  start: [-100, 100],
} as const;

/** In the URL where nobody races. */
const NOBODY = "none";
const FIRST: readonly Racer[] = ["sgd", "momentum", "rmsprop", "adam"];

export const defaultRate = (landscape: LandscapeName, racer: Racer): number =>
  LANDSCAPE[landscape].rates[RACERS.indexOf(racer)]!;

export const defaultSettings = (landscape: LandscapeName = "quadratic"): DescendSettings => ({
  landscape,
  condition: 100,
  rates: Object.fromEntries(FIRST.map((racer) => [racer, defaultRate(landscape, racer)])),
  momentum: 0.9,
  schedule: "constant",
  noise: 0,
  seed: 0,
  steps: LANDSCAPE[landscape].steps,
  twins: false,
});

/** Whether a race without clipping, schedule and noise would be another one. */
export const hasTwins = ({ twins, schedule, clipNorm, clipValue, noise }: DescendSettings): boolean =>
  twins && (schedule !== "constant" || clipNorm !== undefined || clipValue !== undefined || noise > 0);

/** The number that a text is, where it is one in the range. */
function numberIn(text: string | null | undefined, [low, high]: readonly [number, number]): number | undefined {
  const value = text ? Number(text) : Number.NaN;
  return value >= low && value <= high ? value : undefined;
}

const oneOf = <T extends string>(text: string | null, names: readonly T[]): T | undefined =>
  names.find((name) => name === text);

/** The settings that a URL's parameters say. */
export function fromParameters(parameters: URLSearchParams): DescendSettings {
  const get = (key: string) => parameters.get(key);
  const whole = (key: string, range: readonly [number, number]) => {
    const value = numberIn(get(key), range);
    return Number.isInteger(value) ? value : undefined;
  };
  const settings = defaultSettings(oneOf(get("f"), LANDSCAPES));
  const racers = (get("o") ?? "").split(",").map((text) => text.split(":"));
  const rates = racers.flatMap(([name, rate]) => {
    const racer = oneOf(name ?? "", RACERS);
    return racer ? [[racer, numberIn(rate, RANGE.rate) ?? defaultRate(settings.landscape, racer)] as const] : [];
  });
  const [x, y] = (get("at") ?? "").split(",").map((text) => numberIn(text, RANGE.start));
  const clipNorm = numberIn(get("clip"), RANGE.clipNorm);
  const clipValue = numberIn(get("clipValue"), RANGE.clipValue);
  return {
    ...settings,
    condition: numberIn(get("condition"), RANGE.condition) ?? settings.condition,
    rates: rates.length || get("o") === NOBODY ? Object.fromEntries(rates) : settings.rates,
    momentum: numberIn(get("m"), RANGE.momentum) ?? settings.momentum,
    schedule: oneOf(get("schedule"), SCHEDULES) ?? settings.schedule,
    ...(clipNorm !== undefined && { clipNorm }),
    ...(clipValue !== undefined && { clipValue }),
    noise: numberIn(get("noise"), RANGE.noise) ?? settings.noise,
    seed: whole("seed", RANGE.seed) ?? settings.seed,
    ...(x !== undefined && y !== undefined && { start: [x, y] }),
    steps: whole("n", RANGE.steps) ?? settings.steps,
    twins: get("twins") === "1",
  };
}

/** The other way; `fromParameters` of it is the same settings. */
export function toParameters(settings: DescendSettings): URLSearchParams {
  const { landscape, rates, start, twins } = settings;
  const usual = defaultSettings(landscape);
  const parameters = new URLSearchParams();
  const put = (key: string, value: string | number | undefined, standard?: string | number) => {
    if (value !== undefined && value !== standard) parameters.set(key, `${value}`);
  };
  const racing = RACERS.filter((racer) => rates[racer] !== undefined).map((racer) =>
    rates[racer] === defaultRate(landscape, racer) ? racer : `${racer}:${rates[racer]}`,
  );
  put("f", landscape, "quadratic");
  if (landscape === "quadratic") put("condition", settings.condition, usual.condition);
  put("o", racing.join(",") || NOBODY, FIRST.join(","));
  put("m", settings.momentum, usual.momentum);
  put("schedule", settings.schedule, usual.schedule);
  put("clip", settings.clipNorm);
  put("clipValue", settings.clipValue);
  put("noise", settings.noise, usual.noise);
  put("seed", settings.seed, usual.seed);
  put("at", start?.join(","));
  put("n", settings.steps, usual.steps);
  if (twins) put("twins", 1);
  return parameters;
}
