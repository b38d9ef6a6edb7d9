// A figure that callbacks watch, and what counts as better.

import { argumentError } from "../errors";
import { oneOf, or } from "../options";
import type { FitPlan } from "./callbacks";
import type { Logs } from "./logs";

/** Whether less or more of a figure is better; `auto` goes by its name. */
export type Mode = "auto" | "min" | "max";

export const modeOption = () => or(oneOf("auto", "min", "max"), "auto" as Mode);

const LESS = /(loss|penalty|error)$/i;
const MORE = /(accuracy|precision|recall|f1|auc|rSquared)$/i;

/** Watches `monitor`; throws `argument` where the epochs' logs will not have it. */
export class Monitor {
  readonly #more: boolean;

  constructor(
    who: string,
    readonly name: string,
    mode: Mode,
    { monitors }: FitPlan,
  ) {
    if (!monitors.includes(name)) throw argumentError(who, `monitor to be one of ${monitors.join(", ")}`, name);
    if (mode === "auto" && !LESS.test(name) && !MORE.test(name))
      throw argumentError(who, `mode "min" or "max" for the monitor ${name}`, mode);
    this.#more = mode === "auto" ? MORE.test(name) : mode === "max";
  }

  /** The figure in an epoch's logs. */
  of(logs: Logs): number {
    return logs[this.name]!;
  }

  /** Whether `value` is better than `reference` by more than `minDelta`; nothing that is not finite is. */
  improves(value: number, reference: number | undefined, minDelta: number): boolean {
    if (!Number.isFinite(value)) return false;
    if (reference === undefined) return true;
    return this.#more ? value - minDelta > reference : value + minDelta < reference;
  }
}
