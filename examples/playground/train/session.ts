// One run after another in the playground's worker, and what is known of the present one.

import type { Data, EarlyStopping, Epoch, Failure, Position, Request, Response, Rest } from "./protocol";
import type { Settings } from "./settings";

/** `waiting`: nothing to train on. `lost`: the worker could not be started. */
export type State = "loading" | "waiting" | "ready" | "running" | "paused" | "finished" | "failed" | "lost";

export class Session {
  state: State = "loading";
  data: Data | undefined;
  epochs: Epoch[] = [];
  /** Of the run before this one. */
  before: Epoch[] = [];
  earlyStopping: EarlyStopping | null = null;
  rest: Rest | undefined;
  failure: Failure | undefined;
  position: Position = { step: 0, epoch: 0 };
  /** Smoothed, while it trains. */
  updatesPerSecond = 0;
  private run = 0;
  private seen = { step: 0, time: 0 };

  private constructor(
    private worker: Worker,
    private tell: (what: Response["type"] | "state", message?: Response) => void,
  ) {
    worker.onmessage = ({ data }: MessageEvent<Response>) => this.receive(data);
    worker.onerror = () => this.become("lost");
  }

  /** `tell` hears of each answer that belongs to the present run, and of each change of state. */
  static open(tell: (what: Response["type"] | "state", message?: Response) => void): Session {
    return new Session(new Worker(new URL("./worker.js", import.meta.url), { type: "module" }), tell);
  }

  ask(request: Request): void {
    this.worker.postMessage(request);
  }

  start(settings: Settings, paused: boolean): void {
    if (this.state === "lost") return;
    if (this.epochs.length > 1) this.before = this.epochs;
    this.data = this.rest = this.failure = undefined;
    this.epochs = [];
    this.earlyStopping = null;
    this.position = { step: 0, epoch: 0 };
    this.updatesPerSecond = 0;
    this.seen = { step: 0, time: 0 };
    this.run++;
    const classes = new Set(settings.points.map(({ label }) => label)).size;
    if (settings.data === "points" && classes < 2) {
      this.ask({ type: "stop" });
      this.become("waiting");
      return;
    }
    this.ask({ type: "start", run: this.run, settings, paused });
    this.become(paused ? "ready" : "running");
  }

  resume(): void {
    if (this.state !== "ready" && this.state !== "paused") return;
    this.seen.time = 0;
    this.ask({ type: "resume" });
    this.become("running");
  }

  pause(): void {
    if (this.state === "running") this.ask({ type: "pause" });
  }

  step(by: "update" | "epoch"): void {
    if (this.state === "ready" || this.state === "paused" || this.state === "running") this.ask({ type: "step", by });
  }

  private become(state: State): void {
    this.state = state;
    this.tell("state");
  }

  private receive(message: Response): void {
    if (message.run !== this.run) return;
    if ("step" in message) this.arrive(message);
    switch (message.type) {
      case "data":
        this.data = message;
        break;
      case "epochs":
        this.epochs.push(...message.epochs);
        this.earlyStopping = message.earlyStopping;
        break;
      case "rest":
        this.rest = message;
        this.become(message.finished ? "finished" : message.step ? "paused" : "ready");
        break;
      case "failure":
        this.failure = message;
        this.become("failed");
        break;
    }
    this.tell(message.type, message);
  }

  private arrive({ step, epoch }: Position): void {
    this.position = { step, epoch };
    const now = performance.now();
    const { seen } = this;
    if (seen.time && now - seen.time < 250) return;
    if (seen.time && step > seen.step) {
      const speed = ((step - seen.step) / (now - seen.time)) * 1000;
      this.updatesPerSecond += (speed - this.updatesPerSecond) * (this.updatesPerSecond ? 0.3 : 1);
    }
    this.seen = { step, time: now };
  }
}
