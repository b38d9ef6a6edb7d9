// What the playground's worker does for the other tabs: races for Descend, demos for Chapter. Loaded when it is first asked for.

import * as demos from "./chapter/demos";
import type { DemoReply, DemoRequest } from "./chapter/protocol";
import type { DescendReply, DescendRequest } from "./descend/protocol";
import * as races from "./descend/race";
import { loadExtension } from "./train/extension";

export type AsideRequest = DescendRequest | DemoRequest;
export type AsideReply = DescendReply | DemoReply;

export async function answer(
  request: AsideRequest,
  reply: (message: AsideReply, transfer?: Transferable[]) => void,
): Promise<void> {
  await loadExtension();
  if (request.tab === "chapter") await demos.answer(request, reply);
  else races.answer(request, reply);
}
