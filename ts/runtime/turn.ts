// Giving the event loop its turn.

let channel: { port1: MessagePort; port2: MessagePort } | undefined;
const waiting: (() => void)[] = [];

/**
 * Resolves in a later task: timers, input and painting come in between. `scheduler.yield` where there is one, else
 * setImmediate (Node), else a MessageChannel: nested timeouts are clamped to 4 ms.
 */
export function turn(): Promise<void> {
  const { scheduler, setImmediate } = globalThis as {
    scheduler?: { yield?(): Promise<void> };
    setImmediate?(f: () => void): unknown;
  };
  if (setImmediate) return new Promise((resolve) => setImmediate(resolve));
  if (scheduler?.yield) return scheduler.yield();
  if (!channel) {
    channel = new MessageChannel();
    channel.port1.onmessage = () => waiting.shift()?.();
  }
  return new Promise((resolve) => {
    waiting.push(resolve);
    channel!.port2.postMessage(0);
  });
}
