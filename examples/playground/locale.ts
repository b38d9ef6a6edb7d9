// WebKit in the locale C says that the user's language is "C". Of that Intl makes an exception, and so does uPlot as soon as it is
// loaded: whoever imports it imports this before.

export const locale = ((): string => {
  try {
    return new Intl.NumberFormat(navigator.language).resolvedOptions().locale;
  } catch {
    Object.defineProperty(navigator, "language", { value: "en", configurable: true });
    return "en";
  }
})();
