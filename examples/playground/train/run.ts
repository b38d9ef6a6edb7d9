// A run: data and model of its settings, trained by `fit`, which gives the worker's messages their turn every few milliseconds.

import { attack, DownhillError, gradientMonitor, gradientReport, type Logs, type NDArray, weightsHash } from "downhill";
import { dataOf, gridOf, type Rows, type RunData, scalesOf } from "./datasets";
import { isInCore, loadExtension } from "./extension";
import { attackOf, augmentationOf, buildModel, type RunModel, updatesPerEpoch } from "./model";
import type {
  Answer,
  EarlyStopping,
  Epoch,
  Gradients,
  Histogram,
  LayerStatistics,
  Plane,
  Position,
  Request,
  Response,
} from "./protocol";
import type { Settings } from "./settings";

/** Sends a response; `transfer`: buffers that go over with it. */
export type Post = (response: Response, transfer: ArrayBuffer[]) => void;

/** Milliseconds between two messages about epochs at most. */
const EPOCHS_EVERY = 50;
/** Milliseconds that a frame may take while training goes on. */
const FRAME_TIME = 8;
const BINS = 40;
/** Examples whose hidden outputs are looked at. */
const PROBED = 256;
/** Records of gradient norms that are kept. */
const RECORDS = 240;

/** What answers requests, one after another; at most one run at a time. */
export function trainer(post: Post): (request: Request) => void {
  let run: Run | undefined;
  let speed = 0;
  return (request) => {
    switch (request.type) {
      case "start":
        run?.dispose();
        run = new Run(request.run, request.settings, post);
        run.speed = speed;
        run.start(!request.paused);
        break;
      case "speed":
        speed = request.epochs;
        if (run) run.speed = speed;
        run?.wake();
        break;
      case "stop":
        run?.dispose();
        run = undefined;
        break;
      default:
        run?.receive(request);
    }
  };
}

type RunRequest = Exclude<Request, { type: "start" | "speed" | "stop" }>;

interface Batch {
  x: NDArray;
  y: NDArray<Int32Array>;
}

export class Run {
  /** Epochs a second at most; 0: no limit. */
  speed = 0;
  #data: RunData | undefined;
  #net: RunModel | undefined;
  #scales: Float32Array;
  #updates = 0;
  #epoch = 0;
  #updatesPerEpoch = 1;
  #begun = false;
  /** Requests that came before that. */
  readonly #early: RunRequest[] = [];
  /** Updates until it pauses. */
  #left = 0;
  #over = false;
  #disposed = false;
  /** Ends a wait. */
  #wake: (() => void) | undefined;
  /** Where and when updates began to be paced. */
  #paced = { updates: 0, time: 0 };
  #epochs: Epoch[] = [];
  #flushed = 0;
  readonly #watch: StoppingWatch;
  #digit: Float32Array | null = null;
  #grid: { size: number; inputs: Float32Array } | undefined;
  /** Milliseconds that a cell of a frame took. */
  #cellTime = 0;

  constructor(
    readonly number: number,
    readonly settings: Settings,
    readonly post: Post,
  ) {
    this.#scales = scalesOf(settings);
    this.#watch = new StoppingWatch(settings.patience);
  }

  get position(): Position {
    return { step: this.#updates, epoch: this.#epoch };
  }

  /** Builds and begins; what goes wrong is posted. Resolves at the end, however it comes. */
  async start(going: boolean): Promise<void> {
    this.#left = going ? Number.POSITIVE_INFINITY : 0;
    try {
      if (!isInCore(this.settings)) await loadExtension();
      const data = await dataOf(this.settings);
      if (this.#disposed) return;
      this.#build(data);
      await this.#train();
      this.#over = true;
      await this.#rest(true);
    } catch (error) {
      if (this.#disposed) return;
      this.#over = true;
      this.#flush();
      const { code = "script", message } = error as DownhillError;
      this.#post({ type: "failure", code, message, ...this.position });
      if (!(error instanceof DownhillError)) throw error;
    }
  }

  #post(answer: Answer, transfer: ArrayBuffer[] = []): void {
    this.post({ run: this.number, ...answer }, transfer);
  }

  receive(request: RunRequest): void {
    if (!this.#begun && !this.#over) {
      this.#early.push(request);
      return;
    }
    switch (request.type) {
      case "pause":
        this.#left = 0;
        break;
      case "resume":
        this.#left = Number.POSITIVE_INFINITY;
        break;
      case "step":
        this.#left = request.by === "update" ? 1 : this.#updatesPerEpoch - (this.#updates % this.#updatesPerEpoch);
        break;
      case "frame":
        this.#frame(request.size);
        return;
      case "statistics":
        this.#statistics();
        return;
      case "digit":
        this.#digit = request.pixels;
        this.#post({ type: "digit", probabilities: this.#classifyDigit() });
        return;
    }
    this.wake();
  }

  /** Ends a wait: what it waited for may have changed. */
  wake(): void {
    this.#paced = { updates: this.#updates, time: performance.now() };
    this.#wake?.();
  }

  /** Frees the models. A pending training ends where it is. */
  dispose(): void {
    this.#disposed = true;
    this.#net?.model.dispose();
    for (const probe of this.#net?.probes ?? []) probe.dispose();
    this.#net = undefined;
    this.wake();
  }

  #build(data: RunData): void {
    const { settings } = this;
    const { training, validation, test, classes, shape } = data;
    const examples = training.labels.length;
    if (!examples) throw new DownhillError("data", "points: expected at least one example to train on, got none");
    const net = buildModel(settings, shape, classes, examples);
    this.#data = data;
    this.#net = net;
    this.#updatesPerEpoch = updatesPerEpoch(settings, examples);
    this.#post({
      type: "data",
      classes,
      training,
      validation,
      test,
      layers: net.layers,
      parameters: net.model.countParams(),
      updatesPerEpoch: this.#updatesPerEpoch,
    });
  }

  async #train(): Promise<void> {
    const { settings } = this;
    const { training, validation } = this.#data!;
    const { epochs, batchSize, shuffle } = settings;
    await this.#net!.model.fit(this.#batch(training), {
      epochs,
      batchSize,
      shuffle,
      augment: augmentationOf(settings),
      ...(validation.labels.length > 0 && { validationData: this.#batch(validation) }),
      callbacks: [
        gradientMonitor({ limit: RECORDS }),
        {
          onTrainBegin: () => {
            this.#begun = true;
            for (const request of this.#early) this.receive(request);
          },
          onBatchBegin: () => this.#gate(),
          onBatchEnd: () => {
            this.#updates++;
            this.#left--;
          },
          onEpochEnd: (epoch, logs) => this.#epochEnd(epoch, logs),
        },
      ],
    });
  }

  /** Rows as the model takes them. */
  #batch({ x, labels }: Rows): Batch {
    return { x: this.#inputs(x), y: { data: labels, shape: [labels.length] } };
  }

  /** Inputs under their scales, in the model's shape. */
  #inputs(x: Float32Array): NDArray {
    const { shape } = this.#data!;
    const scales = this.#scales;
    const n = scales.length;
    const data = this.settings.stretch === 1 ? x : x.map((value, i) => value * scales[i % n]!);
    return { data, shape: [x.length / n, ...shape] };
  }

  /** Before each update: waits while it is paused, and where it is ahead of its speed. undefined: there is nothing to wait for. */
  #gate(): Promise<void> | undefined {
    return this.#left > 0 && this.#ahead() < 1 ? undefined : this.#wait();
  }

  async #wait(): Promise<void> {
    while (!this.#disposed) {
      if (this.#left <= 0) {
        await this.#rest(false);
        while (this.#left <= 0 && !this.#disposed) await this.#sleep();
      }
      const ahead = this.#ahead();
      if (ahead < 1) return;
      await this.#sleep(ahead);
    }
  }

  /** Milliseconds by which the next update would come too early. */
  #ahead(): number {
    const { speed } = this;
    if (!speed) return 0;
    const now = performance.now();
    const due = this.#paced.time + ((this.#updates - this.#paced.updates) * 1000) / (speed * this.#updatesPerEpoch);
    // what comes late is not made up for
    if (now - due > 100) this.#paced = { updates: this.#updates, time: now };
    return due - now;
  }

  /** Until something changes, or for so many milliseconds. */
  #sleep(time?: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = time === undefined ? undefined : setTimeout(resolve, time);
      this.#wake = () => {
        clearTimeout(timer);
        this.#wake = undefined;
        resolve();
      };
    });
  }

  async #epochEnd(epoch: number, logs: Logs): Promise<void> {
    const { model } = this.#net!;
    const { loss, dataLoss, penalty, accuracy, valLoss, valAccuracy } = logs as Logs & Epoch;
    const { adversarial } = this.settings;
    const { test, validation } = this.#data!;
    const held = test ?? validation;
    this.#epoch = epoch + 1;
    const found: Epoch = { epoch, loss, dataLoss, penalty, accuracy, learningRate: model.learningRate };
    if (valLoss !== undefined) {
      Object.assign(found, { valLoss, valAccuracy });
      this.#watch.see(epoch, valLoss);
    }
    if (test) found.testAccuracy = await this.#accuracy(this.#batch(test));
    if (adversarial > 0 && held.labels.length) {
      const { x, y } = this.#batch(held);
      found.attackedAccuracy = await this.#accuracy({ x: attack(model, x, y, attackOf(this.settings)), y });
    }
    this.#epochs.push(found);
    if (performance.now() - this.#flushed >= EPOCHS_EVERY) this.#flush();
  }

  async #accuracy(rows: Batch): Promise<number> {
    return (await this.#net!.model.evaluate(rows))["accuracy"]!;
  }

  /** Posts the epochs that have not been. */
  #flush(): void {
    this.#flushed = performance.now();
    if (!this.#epochs.length) return;
    this.#post({ type: "epochs", epochs: this.#epochs, earlyStopping: this.#watch.found });
    this.#epochs = [];
  }

  async #rest(finished: boolean): Promise<void> {
    const { position } = this;
    const hash = await hashOf(this.#net!.model);
    if (this.#disposed || (this.#left > 0 && !finished)) return; // it goes on already
    this.#flush();
    this.#post({ type: "rest", finished, hash, ...position });
  }

  #frame(size: number): void {
    if (!this.#net) return;
    this.#flush(); // curves and pictures go together
    const { test } = this.#data!;
    const plane = test ? null : this.#plane(size);
    const predictions = test && classesOf(this.#predict(test.x)).classes;
    const buffers = [plane?.classes, plane?.confidence, predictions].flatMap((array) => array?.buffer ?? []);
    this.#post(
      { type: "frame", plane, predictions, digit: this.#classifyDigit(), ...this.position },
      buffers as ArrayBuffer[],
    );
  }

  #plane(wanted: number): Plane {
    const begin = performance.now();
    let size = wanted;
    if (this.#left > 0 && !this.#over) while (size > 16 && size * size * this.#cellTime > FRAME_TIME) size >>= 1;
    if (this.#grid?.size !== size) this.#grid = { size, inputs: gridOf(size) };
    const found = classesOf(this.#predict(this.#grid.inputs));
    const time = (performance.now() - begin) / (size * size);
    this.#cellTime = Math.min(time, (this.#cellTime || time) * 1.2); // one that was held up is no rule
    return { size, ...found };
  }

  #predict(x: Float32Array): NDArray {
    return this.#net!.model.predict(this.#inputs(x), { batchSize: 512 });
  }

  #classifyDigit(): Float32Array | null {
    if (!this.#digit || !this.#data?.test || !this.#net) return null;
    const { data } = this.#predict(this.#digit);
    return probabilitiesOf(data);
  }

  #statistics(): void {
    if (!this.#net) return;
    const { model, layers, probes } = this.#net;
    const { training, test } = this.#data!;
    const weights = model.getWeights();
    const x = this.#inputs(training.x.subarray(0, PROBED * this.#scales.length));
    const outputs = probes.flatMap((probe) => {
      probe.setWeights(Object.fromEntries(Object.keys(probe.getWeights()).map((key) => [key, weights[key]!])));
      return probe.predict(x);
    });
    outputs.push(model.predict(x));
    const statistics = layers.map((name, i): LayerStatistics => {
      const kernel = weights[`${name}/kernel`]!;
      return { name, weights: histogramOf(kernel.data), activations: histogramOf(outputs[i]!.data) };
    });
    const first = weights[`${layers[0]}/kernel`]!;
    this.#post({
      type: "statistics",
      layers: statistics,
      gradients: this.#gradients(),
      images: test && first.shape.length === 2 ? transposed(first) : null,
      ...this.position,
    });
  }

  #gradients(): Gradients {
    const { model, layers } = this.#net!;
    const { steps, layers: records } = gradientReport(model);
    return {
      steps,
      norms: layers.map((name) => records[name]?.gradientNorm ?? []),
      dead: layers.map((name) => records[name]?.dead ?? null),
    };
  }
}

/** Where `earlyStopping({ patience })` would stop. */
class StoppingWatch {
  found: EarlyStopping | null = null;
  #loss = Number.POSITIVE_INFINITY;

  constructor(readonly patience: number) {}

  see(epoch: number, loss: number): void {
    const { patience, found } = this;
    if (!patience || (found && found.stop !== null)) return;
    if (loss < this.#loss) {
      this.#loss = loss;
      this.found = { best: epoch, stop: null };
    } else if (found && epoch - found.best >= patience) this.found = { ...found, stop: epoch };
  }
}

async function hashOf(model: RunModel["model"]): Promise<string | null> {
  return globalThis.crypto?.subtle ? weightsHash(model) : null;
}

/** Of logits. */
function probabilitiesOf(logits: Float32Array): Float32Array {
  const largest = logits.reduce((a, b) => Math.max(a, b));
  const powers = logits.map((logit) => Math.exp(logit - largest));
  const sum = powers.reduce((a, b) => a + b);
  return powers.map((power) => power / sum);
}

/** Of rows of logits: the most probable class and its probability. */
function classesOf({ data, shape }: NDArray): Pick<Plane, "classes" | "confidence"> {
  const [rows, width] = shape as [number, number];
  const classes = new Uint8Array(rows);
  const confidence = new Uint8Array(rows);
  for (let row = 0; row < rows; row++) {
    const at = row * width;
    let best = 0;
    for (let i = 1; i < width; i++) if (data[at + i]! > data[at + best]!) best = i;
    let sum = 0;
    for (let i = 0; i < width; i++) sum += Math.exp(data[at + i]! - data[at + best]!);
    classes[row] = best;
    confidence[row] = Math.round(255 / sum);
  }
  return { classes, confidence };
}

function histogramOf(values: Float32Array): Histogram {
  const counts = new Uint32Array(BINS);
  let [low, high, sum, squares, zeros, n] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, 0, 0, 0, 0];
  for (const value of values) {
    if (!Number.isFinite(value)) continue;
    low = Math.min(low, value);
    high = Math.max(high, value);
    sum += value;
    squares += value * value;
    zeros += +(value === 0);
    n++;
  }
  if (!(low < high)) [low, high] = n ? [low - 0.5, low + 0.5] : [-0.5, 0.5];
  const bins = BINS / (high - low);
  for (const value of values)
    if (Number.isFinite(value)) counts[Math.min(BINS - 1, Math.floor((value - low) * bins))]!++;
  const mean = sum / (n || 1);
  const deviation = Math.sqrt(Math.max(0, squares / (n || 1) - mean * mean));
  return { low, high, counts, mean, deviation, zeros: zeros / (n || 1) };
}

/** One column after the other. */
function transposed({ data, shape }: NDArray): Float32Array {
  const [rows, columns] = shape as [number, number];
  return Float32Array.from(data, (_, i) => data[(i % rows) * columns + Math.floor(i / rows)]!);
}
