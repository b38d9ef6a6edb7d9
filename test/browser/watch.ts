// What tests put into the head of a page, and ask of it.

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

/** An expression: the rules that axe, loaded, finds broken seriously, and where. */
export const AXE = `axe.run().then(({ violations }) =>
  violations
    .filter(({ impact }) => /serious|critical/.test(impact))
    .map(({ id, nodes }) => id + ": " + nodes.map(({ html }) => html.slice(0, 120)).join(" | ")))`;
