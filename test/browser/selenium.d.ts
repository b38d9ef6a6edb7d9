// Of selenium-webdriver, which comes without types, what webkit.ts calls.

declare module "selenium-webdriver" {
  export class Capabilities {
    constructor(capabilities: object);
  }
  export class Builder {
    disableEnvironmentOverrides(): this;
    usingServer(url: string): this;
    withCapabilities(capabilities: Capabilities): this;
    build(): Promise<WebDriver>;
  }
  export interface WebDriver {
    manage(): { setTimeouts(milliseconds: { script?: number; pageLoad?: number }): Promise<void> };
    switchTo(): { newWindow(type: "tab" | "window"): Promise<void>; window(handle: string): Promise<void> };
    getWindowHandle(): Promise<string>;
    close(): Promise<void>;
    get(url: string): Promise<void>;
    executeAsyncScript(script: string): Promise<unknown>;
    takeScreenshot(): Promise<string>;
    quit(): Promise<void>;
  }
}
