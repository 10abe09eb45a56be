// The report as the views see it: the index, and what is counted once from it.

import { NO_CODE, recipientOf, senderOf } from "./labels";
import type { ConnectionRow, Finding, Index, Row } from "./types";

/** An exchange with its number and names. */
export interface Exchange extends Row {
  /** Place in the HAR's entries. */
  index: number;
  sender: string;
  recipient: string;
  /** What finds it in a search, in lower case. */
  needle: string;
  findings: Finding[];
}

export interface Report {
  index: Index;
  exchanges: Exchange[];
  connections: ConnectionRow[];
  connectionById: Map<string, ConnectionRow>;
  /** Those who send, the busiest first. */
  senders: string[];
  begin: number;
  end: number;
  /** Nothing is in it that has a time. */
  isEmpty: boolean;
  hasCode: boolean;
  hasCompanies: boolean;
  isSystem: (className: string) => boolean;
}

export function makeReport(index: Index): Report {
  const findings = new Map<number, Finding[]>();
  for (const finding of index.findings) {
    if (finding.entry === undefined) continue;
    const list = findings.get(finding.entry);
    if (list) list.push(finding);
    else findings.set(finding.entry, [finding]);
  }
  const connectionById = new Map(index.connections.map((connection) => [connection.id, connection]));
  const hasCode = index.rows.some((row) => row.code || row.sdk?.source === "code");
  const exchanges = index.rows.map((row, number): Exchange => {
    const connectionSdk = connectionById.get(row.connection)?.sdk;
    const sdk = row.sdk ?? connectionSdk ?? null;
    const labelled = { ...row, sdk };
    const sender = hasCode ? senderOf(labelled) : row.client || NO_CODE;
    return {
      ...labelled,
      index: number,
      sender,
      recipient: recipientOf(labelled, connectionSdk),
      needle: `${row.method} ${row.url}\n${row.code}\n${sender}\n${sdk?.name ?? ""}`.toLowerCase(),
      findings: findings.get(number) ?? [],
    };
  });
  const counts = new Map<string, number>();
  let begin = Number.POSITIVE_INFINITY;
  let end = Number.NEGATIVE_INFINITY;
  for (const exchange of exchanges) {
    counts.set(exchange.sender, (counts.get(exchange.sender) ?? 0) + 1);
    begin = Math.min(begin, exchange.time);
    end = Math.max(end, exchange.time + exchange.duration / 1000);
  }
  for (const connection of index.connections) {
    begin = Math.min(begin, connection.time);
    end = Math.max(end, connection.time + connection.duration / 1000);
  }
  const rank = (sender: string) => (sender === NO_CODE ? -1 : (counts.get(sender) ?? 0));
  return {
    index,
    exchanges,
    connections: index.connections,
    connectionById,
    senders: [...counts.keys()].sort((a, b) => rank(b) - rank(a) || (a < b ? -1 : 1)),
    begin: Number.isFinite(begin) ? begin : 0,
    end: Number.isFinite(end) ? end : 0,
    isEmpty: !Number.isFinite(begin),
    hasCode,
    hasCompanies: exchanges.some((exchange) => exchange.recipient !== exchange.host),
    isSystem: (className) => index.systemPrefixes.some((prefix) => className.startsWith(prefix)),
  };
}

/** Whether a connection was not read, or only in part. */
export function isUnread(connection: ConnectionRow): boolean {
  return connection.decrypted === "no" || connection.decrypted === "partly";
}

/** Colours are given to the busiest senders; the others share one. */
export const COLOURS = 8;

export function colourOf(report: Report, sender: string): string {
  const place = report.senders.indexOf(sender);
  return sender !== NO_CODE && place >= 0 && place < COLOURS ? `var(--series-${place})` : "var(--series-other)";
}
