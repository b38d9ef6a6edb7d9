// Progress of models that train at the same time: on a terminal a live line each, else each line with its model's name.

import { terminal } from "#platform";
import { Progress } from "../callbacks/progressBar";
import { count, text } from "../options";
import { type Built, factory } from "../registry";
import type { CallbackDefinition } from "../training/callbacks";

/** What a progress bar puts before its line. */
const REWRITE = "\r\x1b[K";

/** Lines that are live, in the order in which they began, and how many of them stand on the terminal. */
const live = new Map<object, string>();
let painted = 0;

/** Writes lines that stay, then the live ones below them. */
function paint(stays = ""): void {
  const up = painted ? `\x1b[${painted}A\r\x1b[J` : "";
  painted = live.size;
  terminal.write(up + stays + [...live.values()].map((line) => `${line}\n`).join(""));
}

/** A terminal in which every line begins with `label`. */
function labelled(label: string): typeof terminal {
  const key = {};
  return {
    get isTTY() {
      return terminal.isTTY;
    },
    get columns() {
      return terminal.columns - label.length;
    },
    write(line) {
      if (!terminal.isTTY) return terminal.write(label + line);
      if (line.startsWith(REWRITE)) {
        live.set(key, label + line.slice(REWRITE.length));
        return paint();
      }
      const last = live.get(key) ?? label;
      live.delete(key);
      return paint(last + line);
    },
  };
}

/** A progress bar whose lines begin with `label`. */
export const labelledProgress: (options: { width: number; label: string }) => Built = /* @__PURE__ */ factory<
  [options: { width: number; label: string }],
  CallbackDefinition<{ width: number; label: string }>
>("callback", {
  type: "labelledProgress",
  options: () => ({ width: count(), label: text() }),
  shows: true,
  create: ({ width, label }, plan) => new Progress(width, plan, labelled(label)),
});
