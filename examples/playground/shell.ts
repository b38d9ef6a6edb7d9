// What the page's tabs and the page around them know of each other.

export type Language = "en" | "ko";

/** One of the page's tabs. */
export interface Tab {
  root: HTMLElement;
  /** It comes to the front, or its parameters in the URL have changed. */
  show(parameters: URLSearchParams): void;
  /** Another comes to the front: it may go on working, but draws nothing. */
  hide(): void;
}

/** The page around the tabs. Its URL is `#name?parameters`. */
export interface Shell {
  language(): Language;
  /** Writes what the tab in front shows into the URL, without a new entry in the history. */
  setParameters(parameters: URLSearchParams): void;
  /** Goes to a tab, as a link would. */
  open(name: string, parameters: URLSearchParams): void;
  /** Calls `listener` when language or theme has changed. */
  onChange(listener: () => void): void;
}
