import { useMemo } from "preact/hooks";
import { sdkName } from "../data/labels";
import { colourOf, type Report } from "../data/report";
import { hrefOf } from "../data/route";
import { count, oneLine } from "../format/text";
import { Data, Section, Swatch } from "../ui/basics";

interface Group {
  identifier: string;
  /** Form and place, and the exchanges in which it was there so. */
  ways: Map<string, { form: string; where: string; entries: Set<number> }>;
  senders: Map<string, Set<number>>;
  hosts: Set<string>;
  entries: Set<number>;
}

const MOST_NAMES = 6;
const MOST_WAYS = 12;

/** Which identifiers of the person or the device left it, who sent them, and where to. */
export function Findings({ report }: { report: Report }) {
  const groups = useMemo(() => groupsOf(report), [report]);
  if (!groups.length) return null;
  return (
    <Section title="Identifiers found" note="What singles out the device or its owner, and was sent.">
      <table class="plain-table stacked">
        <thead>
          <tr>
            <th scope="col">Identifier</th>
            <th scope="col">As, and where</th>
            <th scope="col">Sent by</th>
            <th scope="col">To</th>
            <th scope="col" class="end">
              Exchanges
            </th>
          </tr>
        </thead>
        <tbody>
          {groups.map((group) => (
            <tr key={group.identifier}>
              <th scope="row">
                <Data value={group.identifier} mono={false} />
              </th>
              <td data-label="As">
                <Ways group={group} />
              </td>
              <td data-label="Sent by">
                {mostFirst(group.senders, (entries) => entries.size)
                  .slice(0, MOST_NAMES)
                  .map(([sender, entries]) => (
                    <span key={sender} class="sender">
                      <Swatch colour={colourOf(report, sender)} />
                      <a href={hrefOf({ view: "exchanges", filter: { identifier: group.identifier, sender } })}>
                        <Data value={sender} mono={false} />
                      </a>
                      <span class="muted">{count(entries.size)}</span>
                    </span>
                  ))}
                {group.senders.size > MOST_NAMES && ` and ${group.senders.size - MOST_NAMES} more`}
              </td>
              <td data-label="To">{named(group.hosts)}</td>
              <td class="end" data-label="Exchanges">
                <a href={hrefOf({ view: "exchanges", filter: { identifier: group.identifier } })}>
                  {count(group.entries.size)}
                </a>
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </Section>
  );
}

function Ways({ group }: { group: Group }) {
  const ways = mostFirst(group.ways, (way) => way.entries.size).map(([key, { form, where, entries }]) => (
    <li key={key}>
      <Data value={form} mono={false} />
      {where && (
        <>
          {" in "}
          <Data value={where} mono={false} />
        </>
      )}{" "}
      <span class="muted">{count(entries.size)}</span>
    </li>
  ));
  const rest = ways.slice(MOST_WAYS);
  return (
    <div class="ways">
      <ul>{ways.slice(0, MOST_WAYS)}</ul>
      {rest.length > 0 && (
        <details>
          <summary>and {count(rest.length)} more</summary>
          <ul>{rest}</ul>
        </details>
      )}
    </div>
  );
}

function mostFirst<Value>(map: Map<string, Value>, size: (value: Value) => number): [string, Value][] {
  return [...map].sort(([a, first], [b, second]) => size(second) - size(first) || (a < b ? -1 : 1));
}

function named(names: Set<string>): string {
  const shown = [...names].sort().slice(0, MOST_NAMES).map(oneLine).join(", ");
  return names.size > MOST_NAMES ? `${shown} and ${names.size - MOST_NAMES} more` : shown;
}

function groupsOf(report: Report): Group[] {
  const groups = new Map<string, Group>();
  for (const finding of report.index.findings) {
    const { identifier, form = "plain", where = "", entry } = finding;
    const group = entryOf(groups, identifier, () => ({
      identifier,
      ways: new Map(),
      senders: new Map(),
      hosts: new Set<string>(),
      entries: new Set<number>(),
    }));
    const exchange = entry === undefined ? undefined : report.exchanges[entry];
    const sender = exchange?.sender ?? sdkName(finding.sdk);
    const host = finding.host ?? exchange?.host;
    const way = entryOf(group.ways, `${form}\n${where}`, () => ({ form, where, entries: new Set<number>() }));
    const senders = sender ? entryOf(group.senders, sender, () => new Set<number>()) : undefined;
    if (host) group.hosts.add(host);
    if (entry !== undefined) for (const entries of [group.entries, way.entries, senders]) entries?.add(entry);
  }
  return [...groups.values()].sort((a, b) => b.entries.size - a.entries.size);
}

function entryOf<Value>(map: Map<string, Value>, key: string, make: () => Value): Value {
  let value = map.get(key);
  if (value === undefined) map.set(key, (value = make()));
  return value;
}
