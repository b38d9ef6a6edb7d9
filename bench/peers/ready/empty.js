// What Node takes to be there at all. Milliseconds since the process began.

console.log(JSON.stringify({ ready: performance.now() }));
