// Which exchanges are shown, and in which order. A filter is what the address of the page says after its `#`.

import type { Exchange } from "./report";
import type { Scope } from "./search";

export const FACETS = [
  ["sender", "Code"],
  ["recipient", "Recipient"],
  ["host", "Host"],
  ["method", "Method"],
  ["status", "Status"],
  ["type", "Type"],
  ["protocol", "Protocol"],
  ["decrypted", "Decrypted"],
  ["identifier", "Identifier"],
  ["confidence", "Confidence"],
] as const;

export type Facet = (typeof FACETS)[number][0];

export interface Filter extends Partial<Record<Facet, string>> {
  q?: string;
  scope?: Scope;
  connection?: string;
  /** Seconds since the epoch. */
  from?: number;
  to?: number;
}

/** Confidences that can be asked for: a name and the values it stands for. */
const CONFIDENCES: [string, (value: number | null) => boolean][] = [
  ["0.9 and more", (value) => value !== null && value >= 0.9],
  ["0.5 to 0.9", (value) => value !== null && value >= 0.5 && value < 0.9],
  ["below 0.5", (value) => value !== null && value < 0.5],
  ["none", (value) => value === null],
];

/** Of a facet with several values that are like one another: any of those. */
export const DECRYPTED_AT_ALL = "one or both";
export const IDENTIFIER_AT_ALL = "at least one";
const DECRYPTED = ["neither", "request", "response", "both"];
const NONE = "none";

/** The values of an exchange for a facet. */
const VALUES: Record<Facet, (exchange: Exchange) => string[]> = {
  sender: (exchange) => [exchange.sender],
  recipient: (exchange) => [exchange.recipient],
  host: (exchange) => [exchange.host],
  method: (exchange) => [exchange.method || NONE],
  status: (exchange) => (exchange.status ? [`${Math.floor(exchange.status / 100)}xx`, `${exchange.status}`] : [NONE]),
  type: (exchange) => [exchange.type || NONE],
  protocol: (exchange) => [exchange.protocol || NONE],
  decrypted: (exchange) => {
    const value = DECRYPTED[exchange.decrypted] ?? NONE;
    return exchange.decrypted ? [DECRYPTED_AT_ALL, value] : [value];
  },
  identifier: (exchange) => {
    if (!exchange.findings.length) return [NONE];
    return [IDENTIFIER_AT_ALL, ...new Set(exchange.findings.map((finding) => finding.identifier))];
  },
  confidence: (exchange) => CONFIDENCES.filter(([, holds]) => holds(exchange.confidence)).map(([name]) => name),
};

export const valuesOf = (exchange: Exchange, facet: Facet): string[] => VALUES[facet](exchange);

/** Every value of a facet with the number of exchanges that have it, those with most first. */
export function facetCounts(exchanges: Exchange[], facet: Facet): [string, number][] {
  const counts = new Map<string, number>();
  for (const exchange of exchanges) {
    for (const value of VALUES[facet](exchange)) counts.set(value, (counts.get(value) ?? 0) + 1);
  }
  return [...counts].sort((a, b) => b[1] - a[1] || (a[0] < b[0] ? -1 : 1));
}

/** Whether an exchange passes everything but the search. */
export function passes(exchange: Exchange, filter: Filter): boolean {
  if (filter.from !== undefined && exchange.time < filter.from) return false;
  if (filter.to !== undefined && exchange.time > filter.to) return false;
  if (filter.connection !== undefined && exchange.connection !== filter.connection) return false;
  for (const [facet] of FACETS) {
    const asked = filter[facet];
    if (asked !== undefined && !VALUES[facet](exchange).includes(asked)) return false;
  }
  return true;
}

export type SortKey =
  "index" | "time" | "sender" | "method" | "url" | "status" | "type" | "size" | "duration" | "confidence";

export interface Sort {
  key: SortKey;
  descending: boolean;
}

const SORT_VALUE: Record<SortKey, (exchange: Exchange) => number | string> = {
  index: (exchange) => exchange.index,
  time: (exchange) => exchange.time,
  sender: (exchange) => exchange.sender.toLowerCase(),
  method: (exchange) => exchange.method,
  url: (exchange) => `${exchange.host}\n${exchange.url}`,
  status: (exchange) => exchange.status,
  type: (exchange) => exchange.type,
  size: (exchange) => exchange.sent + exchange.received,
  duration: (exchange) => exchange.duration,
  confidence: (exchange) => exchange.confidence ?? -1,
};

export function sorted(exchanges: Exchange[], { key, descending }: Sort): Exchange[] {
  const value = SORT_VALUE[key];
  const direction = descending ? -1 : 1;
  return exchanges
    .map((exchange) => ({ exchange, value: value(exchange) }))
    .sort((a, b) =>
      a.value < b.value ? -direction : a.value > b.value ? direction : a.exchange.index - b.exchange.index,
    )
    .map(({ exchange }) => exchange);
}
