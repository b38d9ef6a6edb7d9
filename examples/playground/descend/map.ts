// The landscape from above, and the tracks on it.

import { colour } from "../dom";
import type { LandscapeMap, Point, Track } from "./protocol";

const BANDS = 16;

/** How heights are coloured: where they span powers of ten by their logarithm, so that valleys have lines too. */
export type Scale = "linear" | "logarithmic" | "cubeRoot";

/** Heights between 0 and 1. */
function levels({ heights, lowest }: LandscapeMap, scale: Scale): Float32Array {
  const sorted = heights.slice().sort();
  const low = lowest ?? sorted[0]!;
  const unit = sorted[Math.floor(sorted.length / 50)]! - low;
  const scaled = {
    linear: (f: number) => f,
    logarithmic: (f: number) => Math.log1p((f - low) / unit),
    cubeRoot: Math.cbrt,
  }[scale];
  const [from, to] = [scaled(low), scaled(sorted.at(-1)!)];
  return heights.map((f) => (scaled(f) - from) / (to - from));
}

const rgb = (property: string) =>
  colour(property)
    .match(/[\d.]+/g)!
    .map(Number) as [number, number, number];

/** The picture of a landscape, width × height pixels: bands from low to high, and lines between them. */
function picture(map: LandscapeMap, scale: Scale, width: number, height: number): HTMLCanvasElement {
  const { columns, rows } = map;
  const grid = levels(map, scale);
  const canvas = document.createElement("canvas");
  canvas.width = width;
  canvas.height = height;
  const context = canvas.getContext("2d")!;
  const image = context.createImageData(width, height);
  const [low, high, line] = [rgb("--map-low"), rgb("--map-high"), rgb("--map-line")];
  const thick = 0.6 * devicePixelRatio;
  /** Where a pixel's middle lies between the grid's points: the one before, and the share of the one behind. */
  const between = (pixel: number, pixels: number, points: number) => {
    const at = Math.min(points - 1.001, Math.max(0, ((pixel + 0.5) * points) / pixels - 0.5));
    return { before: Math.floor(at), share: at - Math.floor(at) };
  };
  const across = Array.from({ length: width + 1 }, (_, x) => between(x, width, columns));
  const befores = Int32Array.from(across, ({ before }) => before);
  const shares = Float32Array.from(across, ({ share }) => share);
  /** Bands counted at a row of pixels. */
  const fill = (row: Float32Array, y: number) => {
    const { before, share: down } = between(y, height, rows);
    for (let x = 0; x <= width; x++) {
      const i = before * columns + befores[x]!;
      const share = shares[x]!;
      const upper = grid[i]! + (grid[i + 1]! - grid[i]!) * share;
      const lower = grid[i + columns]! + (grid[i + columns + 1]! - grid[i + columns]!) * share;
      row[x] = BANDS * (upper + (lower - upper) * down);
    }
  };
  const pixels = image.data;
  let above = new Float32Array(width + 1);
  let below = new Float32Array(width + 1);
  fill(above, 0);
  for (let y = 0, at = 0; y < height; y++) {
    fill(below, y + 1);
    for (let x = 0; x < width; x++, at += 4) {
      const b = above[x]!;
      const right = above[x + 1]! - b;
      const down = below[x]! - b;
      const slope = Math.max(1e-6, Math.sqrt(right * right + down * down));
      const border = Math.round(b);
      const inner = border > 0 && border < BANDS;
      const ink = inner ? 0.55 * Math.min(1, Math.max(0, thick + 0.5 - Math.abs(b - border) / slope)) : 0;
      const part = Math.min(1, Math.floor(b) / (BANDS - 1));
      for (let c = 0; c < 3; c++) {
        const band = low[c]! + (high[c]! - low[c]!) * part;
        pixels[at + c] = band + (line[c]! - band) * ink;
      }
      pixels[at + 3] = 255;
    }
    const next = above;
    above = below;
    below = next;
  }
  context.putImageData(image, 0, 0);
  return canvas;
}

export interface Drawn extends Track {
  name: string;
  /** A custom property of the style sheet. */
  colour: string;
}

/** Draws on a canvas of its own size in the page. */
export class Drawing {
  private map: LandscapeMap | undefined;
  private scale: Scale = "linear";
  private background: HTMLCanvasElement | undefined;
  /** The tracks so far, over the background: from frame to frame only what is new is drawn. */
  private readonly layer = document.createElement("canvas");
  private drawn: { tracks: readonly Drawn[]; step: number; lengths: number[] } | undefined;
  private colours = new Map<string, string>();

  constructor(readonly canvas: HTMLCanvasElement) {}

  /** Another landscape or another theme. */
  setMap(map: LandscapeMap, scale: Scale): void {
    this.map = map;
    this.scale = scale;
    this.background = undefined;
    this.drawn = undefined;
    this.colours.clear();
  }

  /** The point of the landscape that is at a place of the page. */
  pointAt(clientX: number, clientY: number): Point {
    const [[left, right], [bottom, top]] = this.map!.bounds;
    const box = this.canvas.getBoundingClientRect();
    return [
      left + ((right - left) * (clientX - box.left)) / box.width,
      top - ((top - bottom) * (clientY - box.top)) / box.height,
    ];
  }

  /** The map, and of each track its first `step` steps. */
  draw(tracks: readonly Drawn[], start: Point, step: number): void {
    const { canvas, layer, map } = this;
    const ratio = devicePixelRatio;
    const [width, height] = [Math.round(canvas.clientWidth * ratio), Math.round(canvas.clientHeight * ratio)];
    if (!map || !width || !height) return;
    if (canvas.width !== width || canvas.height !== height) {
      for (const each of [canvas, layer]) {
        each.width = width;
        each.height = height;
      }
      this.background = undefined;
      this.drawn = undefined;
    }
    this.background ??= picture(map, this.scale, width, height);
    this.drawTracks(tracks, step);
    const context = canvas.getContext("2d")!;
    context.drawImage(this.background, 0, 0);
    this.drawMarks(context, start);
    context.drawImage(layer, 0, 0);
    this.drawHeads(context, tracks, step);
  }

  private colour(property: string): string {
    const known = this.colours.get(property) ?? colour(property);
    this.colours.set(property, known);
    return known;
  }

  /** Where a point of the landscape is on the canvas; a canvas draws nothing of lines that lead too far away. */
  private place(x: number, y: number): Point {
    const [[left, right], [bottom, top]] = this.map!.bounds;
    const { width, height } = this.canvas;
    const near = (v: number) => Math.max(-1e5, Math.min(1e5, v));
    return [near(((x - left) / (right - left)) * width), near(((top - y) / (top - bottom)) * height)];
  }

  private drawMarks(context: CanvasRenderingContext2D, start: Point): void {
    const arm = 6 * devicePixelRatio;
    context.lineWidth = 1.5 * devicePixelRatio;
    context.strokeStyle = this.colour("--text");
    context.beginPath();
    for (const minimum of this.map!.minima) {
      const [x, y] = this.place(...minimum);
      context.moveTo(x - arm, y);
      context.lineTo(x + arm, y);
      context.moveTo(x, y - arm);
      context.lineTo(x, y + arm);
    }
    const [x, y] = this.place(...start);
    context.moveTo(x + arm, y);
    context.arc(x, y, arm, 0, 2 * Math.PI);
    context.stroke();
  }

  private drawTracks(tracks: readonly Drawn[], step: number): void {
    const context = this.layer.getContext("2d")!;
    if (this.drawn?.tracks !== tracks || this.drawn.step > step) {
      context.clearRect(0, 0, this.layer.width, this.layer.height);
      this.drawn = { tracks, step: 0, lengths: tracks.map(() => 0) };
    }
    const { step: from, lengths } = this.drawn;
    context.lineJoin = "round";
    context.lineWidth = 2 * devicePixelRatio;
    for (const [t, { path, twin, colour: own }] of tracks.entries()) {
      const to = Math.min(step, path.length / 2 - 1);
      if (from >= to) continue;
      context.strokeStyle = this.colour(own);
      context.setLineDash(twin ? [4 * devicePixelRatio, 3 * devicePixelRatio] : []);
      context.lineDashOffset = lengths[t]!;
      context.beginPath();
      let [px, py] = this.place(path[2 * from]!, path[2 * from + 1]!);
      context.moveTo(px, py);
      for (let i = from + 1; i <= to; i++) {
        const [x, y] = this.place(path[2 * i]!, path[2 * i + 1]!);
        context.lineTo(x, y);
        if (twin) lengths[t]! += Math.hypot(x - px, y - py);
        [px, py] = [x, y];
      }
      context.stroke();
    }
    this.drawn.step = step;
  }

  /** Where each is, with its name where there is room. */
  private drawHeads(context: CanvasRenderingContext2D, tracks: readonly Drawn[], step: number): void {
    const ratio = devicePixelRatio;
    const { width, height } = this.canvas;
    const heads = tracks
      .map(({ path, name, twin, colour: own }) => {
        const at = Math.min(step, path.length / 2 - 1);
        return { name, twin, own, at: this.place(path[2 * at]!, path[2 * at + 1]!) };
      })
      .filter(({ at: [x, y] }) => x >= 0 && y >= 0 && x <= width && y <= height);
    const taken = heads.map(({ at: [x, y] }) => [x - 4 * ratio, y - 4 * ratio, x + 4 * ratio, y + 4 * ratio] as const);
    const size = 12 * ratio;
    context.font = `600 ${size}px system-ui, sans-serif`;
    context.textBaseline = "middle";
    context.lineWidth = 3 * ratio;
    context.strokeStyle = this.colour("--map-high");
    for (const { at, twin, own } of heads) {
      context.fillStyle = this.colour(own);
      context.beginPath();
      context.arc(...at, (twin ? 3 : 5) * ratio, 0, 2 * Math.PI);
      context.stroke();
      context.fill();
    }
    for (const { at, name, twin, own } of heads) {
      if (twin) continue;
      const [x, y] = at;
      context.fillStyle = this.colour(own);
      const wide = context.measureText(name).width;
      const gap = 9 * ratio;
      const places = [
        [x + gap, y],
        [x - gap - wide, y],
        [x - wide / 2, y - 1.5 * size],
        [x - wide / 2, y + 1.5 * size],
      ] as const;
      for (const [left, middle] of places) {
        const box = [left, middle - size / 2, left + wide, middle + size / 2] as const;
        const free = taken.every((t) => box[0] > t[2] || box[2] < t[0] || box[1] > t[3] || box[3] < t[1]);
        if (!free || box[0] < 0 || box[1] < 0 || box[2] > width || box[3] > height) continue;
        taken.push(box);
        context.strokeText(name, left, middle);
        context.fillText(name, left, middle);
        break;
      }
    }
  }
}
