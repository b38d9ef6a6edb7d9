// The site's service worker. It asks the net first, so that pages are never old and have the host's headers, and answers with
// what it has kept where there is none: the files that pages begin with, what they lead to (as soon as it can), and others once they were
// asked for.
//
// build.js puts VERSION, a hash of all files, FILES, to keep from the start, and LATER, behind that, in front.

const NAME = `downhill ${registration.scope} `; // other sites of this origin have caches too
const cache = caches.open(NAME + VERSION);

/** One name a file. */
const named = (url) => url.replace(/[?#].*/, "").replace(/\/$/, "/index.html");

async function answer(request) {
  try {
    const response = await fetch(request);
    if (response.ok && !request.url.includes("?")) (await cache).put(named(request.url), response.clone());
    return response;
  } catch (error) {
    const find = async (url) => (await cache).match(named(url));
    const kept = await find(request.url);
    if (kept) return kept;
    const folder = request.url.replace(/(?=[?#]|$)/, "/"); // as a host would send it on
    if (await find(folder)) return Response.redirect(folder);
    throw error;
  }
}

addEventListener("install", (event) => {
  event.waitUntil(cache.then((kept) => kept.addAll(FILES)).then(() => skipWaiting()));
});

addEventListener("activate", (event) => {
  const old = (name) => name.startsWith(NAME) && name !== NAME + VERSION;
  const clear = caches.keys().then((names) => Promise.all(names.filter(old).map((name) => caches.delete(name))));
  event.waitUntil(clear.then(() => clients.claim()));
  if (navigator.connection?.saveData) return;
  for (const file of LATER) cache.then((kept) => kept.add(file)).catch(() => {}); // else once it is asked for
});

addEventListener("fetch", (event) => {
  const { method, url } = event.request;
  if (method === "GET" && url.startsWith(registration.scope)) event.respondWith(answer(event.request));
});
