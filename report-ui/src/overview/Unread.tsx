import { useMemo } from "preact/hooks";
import { isUnread, type Report } from "../data/report";
import { go, hrefOf } from "../data/route";
import type { ConnectionRow } from "../data/types";
import { bytes, count, oneLine, plural } from "../format/text";
import { Data, Section } from "../ui/basics";

interface Group {
  host: string;
  reason: string;
  application: string;
  connections: ConnectionRow[];
  bytes: number;
}

const MOST_ROWS = 40;

/** What could not be read, and why: what the rest of the report is silent about. */
export function Unread({ report }: { report: Report }) {
  const groups = useMemo(() => groupsOf(report.connections), [report]);
  if (!report.connections.length) return null;
  const number = groups.reduce((sum, group) => sum + group.connections.length, 0);
  return (
    <Section
      title="Connections not decrypted"
      note={
        number
          ? `${plural(number, "connection")} could not be read, or only in part: this report is silent about what they carried.`
          : undefined
      }
    >
      {number === 0 ? (
        <p>Every encrypted connection of this capture was read.</p>
      ) : (
        <table class="plain-table stacked">
          <thead>
            <tr>
              <th scope="col">Host</th>
              <th scope="col">Protocol</th>
              <th scope="col">Why</th>
              <th scope="col" class="end">
                Bytes
              </th>
              <th scope="col" class="end">
                Connections
              </th>
            </tr>
          </thead>
          <tbody>
            {groups.slice(0, MOST_ROWS).map((group) => (
              <tr key={`${group.host}\n${group.reason}\n${group.application}`}>
                <th scope="row">
                  <Data value={group.host} mono={false} />
                </th>
                <td data-label="Protocol">{oneLine(group.application)}</td>
                <td data-label="Why">{oneLine(group.reason)}</td>
                <td class="end" data-label="Bytes">
                  {bytes(group.bytes)}
                </td>
                <td class="end" data-label="Connections">
                  <a href={hrefOf({ view: "connections", filter: { q: group.host } })}>
                    {count(group.connections.length)}
                  </a>
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      )}
      {groups.length > MOST_ROWS && (
        <p>
          <button type="button" class="small" onClick={() => go({ view: "connections", filter: { decrypted: "no" } })}>
            All of them
          </button>
        </p>
      )}
    </Section>
  );
}

function groupsOf(connections: ConnectionRow[]): Group[] {
  const groups = new Map<string, Group>();
  for (const connection of connections) {
    if (!isUnread(connection)) continue;
    const { host, reason, application } = connection;
    const key = `${host}\n${reason}\n${application}`;
    let group = groups.get(key);
    if (!group) groups.set(key, (group = { host, reason, application, connections: [], bytes: 0 }));
    group.connections.push(connection);
    group.bytes += connection.sent + connection.received;
  }
  return [...groups.values()].sort((a, b) => b.bytes - a.bytes);
}
