import { useMemo } from "preact/hooks";
import { sdkName } from "../data/labels";
import { colourOf, type Report } from "../data/report";
import { hrefOf } from "../data/route";
import { count, oneLine } from "../format/text";
import { Data, Section, Swatch } from "../ui/basics";

interface Group {
  identifier: string;
  forms: Set<string>;
  places: Set<string>;
  senders: Set<string>;
  hosts: Set<string>;
  entries: Set<number>;
}

const MOST_NAMES = 6;

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
            <th scope="col">As</th>
            <th scope="col">In</th>
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
              <td data-label="As">{named(group.forms)}</td>
              <td data-label="In">{named(group.places)}</td>
              <td data-label="Sent by">
                {[...group.senders].slice(0, MOST_NAMES).map((sender) => (
                  <span key={sender} class="sender">
                    <Swatch colour={colourOf(report, sender)} />
                    <a href={hrefOf({ view: "exchanges", filter: { identifier: group.identifier, sender } })}>
                      <Data value={sender} mono={false} />
                    </a>
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

function named(names: Set<string>): string {
  const shown = [...names].sort().slice(0, MOST_NAMES).map(oneLine).join(", ");
  return names.size > MOST_NAMES ? `${shown} and ${names.size - MOST_NAMES} more` : shown;
}

function groupsOf(report: Report): Group[] {
  const groups = new Map<string, Group>();
  for (const finding of report.index.findings) {
    let group = groups.get(finding.identifier);
    if (!group) {
      group = {
        identifier: finding.identifier,
        forms: new Set(),
        places: new Set(),
        senders: new Set(),
        hosts: new Set(),
        entries: new Set(),
      };
      groups.set(finding.identifier, group);
    }
    const exchange = finding.entry === undefined ? undefined : report.exchanges[finding.entry];
    group.forms.add(finding.form ?? "plain");
    if (finding.where) group.places.add(finding.where);
    const sender = exchange?.sender ?? sdkName(finding.sdk);
    if (sender) group.senders.add(sender);
    const host = finding.host ?? exchange?.host;
    if (host) group.hosts.add(host);
    if (finding.entry !== undefined) group.entries.add(finding.entry);
  }
  return [...groups.values()].sort((a, b) => b.entries.size - a.entries.size);
}
