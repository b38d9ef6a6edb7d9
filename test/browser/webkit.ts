// WebKit: GTK's MiniBrowser on a screen of its own (Xvfb), driven over WebDriver.

import { type ChildProcess, spawn } from "node:child_process";
import { existsSync, readdirSync } from "node:fs";
import { type AddressInfo, createServer } from "node:net";
import type { Readable } from "node:stream";
import { type Browser, EVALUATE, type Page, START } from "./browser";

const LIBRARIES = "/usr/lib";

/** Debian's libraries lie in a folder named for the machine. */
const MINI_BROWSER =
  readdirSync(LIBRARIES)
    .map((name) => `${LIBRARIES}/${name}/webkit2gtk-4.1/MiniBrowser`)
    .find(existsSync) ?? `${LIBRARIES}/…/webkit2gtk-4.1/MiniBrowser`;

/** A port that nobody listens on. */
async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

/** Rejects after START, or with what a program that ends has said. */
function within<T>(program: ChildProcess, what: string, work: Promise<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    const fail = (why: string) => reject(new Error(`${what} ${why}`));
    const late = setTimeout(() => fail("did not start in time"), START);
    program.once("error", (error) => fail(String(error)));
    program.once("exit", (code) => fail(`ended with code ${code}`));
    work.then(resolve, reject).finally(() => clearTimeout(late));
  });
}

export const webkit: Browser = {
  name: "WebKit",
  needs: ["/usr/bin/Xvfb", "/usr/bin/WebKitWebDriver", MINI_BROWSER],
  async start() {
    const { Builder, Capabilities } = await import("selenium-webdriver");
    const programs: ChildProcess[] = [];
    const launch = (path: string, args: string[], environment: object = {}) => {
      const options = { env: { ...process.env, ...environment } };
      const program = spawn(path, args, { ...options, stdio: ["ignore", "ignore", "ignore", "pipe"] });
      programs.push(program);
      return program;
    };
    const stop = () => {
      for (const program of programs.splice(0).reverse()) program.kill();
    };
    process.once("exit", stop);
    try {
      const screen = launch(this.needs[0]!, ["-displayfd", "3", "-screen", "0", "1280x800x24", "-nolisten", "tcp"]);
      const number = new Promise((resolve) => (screen.stdio[3] as Readable).once("data", resolve));
      const DISPLAY = `:${String(await within(screen, "Xvfb", number)).trim()}`;
      const port = await freePort();
      // Xvfb has no GPU: WebKit's compositor, on OpenGL in software, would manage 10 frames a second
      const environment = { DISPLAY, WEBKIT_DISABLE_COMPOSITING_MODE: "1" };
      const driver = launch(this.needs[1]!, [`--port=${port}`], environment);
      const capabilities = new Capabilities({
        browserName: "MiniBrowser",
        "webkitgtk:browserOptions": { binary: MINI_BROWSER, args: ["--automation"] },
      });
      const connect = async () => {
        const server = `http://127.0.0.1:${port}`;
        while (!(await fetch(`${server}/status`).catch(() => undefined))?.ok)
          await new Promise((resolve) => setTimeout(resolve, 50));
        return new Builder().disableEnvironmentOverrides().usingServer(server).withCapabilities(capabilities).build();
      };
      const session = await within(driver, "WebKitWebDriver", connect());
      await session.manage().setTimeouts({ script: EVALUATE, pageLoad: START });
      // a session does one thing at a time, in one of its windows
      let last: Promise<unknown> = Promise.resolve();
      const alone = <T>(work: () => Promise<T>): Promise<T> => {
        const done = last.then(work);
        last = done.catch(() => {});
        return done;
      };
      const home = await session.getWindowHandle();
      const open = async (url: string): Promise<Page> => {
        await session.switchTo().newWindow("window"); // a tab counts as hidden: its timers come once a second, and no frames
        const handle = await session.getWindowHandle();
        await session.get(url);
        const evaluate = async <T>(expression: string): Promise<T> => {
          await session.switchTo().window(handle);
          const { error, value } = (await session.executeAsyncScript(
            `const done = arguments[0];
             (async () => (${expression}))().then((value) => done({ value }), (error) => done({ error: String(error) }));`,
          )) as { error?: string; value: T };
          if (error) throw new Error(error);
          return value;
        };
        const close = async () => {
          await session.switchTo().window(handle);
          await session.close();
          await session.switchTo().window(home);
        };
        return { evaluate: (expression) => alone(() => evaluate(expression)), close: () => alone(close) };
      };
      return {
        open: (url) => alone(() => open(url)),
        close: () => alone(() => session.quit()).finally(stop),
      };
    } catch (error) {
      stop();
      throw error;
    }
  },
};
