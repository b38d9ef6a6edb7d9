// The site as `npm run build:site` leaves it: tests, like those of dist/, take what is there.

import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";

export const SITE = new URL("../../build/site/", import.meta.url);
if (!existsSync(new URL("offline.js", SITE))) throw new Error("there is no build/site: npm run build:site");

/** Its folder as a path. */
export const siteFolder = (): string => fileURLToPath(SITE);
