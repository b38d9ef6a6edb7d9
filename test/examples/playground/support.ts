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
import type { Settings } from "../../../examples/playground/train/settings";

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
