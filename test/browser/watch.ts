// What tests put into the head of a page, and ask of it.

import type { Page } from "./browser";

/** Keeps what the page complains of, and counts the pictures of a grid that it paints. */
export const WATCH = `<script>
  globalThis.complaints = [];
  const complain = (...what) => complaints.push(what.join(" "));
  addEventListener("error", ({ message, target }) => complain(message ?? target.src ?? target.href), true);
  addEventListener("unhandledrejection", ({ reason }) => complain(reason));
  console.error = console.warn = complain;
  globalThis.painted = 0;
  const { putImageData } = CanvasRenderingContext2D.prototype;
  CanvasRenderingContext2D.prototype.putImageData = function (...args) {
    painted++;
    return putImageData.apply(this, args);
  };
</script>`;

/** Begins with the page: `turns.longest` is the longest time between two of a message's turns, in ms. */
export const RULER = `<script>
  globalThis.turns = { longest: 0 };
  {
    const { port1, port2 } = new MessageChannel();
    let last = performance.now();
    port1.onmessage = () => {
      const now = performance.now();
      turns.longest = Math.max(turns.longest, now - last);
      last = now;
      port2.postMessage(0);
    };
    port2.postMessage(0);
  }
</script>`;

/** An expression: the rules that axe, loaded, finds broken seriously, and where. */
export const AXE = `axe.run().then(({ violations }) =>
  violations
    .filter(({ impact }) => /serious|critical/.test(impact))
    .map(({ id, nodes }) => id + ": " + nodes.map(({ html }) => html.slice(0, 120)).join(" | ")))`;

/** What the page has complained of (WATCH). */
export const complaints = (page: Page): Promise<string[]> => page.evaluate<string[]>("complaints");

/** An expression's value once it is truthy, `true` for an element; rejects with what the page shows where that does not come. */
export const until = <T>(page: Page, expression: string): Promise<T> =>
  page.evaluate<T>(`new Promise((resolve, reject) => {
    const begin = performance.now();
    const look = () => {
      const found = ${expression};
      if (found) resolve(found instanceof Node || found);
      else if (performance.now() - begin > 40_000) reject(new Error("waited in vain: " + document.body.innerText.slice(0, 3000)));
      else setTimeout(look, 20);
    };
    look();
  })`);
