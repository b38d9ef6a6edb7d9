// Runs of the playground's Train tab, as its worker has them.

import type {
  Data,
  EarlyStopping,
  Epoch,
  Failure,
  Request,
  Response,
  Rest,
} from "../../../examples/playground/train/protocol";
import { trainer } from "../../../examples/playground/train/run";
import {
  ACTIVATIONS,
  AUGMENTATIONS,
  defaults,
  INITIALIZERS,
  OPTIMIZERS,
  parseLayers,
  pointAt,
  SCHEDULES,
  type Settings,
} from "../../../examples/playground/train/settings";

type Kind = Response["type"];

/** A trainer, what it posts, and a promise of the next answer of a kind. */
export function conversation() {
  const answers: Response[] = [];
  const waiting: { kinds: readonly Kind[]; resolve: (answer: Response) => void }[] = [];
  const ask = trainer((answer) => {
    answers.push(answer);
    const at = waiting.findIndex(({ kinds }) => kinds.includes(answer.type));
    if (at >= 0) waiting.splice(at, 1)[0]!.resolve(answer);
  });
  const next = <K extends Kind>(...kinds: K[]) =>
    new Promise<Extract<Response, { type: K }>>((resolve) => {
      waiting.push({ kinds, resolve: resolve as (answer: Response) => void });
    });
  const asked = <K extends Kind>(request: Request, ...kinds: K[]) => {
    const answer = next(...kinds);
    ask(request);
    return answer;
  };
  return { ask, asked, next, answers };
}

export interface Outcome {
  data: Data | undefined;
  epochs: Epoch[];
  earlyStopping: EarlyStopping | null;
  end: (Rest | Failure) & { run: number };
}

/** Trains to the end. */
export async function outcomeOf(settings: Settings): Promise<Outcome> {
  const { asked, ask, answers } = conversation();
  const end = await asked({ type: "start", run: 1, settings }, "rest", "failure");
  ask({ type: "stop" });
  const reports = answers.filter((answer) => answer.type === "epochs");
  return {
    data: answers.find((answer) => answer.type === "data"),
    epochs: reports.flatMap(({ epochs }) => epochs),
    earlyStopping: reports.at(-1)?.earlyStopping ?? null,
    end,
  };
}

const points = Array.from({ length: 40 }, (_, i) => pointAt((i % 7) / 3 - 1 + (i % 2), (i % 5) / 3 - (i % 2), i % 2));

/** Few rows and epochs of the defaults. */
export function short(data: Settings["data"], changed: Partial<Settings> = {}): Settings {
  return { ...defaults(data), ...(data === "points" && { points }), examples: 100, epochs: 6, ...changed };
}

export const layers = (text: string) => ({ layers: parseLayers(text)! });

/** What is changed of the base, by what it is called. */
export const changes = (base: Settings): Record<string, Partial<Settings>> => ({
  ...Object.fromEntries(ACTIVATIONS.map((activation) => [activation, { activation }])),
  ...Object.fromEntries(INITIALIZERS.map((initializer) => [initializer, { initializer }])),
  ...Object.fromEntries(OPTIMIZERS.map((optimizer) => [optimizer, { optimizer }])),
  ...Object.fromEntries(SCHEDULES.map((schedule) => [schedule, { schedule }])),
  ...Object.fromEntries(AUGMENTATIONS.map((augment) => [augment, { augment }])),
  "no hidden layer": { layers: [] },
  "twelve layers": layers("4-4-4-4-4-4-4-4-4-4-4-4"),
  "batch norm": { batchNorm: true },
  shared: { shared: true },
  "shared, batch norm": { shared: true, batchNorm: true },
  dropout: { dropout: 0.3 },
  l1: { l1: 0.01 },
  "proximal l1": { l1: 0.01, proximal: true },
  l2: { l2: 0.01 },
  "l1 and l2": { l1: 0.01, l2: 0.01 },
  "max norm": { maxNorm: 0.5 },
  sparse: { sparse: 0.01 },
  tied: { tied: 0.1 },
  "input noise": { inputNoise: 0.1 },
  "hidden noise": { hiddenNoise: 0.1 },
  "weight noise": { weightNoise: 0.05 },
  adversarial: { adversarial: 0.1 },
  "label smoothing": { labelSmoothing: 0.1 },
  ema: { ema: 0.9 },
  "norm clipped": { clipNorm: 0.01 },
  "value clipped": { clipValue: 0.001 },
  "batches of one": { batchSize: 1, epochs: 1 },
  "full batches": { batchSize: "full" },
  "in one order": { shuffle: false },
  "wrong labels": { labelNoise: 0.3 },
  "no validation": { validation: 0 },
  stretched: { stretch: 10 },
  ...(base.data === "digits" && {
    "a convolution": layers("c4"),
    "convolutions, pooled": layers("c4-p-c4-p-8"),
    "convolutions, all": {
      ...layers("c4-p-c4-8"),
      batchNorm: true,
      dropout: 0.2,
      maxNorm: 1,
      l1: 0.001,
      sparse: 0.001,
    },
    "pooled only": layers("p"),
  }),
});
