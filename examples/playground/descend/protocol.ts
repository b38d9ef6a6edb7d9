// What the Descend tab and its worker say to each other. The worker's script is the Train tab's: what has `tab: "descend"` is for race.ts.

import type { DescendSettings, LandscapeName, Racer } from "./settings";

export type Point = readonly [x: number, y: number];

/** A landscape from above, and its heights at a grid of points. */
export interface LandscapeMap {
  start: Point;
  bounds: readonly [Point, Point];
  minima: readonly Point[];
  /** f at the lowest points; none where it falls for ever. */
  lowest?: number;
  columns: number;
  rows: number;
  /** Row by row, from the upper left: at the middles of columns × rows equal cells of the bounds. */
  heights: Float32Array;
}

/** The way that one optimizer has taken. */
export interface Track {
  racer: Racer;
  /** Without clipping, schedule and noise. */
  twin: boolean;
  /** x and y of the start and after each update. */
  path: Float32Array;
  /** f there. */
  losses: Float32Array;
  /** f or the point was not finite at the update after these. */
  diverged: boolean;
}

export type DescendRequest = { tab: "descend"; id: number } & (
  | { type: "map"; landscape: LandscapeName; condition: number; columns: number; rows: number }
  | { type: "race"; settings: DescendSettings }
);

export type DescendReply = { tab: "descend"; id: number } & (
  | { type: "map"; map: LandscapeMap }
  | { type: "race"; tracks: Track[] }
  | { type: "error"; message: string }
);
