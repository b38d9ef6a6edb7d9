/** Keeps the site for when there is no net: service.js at its root does. */
export function keepOffline(): void {
  addEventListener("load", () => {
    navigator.serviceWorker?.register(new URL("../service.js", import.meta.url)).catch(() => {}); // not every host lets one
  });
}
