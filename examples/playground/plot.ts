// Curves, drawn by uPlot in the page's colours, with a summary for screen readers.

// biome-ignore assist/source/organizeImports: locale has to be there before uPlot
import { locale } from "./locale";
import uPlot from "uplot";
import { colour, element, type Text } from "./dom";

export interface Series {
  label: Text;
  /** A custom property of the style sheet. */
  colour: string;
  dash?: number[];
  width?: number;
}

export interface PlotOptions {
  /** What the plot is of, for screen readers. */
  label: Text;
  x: Text;
  y: Text;
  series: Series[];
  /** Pixels, the legend not among them. */
  height?: number;
  /** The axis of y is logarithmic at first. */
  log?: boolean;
  /** Behind the numbers of y. */
  unit?: string;
  /** What the axis of y shows; default: all of the data. */
  range?: () => readonly [number, number];
  /** Draws over the curves. */
  draw?: (plot: uPlot) => void;
}

export interface Plot {
  root: HTMLElement;
  /** One array of x, then one for each series; NaN and null are gaps. Drawn at the next frame. */
  setData(data: ArrayLike<number | null>[]): void;
  /** A logarithmic axis of y; what is not positive is left out. */
  setLog(log: boolean): void;
  /** Theme or language has changed. */
  restyle(): void;
  /** For one that is not shown again: uPlot keeps its plots in a list. */
  destroy(): void;
}

const written = (text: Text) => (typeof text === "string" ? text : text());
/** A number in few digits. */
export const shown = (value: number | null | undefined, digits = 3): string =>
  (value === null || value === undefined || !Number.isFinite(value)
    ? "–"
    : value !== 0 && (Math.abs(value) < 1e-3 || Math.abs(value) >= 1e5)
      ? value.toExponential(1).replace(".0", "")
      : `${+value.toPrecision(digits)}`
  ).replace(/^-/, "−");

/** Of the splits of a logarithmic axis, nine a decade, as many powers of ten as there is room for, and between few of them 2 and 5. */
function powers(height: number, splits: number[]): (number | null)[] {
  const decades = Math.log10(splits.at(-1)! / splits[0]!);
  const every = Math.ceil((decades * 24) / height) || 1;
  return splits.map((v) => {
    const power = Math.floor(Math.log10(v) + 1e-9);
    const digit = Math.round(v / 10 ** power);
    return power % every === 0 && (digit === 1 || (decades < 1.5 && (digit === 2 || digit === 5))) ? v : null;
  });
}

export function plot(options: PlotOptions): Plot {
  const { series, height = 220, unit = "", range } = options;
  const box = element("div", { class: "curves", role: "img", "aria-label": written(options.label) });
  let data: ArrayLike<number | null>[] = [[], ...series.map(() => [])];
  let { log = false } = options;
  let made: uPlot | undefined;
  let frame = 0;
  let width = 0;

  const cleaned = () =>
    data.map((values, i) =>
      i === 0
        ? Array.from(values)
        : Array.from(values, (v) => (v !== null && Number.isFinite(v) && (!log || v > 0) ? v : null)),
    ) as uPlot.AlignedData;

  const last = (i: number) => Array.from(made?.data[i] ?? []).findLast((v) => v !== null) ?? null;

  /** The last values, in words; what has none is not in the legend. */
  function describe(): void {
    const entries = box.querySelectorAll<HTMLElement>(".u-series");
    const there = series.map((_, i) => last(i + 1));
    there.forEach((value, i) => {
      entries[i + 1]!.hidden = value === null;
    });
    entries[0]!.hidden = true;
    const words = there.flatMap((value, i) =>
      value === null ? [] : `${written(series[i]!.label)} ${shown(value)}${unit}`,
    );
    box.setAttribute("aria-label", `${written(options.label)}: ${words.join(", ")}`);
  }

  function make(): void {
    made?.destroy();
    const muted = colour("--muted");
    const axis = {
      stroke: muted,
      grid: { stroke: colour("--line"), width: 1 },
      ticks: { show: false },
      font: "12px system-ui, sans-serif",
      labelFont: "12px system-ui, sans-serif",
      labelSize: 18,
      labelGap: 0,
    };
    const rangeOfY = (_: uPlot, min: number | null, max: number | null): uPlot.Range.MinMax => {
      if (range) return [...range()];
      if (min === null || max === null) return [log ? 0.1 : 0, unit ? 100 : 1];
      return log ? uPlot.rangeLog(min, max, 10, true) : uPlot.rangeNum(min, max, 0.1, true);
    };
    const among = (_: uPlot, splits: number[]) => powers(height, splits);
    made = new uPlot(
      {
        width,
        height,
        padding: [8, 12, 0, 0],
        cursor: { y: false, drag: { x: false, y: false } },
        legend: { live: true },
        scales: {
          // with no data yet there is an axis all the same
          x: { time: false, range: (_, min, max) => (min === null ? [0, 10] : [min, max > min ? max : min + 1]) },
          y: { distr: log ? 3 : 1, range: rangeOfY },
        },
        axes: [
          {
            ...axis,
            label: written(options.x),
            size: 28,
            values: (_, splits) => splits.map((v) => v.toLocaleString(locale)),
          },
          {
            ...axis,
            ...(log && { filter: among, grid: { ...axis.grid, filter: among } }),
            label: written(options.y),
            size: 48,
            values: (_, splits) => splits.map((v) => (v === null ? "" : shown(v) + unit)),
          },
        ],
        series: [
          { label: written(options.x), value: (_, v) => shown(v) },
          ...series.map((one) => ({
            label: written(one.label),
            stroke: colour(one.colour),
            width: one.width ?? 1.75,
            points: { show: false },
            // where the cursor is, or else the last one
            value: (_: uPlot, v: number | null, i: number, at: number | null) => {
              const value = at === null ? last(i) : v;
              return shown(value) + (value === null ? "" : unit);
            },
            ...(one.dash && { dash: one.dash }),
          })),
        ],
        hooks: { draw: options.draw ? [options.draw] : [] },
      },
      cleaned(),
      box,
    );
    describe();
  }

  function redraw(): void {
    frame = 0;
    if (!width) return;
    if (!made) make();
    else if (made.width !== width) made.setSize({ width, height });
    made!.setData(cleaned());
    describe();
  }
  const request = () => {
    if (!frame) frame = requestAnimationFrame(redraw);
  };
  const resized = new ResizeObserver(([entry]) => {
    width = entry!.contentRect.width; // asked of the box at each drawing, it would be laid out each time
    request();
  });
  resized.observe(box);

  const again = () => {
    if (made) make();
    else box.setAttribute("aria-label", written(options.label));
  };
  return {
    root: box,
    setData(of) {
      data = of;
      request();
    },
    setLog(to) {
      log = to;
      again();
    },
    restyle: again,
    destroy() {
      resized.disconnect();
      cancelAnimationFrame(frame);
      made?.destroy();
    },
  };
}
