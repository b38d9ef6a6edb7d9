// Figures: Observable Plot, drawn to SVG text.

import * as Plots from "@observablehq/plot";
import { parseHTML } from "linkedom";

/** A figure: what Plot draws, and what stands below. */
export interface Plot {
  caption: string;
  options: Plots.PlotOptions;
}

/** A point of a curve; `arm` is which one, `part` in which of several fields beside one another. */
export interface Point {
  x: number;
  y: number;
  arm: string;
  part?: string;
}

const armsOf = (points: readonly Point[]) => [...new Set(points.map(({ arm }) => arm))];

/** Of an axis with powers of ten. */
const LOG = { type: "log", tickFormat: "~g", ticks: 4 } as const;

/** Curves, one an arm. */
export function curves(
  caption: string,
  points: readonly Point[],
  axes: { x: string; y: string; logX?: boolean; logY?: boolean },
): Plot {
  const parts = points[0]?.part !== undefined;
  return {
    caption,
    options: {
      ...(parts && { width: 880 }),
      marginLeft: 60,
      marginRight: 30,
      x: { label: axes.x, ...(axes.logX && LOG) },
      y: { label: axes.y, grid: true, ...(axes.logY && LOG) },
      fx: { label: null },
      color: { legend: true, domain: armsOf(points) },
      marks: [Plots.lineY(points, { x: "x", y: "y", stroke: "arm", ...(parts && { fx: "part" }) })],
    },
  };
}

/** Bars with one standard error to either side; values by arm. */
export function bars(caption: string, arms: Readonly<Record<string, readonly number[]>>, label: string): Plot {
  const items = Object.entries(arms).map(([arm, values]) => {
    const m = values.reduce((sum, v) => sum + v, 0) / values.length;
    const variance = values.reduce((sum, v) => sum + (v - m) ** 2, 0) / Math.max(1, values.length - 1);
    const error = Math.sqrt(variance / values.length);
    return { arm, mean: m, low: m - error, high: m + error };
  });
  const all = items.flatMap(({ low, high }) => [low, high]);
  const least = Math.min(...all);
  const most = Math.max(...all);
  const margin = (most - least || Math.abs(most) || 1) * 0.2;
  const domain = items.map(({ arm }) => arm);
  return {
    caption,
    options: {
      marginLeft: 180,
      x: { label, grid: true, domain: [least - margin, most + margin] },
      y: { label: null, domain },
      marks: [
        Plots.ruleY(items, { y: "arm", x1: "low", x2: "high", strokeWidth: 2 }),
        Plots.dot(items, { y: "arm", x: "mean", r: 5, fill: "currentColor" }),
      ],
    },
  };
}

/** How often values fall where; values by arm. */
export function histogram(caption: string, arms: Readonly<Record<string, readonly number[]>>, label: string): Plot {
  const items = Object.entries(arms).flatMap(([arm, values]) => values.map((value) => ({ arm, value })));
  const bins = Plots.binX({ y: "proportion-facet" }, { x: { value: "value", thresholds: 60 } });
  return {
    caption,
    options: {
      marginRight: 110,
      x: { label },
      y: { label: "share", grid: true },
      fy: { label: null, domain: Object.keys(arms) },
      marks: [Plots.rectY(items, { ...bins, fy: "arm" })],
    },
  };
}

/** Images in [0, 1], `side` × `side`, in a row for each arm. */
export function images(
  caption: string,
  arms: Readonly<Record<string, readonly ArrayLike<number>[]>>,
  side: number,
): Plot {
  const pixels = Object.entries(arms).flatMap(([arm, list]) =>
    list.flatMap((image, i) =>
      Array.from({ length: side * side }, (_, p) => ({
        arm,
        x: i * (side + 1) + (p % side),
        y: Math.floor(p / side),
        value: image[p]!,
      })),
    ),
  );
  const most = Math.max(...Object.values(arms).map((list) => list.length));
  return {
    caption,
    options: {
      axis: null,
      width: 160 + most * 60,
      height: Object.keys(arms).length * 64 + 20,
      marginLeft: 160,
      fy: { label: null, axis: "left", domain: Object.keys(arms) },
      y: { reverse: false },
      color: { scheme: "greys", domain: [0, 1] },
      marks: [
        Plots.rect(pixels, {
          x1: "x",
          x2: (d) => d.x + 1,
          y1: (d) => -d.y,
          y2: (d) => -d.y - 1,
          fill: "value",
          fy: "arm",
        }),
      ],
    },
  };
}

/** Curves in the plane over contours of what `height` gives for points. */
export function paths(
  caption: string,
  points: readonly Point[],
  bounds: { x: readonly [number, number]; y: readonly [number, number] },
  height: (points: number[][]) => Float32Array,
): Plot {
  const side = 80;
  const at = ([low, high]: readonly [number, number], i: number) => low + ((high - low) * (i + 0.5)) / side;
  const grid = Array.from({ length: side * side }, (_, i) => [
    at(bounds.x, i % side),
    at(bounds.y, Math.floor(i / side)),
  ]);
  const heights = height(grid);
  const least = heights.reduce((low, h) => Math.min(low, h), Infinity);
  const inside = ({ x, y }: Point) => x >= bounds.x[0] && x <= bounds.x[1] && y >= bounds.y[0] && y <= bounds.y[1];
  return {
    caption,
    options: {
      width: 520,
      height: 480,
      x: { domain: bounds.x as unknown as number[] },
      y: { domain: bounds.y as unknown as number[] },
      color: { legend: true, domain: armsOf(points) },
      marks: [
        Plots.contour(
          Array.from(heights, (h) => Math.log1p(h - least)),
          {
            width: side,
            height: side,
            x1: bounds.x[0],
            x2: bounds.x[1],
            y1: bounds.y[0],
            y2: bounds.y[1],
            value: Plots.identity,
            stroke: "#bbb",
            thresholds: 14,
          },
        ),
        Plots.lineX(points.filter(inside), { x: "x", y: "y", stroke: "arm", curve: "linear" }),
        Plots.dot(points.filter(inside), { x: "x", y: "y", fill: "arm", r: 1.5 }),
      ],
    },
  };
}

/** A figure as HTML. */
export function draw({ options }: Plot): string {
  const { document } = parseHTML("<!doctype html><html><body></body></html>");
  const drawn = Plots.plot({ width: 640, height: 320, ...options, document: document as unknown as Document });
  return (drawn as unknown as { outerHTML: string }).outerHTML;
}
