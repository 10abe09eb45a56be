// Text and numbers for people. What comes from a capture may hold control characters, and characters that turn the
// direction of writing: they are shown by name, so that a line reads as its bytes are.
const INVISIBLE =
  /[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202f\u2060-\u206f\ufeff\ufff9-\ufffc\ud800-\udfff]/g;
const SURROGATE_PAIR = /[\ud800-\udbff][\udc00-\udfff]/g;
const BREAKS = /[\t\n]/g;

const named = (character: string): string => {
  const code = character.charCodeAt(0);
  if (code < 0x20) return String.fromCharCode(0x2400 + code);
  if (code === 0x7f) return "\u2421";
  return `⟨U+${code.toString(16).toUpperCase().padStart(4, "0")}⟩`;
};

function replaced(text: string): string {
  if (text.search(INVISIBLE) < 0) return text;
  // Whole characters beyond U+FFFF stay; halves of them are shown by name.
  let result = "";
  let end = 0;
  for (const pair of text.matchAll(SURROGATE_PAIR)) {
    result += text.slice(end, pair.index).replace(INVISIBLE, named) + pair[0];
    end = pair.index + pair[0].length;
  }
  return result + text.slice(end).replace(INVISIBLE, named);
}

/** A text of several lines. */
export const printable = (text: unknown): string => replaced(String(text ?? "").replaceAll("\r\n", "\n"));

/** A text that is to stay on one line. */
export const oneLine = (text: unknown): string => replaced(String(text ?? "")).replace(BREAKS, named);

const plain = new Intl.NumberFormat("en");

export const count = (value: number): string => plain.format(value);

export function plural(value: number, one: string, many = `${one}s`): string {
  return `${count(value)} ${value === 1 ? one : many}`;
}

export function bytes(value: number): string {
  if (value < 1000) return `${Math.max(value, 0)} B`;
  const exponent = Math.min(Math.floor(Math.log10(value) / 3), 4);
  const scaled = value / 1000 ** exponent;
  return `${scaled.toFixed(scaled < 10 ? 1 : 0)} ${["B", "kB", "MB", "GB", "TB"][exponent]}`;
}

export function duration(ms: number): string {
  if (ms < 0) return "–";
  if (ms < 1) return `${ms.toFixed(2)} ms`;
  if (ms < 10) return `${ms.toFixed(1)} ms`;
  if (ms < 1000) return `${Math.round(ms)} ms`;
  const seconds = ms / 1000;
  if (seconds < 60) return `${seconds.toFixed(seconds < 10 ? 2 : 1)} s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return `${minutes} min ${Math.floor(seconds % 60)} s`;
  return `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}

/** Seconds since the beginning, as precise as the whole is short. */
export function offset(seconds: number, whole: number): string {
  const digits = whole < 100 ? 3 : whole < 3600 ? 2 : 1;
  if (whole < 60) return seconds.toFixed(digits);
  const minutes = Math.floor(seconds / 60);
  const rest = (seconds - minutes * 60).toFixed(digits).padStart(digits + 3, "0");
  if (minutes < 60) return `${minutes}:${rest}`;
  return `${Math.floor(minutes / 60)}:${String(minutes % 60).padStart(2, "0")}:${rest}`;
}

/** Date and time, UTC. */
export function moment(seconds: number, digits = 3): string {
  if (!Number.isFinite(seconds) || Math.abs(seconds) > 8e12) return "–";
  const micros = Math.round(seconds * 1e6);
  const iso = new Date(Math.floor(micros / 1000)).toISOString();
  const fraction = String(((micros % 1e6) + 1e6) % 1e6)
    .padStart(6, "0")
    .slice(0, digits);
  return `${iso.slice(0, 10)} ${iso.slice(11, 19)}${digits ? `.${fraction}` : ""}`;
}

export const percent = (value: number): string => {
  const whole = value * 100;
  return `${whole >= 99.95 || whole < 10 || Number.isInteger(whole) ? whole.toFixed(whole < 10 && whole > 0 ? 1 : 0) : whole.toFixed(1)} %`;
};

/** Path and query of a URL. */
export function pathOf(url: string): string {
  const start = url.indexOf("://");
  if (start < 0) return url;
  const path = url.slice(start + 3).search(/[/?#]/);
  return path < 0 ? "/" : url.slice(start + 3 + path);
}
