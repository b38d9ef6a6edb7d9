/** Keeps the site for when there is no net: offline.js at its root does. */
export function keepOffline(): void {
  addEventListener("load", () => {
    navigator.serviceWorker?.register(new URL("../offline.js", import.meta.url)).catch(() => {}); // not every host lets one
  });
}
