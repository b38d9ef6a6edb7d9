// Maps and races, from the worker.

import { ask, type Question } from "../client";
import type { DescendReply, LandscapeMap, Track } from "./protocol";
import type { DescendSettings } from "./settings";

type Kind = "map" | "race";

/** The one reply to a request, which is of its type. */
const replyTo = <K extends Kind>(request: Question & { type: K }) =>
  new Promise<Extract<DescendReply, { type: K }>>((resolve, reject) => {
    ask(request, (reply) => {
      if (reply.type === "error") reject(new Error(reply.message));
      else resolve(reply as Extract<DescendReply, { type: K }>);
      return true;
    });
  });

export async function fetchMap(
  { landscape, condition }: DescendSettings,
  columns: number,
  rows: number,
): Promise<LandscapeMap> {
  return (await replyTo({ tab: "descend", type: "map", landscape, condition, columns, rows })).map;
}

export async function fetchRace(settings: DescendSettings): Promise<Track[]> {
  return (await replyTo({ tab: "descend", type: "race", settings })).tracks;
}
