// A figure that callbacks watch, and what counts as better.

import { argumentError } from "../errors";
import { oneOf, or } from "../options";
import type { FitPlan } from "../training/callbacks";

/**
 * Whether less or more of a figure is better; `auto` goes by its name.
 * @inline
 */
export type Mode = "auto" | "min" | "max";

export const modeOption = () => or(oneOf("auto", "min", "max"), "auto" as Mode);

const LESS = /(loss|penalty|error)$/i;
const MORE = /(accuracy|precision|recall|f1|auc|rSquared)$/i;

/** Whether `value` is better than `reference` by more than `minDelta`; nothing that is not finite is. */
export type Improves = (value: number, reference: number | undefined, minDelta: number) => boolean;

/** What counts as better for the figure `name`; throws `argument` where the epochs' logs will not have it. */
export function improvement(who: string, name: string, mode: Mode, { monitors }: FitPlan): Improves {
  if (!monitors.includes(name)) {
    const why = /^val/.test(name) && !/^val/.test(monitors.at(-1)!) ? " (there is no validation data)" : "";
    throw argumentError(who, `monitor to be one of ${monitors.join(", ")}${why}`, name);
  }
  const more = mode === "auto" ? MORE.test(name) : mode === "max";
  if (mode === "auto" && !more && !LESS.test(name))
    throw argumentError(who, `mode "min" or "max" for the monitor ${name}`, mode);
  return (value, reference, minDelta) =>
    Number.isFinite(value) &&
    (reference === undefined || (more ? value - minDelta > reference : value + minDelta < reference));
}
