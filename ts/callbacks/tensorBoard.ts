import { appendFile, createFile, hostname } from "#platform";
import { DownhillError } from "../errors";
import type * as events from "../formats/events"; // loaded when a fit begins that is to write them
import { count, either, type Field, isRecord, natural, oneOf, or } from "../options";
import { type Built, factory } from "../registry";
import type { CallbackDefinition } from "../training/callbacks";
import { type Logs, validationName } from "../training/logs";

type Format = typeof events;
type Value = number | events.Histogram;

/** Milliseconds for which an epoch's figures wait until they are written. */
const FLUSH = 2000;

/** Options of `tensorBoard`. */
export interface TensorBoardOptions {
  /** The folder; it is made where it is missing. Default `"logs"`. */
  logDir?: string;
  /** Epochs from one histogram of each of the weights to the next; 0: none. Default 0. */
  histogramFreq?: number;
  /** Updates from one record of a batch's figures to the next; `"batch"` is 1, `"epoch"`: none but the epochs'. Default `"epoch"`. */
  updateFreq?: "epoch" | "batch" | number;
}

const folderField: Field<string> = {
  expected: "a string that is not empty",
  accepts: (v) => typeof v === "string" && v !== "",
};

/** An event file; if not begun before, it is made when its first record is written. */
class EventFile {
  readonly #folder: string;
  readonly #format: Format;
  #path: string | undefined;
  #records: Uint8Array[] = [];
  #flushed = Date.now();

  constructor(folder: string, format: Format) {
    this.#folder = folder;
    this.#format = format;
  }

  /** Makes the file, under a name that none has. */
  begin(): void {
    const now = Date.now() / 1000;
    const path = `${this.#folder}/events.out.tfevents.${Math.floor(now)}.${hostname()}`;
    const header = this.#format.header(now);
    for (let n = 0; !this.#path; n++) {
      const name = n ? `${path}.${n}` : path; // of another fit in this second
      if (createFile(name, header)) this.#path = name;
    }
  }

  add(step: number, values: ReadonlyMap<string, Value>): void {
    if (values.size) this.#records.push(this.#format.event(Date.now() / 1000, step, values));
  }

  /** Writes what has come, after `wait` milliseconds only. */
  flush(wait = 0): void {
    if (!this.#records.length || Date.now() - this.#flushed < wait) return;
    const records = joined(this.#records);
    this.#records = []; // what cannot be written is not tried again: there may be a part of it
    this.#flushed = Date.now();
    if (!this.#path) this.begin();
    appendFile(this.#path!, records);
  }
}

function joined(parts: readonly Uint8Array[]): Uint8Array {
  const bytes = new Uint8Array(parts.reduce((length, part) => length + part.length, 0));
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}

/**
 * Writes event files for TensorBoard (`tensorboard --logdir logs`), a new one for each fit: in `<logDir>/train` each epoch's
 * figures as `epoch_loss`, `epoch_accuracy`, …, with `epoch_learning_rate`, the rate at the epoch's end; in
 * `<logDir>/validation` those of the validation data under the same tags. With `updateFreq` updates' figures too, as
 * `batch_loss`, …; with `histogramFreq` histograms of the weights, as `dense_1/kernel/histogram`. Epochs and updates count from
 * 0, and go on where training is resumed or early stopping trains a second time. Files grow by whole records, after each
 * epoch and within one every two seconds, and can be read at any moment. In Node only.
 *
 * @example await model.fit(data, { epochs: 20, validationSplit: 0.1, callbacks: [tensorBoard({ logDir: "logs/first" })] })
 * @throws DownhillError `argument`; in `fit`, before the first step, `data` where the folder cannot be written
 */
export const tensorBoard: (options?: TensorBoardOptions) => Built = /* @__PURE__ */ factory<
  [options?: TensorBoardOptions],
  CallbackDefinition<Required<TensorBoardOptions>>
>("callback", {
  type: "tensorBoard",
  options: () => ({
    logDir: or(folderField, "logs"),
    histogramFreq: or(natural(), 0),
    updateFreq: or(either(oneOf("epoch", "batch"), count()), "epoch" as "epoch" | "batch" | number),
  }),
  create({ logDir, histogramFreq, updateFreq }, { initialEpoch, monitors }, model) {
    const every = updateFreq === "batch" ? 1 : updateFreq;
    /** What the validation data's figures are called among the training data's. */
    const validated = new Map(monitors.map((name) => [validationName(name), name]));
    let epochs = initialEpoch;
    let updates = initialEpoch ? model.state.step : 0;
    let format: Format;
    let train: EventFile | undefined;
    let validation: EventFile;

    const watch = {
      onBatchEnd(_step: number, logs: Logs) {
        const update = updates++;
        if (update % (every as number)) return;
        train!.add(update, new Map(numbers(logs).map(([name, value]) => [`batch_${name}`, value])));
        train!.flush(FLUSH);
      },
      getState: () => ({ updates }),
      setState(state: unknown) {
        if (!isRecord(state) || !natural().accepts(state["updates"]))
          throw new DownhillError("format", "tensorBoard: expected its number of updates, got something else");
        updates = state["updates"] as number;
      },
    };

    return {
      async onTrainBegin() {
        format = await import("../formats/events");
        train = new EventFile(`${logDir}/train`, format);
        validation = new EventFile(`${logDir}/validation`, format);
        train.begin();
      },
      onEpochEnd(_epoch: number, logs: Logs) {
        const epoch = epochs++;
        const [figures, valFigures] = [new Map<string, Value>(), new Map<string, Value>()];
        for (const [name, value] of numbers(logs)) {
          const plain = validated.get(name);
          if (plain) valFigures.set(`epoch_${plain}`, value);
          else figures.set(`epoch_${name}`, value);
        }
        figures.set("epoch_learning_rate", model.learningRate);
        if (histogramFreq && epoch % histogramFreq === 0)
          for (const [key, { data }] of Object.entries(model.getWeights())) {
            const histogram = format.histogramOf(data);
            if (histogram) figures.set(`${key}/histogram`, histogram);
          }
        train!.add(epoch, figures);
        validation.add(epoch, valFigures);
        train!.flush();
        validation.flush();
      },
      close() {
        try {
          train?.flush(); // of an epoch that was not finished
        } catch {
          // what ended the fit is what its caller is told
        }
      },
      ...(every !== "epoch" && watch),
    };
  },
});

/** A user's callback may have written anything into the logs. */
const numbers = (logs: Logs): [string, number][] =>
  Object.entries(logs).filter(([, value]) => typeof value === "number");
