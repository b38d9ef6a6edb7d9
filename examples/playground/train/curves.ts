// Loss and accuracy by epoch, with those of the run before and the place where early stopping would stop.

import type uPlot from "uplot";
import { card, colour, toggle } from "../dom";
import { plot } from "../plot";
import type { Words } from "./controls";
import type { EarlyStopping, Epoch } from "./protocol";

export interface Curves {
  root: HTMLElement;
  show(epochs: readonly Epoch[], before: readonly Epoch[], earlyStopping: EarlyStopping | null): void;
  restyle(): void;
}

export function curves(words: Words): Curves {
  let stopping: EarlyStopping | null = null;
  const series = (of: [() => string, () => string]) => [
    { label: () => words().training, colour: "--accent" },
    { label: of[0], colour: "--class-4" },
    { label: of[1], colour: "--control", dash: [3, 3], width: 1.25 },
  ];

  /** Two lines across the plot: the epoch with the best weights, and the one after which it would have stopped. */
  function mark(of: uPlot): void {
    if (!stopping || stopping.stop === null) return;
    const { ctx, bbox } = of;
    ctx.save();
    ctx.fillStyle = ctx.strokeStyle = colour("--muted");
    ctx.font = `${12 * devicePixelRatio}px system-ui, sans-serif`;
    ctx.lineWidth = devicePixelRatio;
    ctx.textBaseline = "top";
    const close = of.valToPos(stopping.stop + 1, "x", true) - of.valToPos(stopping.best + 1, "x", true);
    for (const [epoch, text, dash, side] of [
      [stopping.best, words().bestMark, [2, 3], "right"],
      [stopping.stop, words().stopMark, [], "left"],
    ] as const) {
      const x = Math.round(of.valToPos(epoch + 1, "x", true));
      ctx.setLineDash(dash.map((length) => length * devicePixelRatio));
      ctx.beginPath();
      ctx.moveTo(x, bbox.top);
      ctx.lineTo(x, bbox.top + bbox.height);
      ctx.stroke();
      const space = ctx.measureText(text).width + 6 * devicePixelRatio;
      const turned = side === "right" ? x - space < bbox.left : x + space > bbox.left + bbox.width;
      ctx.textAlign = turned ? (side === "right" ? "left" : "right") : side;
      const below = turned && close < 2 * space ? 14 * devicePixelRatio : 0;
      ctx.fillText(text, x + (ctx.textAlign === "left" ? 4 : -4) * devicePixelRatio, bbox.top + below);
    }
    ctx.restore();
  }

  const loss = plot({
    label: () => words().curves,
    x: () => words().epoch,
    y: () => words().loss,
    series: series([() => words().validation, () => words().before]),
    height: 230,
    draw: mark,
  });
  const accuracy = plot({
    label: () => words().accuracyCurves,
    x: () => words().epoch,
    y: () => words().accuracy,
    series: series([() => words().validation, () => words().before]),
    height: 180,
    unit: "%",
  });
  const log = toggle({ label: () => words().logScale, value: false, onChange: (to) => loss.setLog(to) });
  const root = card(() => words().curves, { class: "learning-curves" }, log.root, loss.root, accuracy.root);
  return {
    root,
    show(epochs, before, earlyStopping) {
      stopping = earlyStopping;
      const x = Array.from({ length: Math.max(epochs.length, before.length) }, (_, i) => i + 1);
      const column = (of: readonly Epoch[], value: (epoch: Epoch) => number | undefined) =>
        x.map((_, i) => (of[i] && value(of[i]!)) ?? null);
      loss.setData([
        x,
        column(epochs, ({ loss }) => loss),
        column(epochs, ({ valLoss }) => valLoss),
        column(before, ({ loss, valLoss }) => valLoss ?? loss),
      ]);
      const percent = (share: number | undefined) => share && 100 * share;
      accuracy.setData([
        x,
        column(epochs, ({ accuracy }) => percent(accuracy)),
        column(epochs, ({ valAccuracy }) => percent(valAccuracy)),
        column(before, ({ accuracy, valAccuracy }) => percent(valAccuracy ?? accuracy)),
      ]);
    },
    restyle() {
      loss.restyle();
      accuracy.restyle();
    },
  };
}
