// Small pictures of the data.

import { drawing } from "../dom";
import type { Settings } from "./settings";

/** Of each kind the i-th point's place in [−1, 1]² and class. */
const PLACES: Partial<Record<Settings["data"], (i: number) => [x: number, y: number, label: number]>> = {
  circles: (i) => {
    const radius = i % 2 ? 0.85 : 0.35;
    return [radius * Math.cos(i * 0.6), radius * Math.sin(i * 0.6), i % 2];
  },
  moons: (i) => {
    const angle = (Math.PI * (i >> 1)) / 10;
    return i % 2
      ? [0.35 - 0.6 * Math.cos(angle), 0.35 - 0.75 * Math.sin(angle), 1]
      : [-0.35 + 0.6 * Math.cos(angle), -0.35 + 0.75 * Math.sin(angle), 0];
  },
  spirals: (i) => {
    const [angle, radius] = [(i >> 1) * 0.5 + (i % 2) * Math.PI, 0.15 + (i >> 1) * 0.075];
    return [radius * Math.cos(angle), radius * Math.sin(angle), i % 2];
  },
  xor: (i) => {
    const [a, b] = [i & 1, (i >> 1) & 1];
    return [(a ? 0.5 : -0.5) + 0.3 * Math.sin(i * 2.4), (b ? 0.5 : -0.5) + 0.3 * Math.cos(i * 1.7), a ^ b];
  },
  blobs: (i) => {
    const label = i % 3;
    const [angle, spread] = [label * 2.1 + 0.5, 0.1 + 0.03 * (i % 7)];
    return [
      0.55 * Math.cos(angle) + spread * Math.cos(i * 2.4),
      0.55 * Math.sin(angle) + spread * Math.sin(i * 2.4),
      label,
    ];
  },
};

export function thumbnail(data: Settings["data"]): Element {
  const place = PLACES[data];
  const dot = (_: unknown, i: number) => {
    const [cx, cy, label] = place!(i);
    return drawing("circle", { cx: cx.toFixed(2), cy: (-cy).toFixed(2), r: 0.11, class: `class-${label}` });
  };
  const line =
    data === "digits"
      ? "M-.5-.55C-.4-1 .5-1 .5-.45.5-.1 .1 0-.1 0 .2 0 .6.1 .6.5 .6 1-.4 1.05-.55.55"
      : "M0-.7V.7M-.7 0H.7";
  const parts = place ? Array.from({ length: 22 }, dot) : [drawing("path", { d: line })];
  return drawing("svg", { viewBox: "-1.2 -1.2 2.4 2.4", class: "thumbnail", "aria-hidden": "true" }, ...parts);
}
