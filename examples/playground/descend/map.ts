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
  let above = new Float32Array(width + 1);
  let below = new Float32Array(width + 1);
  /** Bands counted at a row of pixels, between the grid's points bilinear. */
  const fill = (row: Float32Array, y: number) => {
    const v = Math.min(rows - 1.001, Math.max(0, ((y + 0.5) * rows) / height - 0.5));
    const j = Math.floor(v) * columns;
    for (let x = 0; x <= width; x++) {
      const u = Math.min(columns - 1.001, Math.max(0, ((x + 0.5) * columns) / width - 0.5));
      const i = Math.floor(u);
      const [s, t] = [u - i, v - Math.floor(v)];
      const upper = grid[j + i]! * (1 - s) + grid[j + i + 1]! * s;
      const lower = grid[j + columns + i]! * (1 - s) + grid[j + columns + i + 1]! * s;
      row[x] = BANDS * (upper * (1 - t) + lower * t);
    }
  };
  fill(above, 0);
  for (let y = 0, at = 0; y < height; y++) {
    fill(below, y + 1);
    for (let x = 0; x < width; x++, at += 4) {
      const b = above[x]!;
      const slope = Math.max(1e-6, Math.hypot(above[x + 1]! - b, below[x]! - b));
      const border = Math.round(b);
      const inner = border > 0 && border < BANDS;
      const ink = inner ? 0.55 * Math.min(1, Math.max(0, thick + 0.5 - Math.abs(b - border) / slope)) : 0;
      const part = Math.min(1, Math.floor(b) / (BANDS - 1));
      for (let c = 0; c < 3; c++) {
        const band = low[c]! + (high[c]! - low[c]!) * part;
        image.data[at + c] = band + (line[c]! - band) * ink;
      }
      image.data[at + 3] = 255;
    }
    [above, below] = [below, above];
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

  constructor(readonly canvas: HTMLCanvasElement) {}

  /** Another landscape, another theme or another size. */
  setMap(map: LandscapeMap, scale: Scale): void {
    this.map = map;
    this.scale = scale;
    this.background = undefined;
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
    const { canvas, map } = this;
    const ratio = devicePixelRatio;
    const [width, height] = [Math.round(canvas.clientWidth * ratio), Math.round(canvas.clientHeight * ratio)];
    if (!map || !width || !height) return;
    if (canvas.width !== width || canvas.height !== height) {
      canvas.width = width;
      canvas.height = height;
      this.background = undefined;
    }
    this.background ??= picture(map, this.scale, width, height);
    const context = canvas.getContext("2d")!;
    context.drawImage(this.background, 0, 0);
    const [[left, right], [bottom, top]] = map.bounds;
    // a canvas draws nothing of lines that lead too far away
    const far = (v: number) => Math.max(-1e5, Math.min(1e5, v));
    const placeX = (x: number) => far(((x - left) / (right - left)) * width);
    const placeY = (y: number) => far(((top - y) / (top - bottom)) * height);

    context.lineWidth = 1.5 * ratio;
    context.strokeStyle = colour("--text");
    context.beginPath();
    for (const [x, y] of map.minima) {
      const [px, py, arm] = [placeX(x), placeY(y), 6 * ratio];
      context.moveTo(px - arm, py);
      context.lineTo(px + arm, py);
      context.moveTo(px, py - arm);
      context.lineTo(px, py + arm);
    }
    context.moveTo(placeX(start[0]) + 6 * ratio, placeY(start[1]));
    context.arc(placeX(start[0]), placeY(start[1]), 6 * ratio, 0, 2 * Math.PI);
    context.stroke();

    context.lineJoin = "round";
    for (const { path, twin, colour: own } of tracks) {
      context.strokeStyle = colour(own);
      context.lineWidth = 2 * ratio;
      context.setLineDash(twin ? [4 * ratio, 3 * ratio] : []);
      context.beginPath();
      for (let i = 0; i <= Math.min(step, path.length / 2 - 1); i++)
        context.lineTo(placeX(path[2 * i]!), placeY(path[2 * i + 1]!));
      context.stroke();
    }
    context.setLineDash([]);
    this.drawHeads(context, tracks, step, (at, path) => [placeX(path[2 * at]!), placeY(path[2 * at + 1]!)]);
  }

  /** Where each is, with its name where there is room. */
  private drawHeads(
    context: CanvasRenderingContext2D,
    tracks: readonly Drawn[],
    step: number,
    place: (at: number, path: Float32Array) => Point,
  ): void {
    const ratio = devicePixelRatio;
    const { width, height } = this.canvas;
    const heads = tracks
      .map((track) => ({ ...track, at: place(Math.min(step, track.path.length / 2 - 1), track.path) }))
      .filter(({ at: [x, y] }) => x >= 0 && y >= 0 && x <= width && y <= height);
    const taken = heads.map(({ at: [x, y] }) => [x - 4 * ratio, y - 4 * ratio, x + 4 * ratio, y + 4 * ratio] as const);
    const size = 12 * ratio;
    context.font = `600 ${size}px system-ui, sans-serif`;
    context.textBaseline = "middle";
    context.lineWidth = 3 * ratio;
    context.strokeStyle = colour("--map-high");
    for (const { at, twin, colour: own } of heads) {
      context.fillStyle = colour(own);
      context.beginPath();
      context.arc(...at, (twin ? 3 : 5) * ratio, 0, 2 * Math.PI);
      context.stroke();
      context.fill();
    }
    for (const { at, name, twin, colour: own } of heads) {
      if (twin) continue;
      const [x, y] = at;
      context.fillStyle = colour(own);
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
