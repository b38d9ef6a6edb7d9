// Giving the event loop its turn.

let channel: MessageChannel | undefined;
const waiting: (() => void)[] = [];

/**
 * Resolves in a later task: timers, messages, input and painting come in between. setImmediate (Node), else a message to
 * ourselves: nested timeouts are clamped to 4 ms, and what follows `scheduler.yield` goes before all other tasks, so that
 * timers and messages of the page would wait until the end.
 */
export function turn(): Promise<void> {
  const { setImmediate } = globalThis as { setImmediate?(f: () => void): unknown };
  if (setImmediate) return new Promise((resolve) => setImmediate(resolve));
  if (!channel) {
    channel = new MessageChannel();
    channel.port1.onmessage = () => waiting.shift()?.();
  }
  return new Promise((resolve) => {
    waiting.push(resolve);
    channel!.port2.postMessage(0);
  });
}
