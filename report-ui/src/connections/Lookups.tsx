import { useState } from "preact/hooks";
import type { Report } from "../data/report";
import type { DnsLookup } from "../data/types";
import { offset, oneLine, plural } from "../format/text";
import { Data } from "../ui/basics";

const SHOWN_AT_ONCE = 500;
const MOST_ANSWERS = 4;

/** Names that were asked for, and what was answered. */
export function Lookups({ report, lookups, term }: { report: Report; lookups: DnsLookup[]; term: string }) {
  const [shown, setShown] = useState(SHOWN_AT_ONCE);
  const wanted = term.trim().toLowerCase();
  const rows = wanted ? lookups.filter((lookup) => JSON.stringify(lookup).toLowerCase().includes(wanted)) : lookups;
  return (
    <div class="scroll" tabIndex={0} role="region" aria-label="Names">
      <table class="plain-table stacked">
        <thead>
          <tr>
            <th scope="col">Name</th>
            <th scope="col">Type</th>
            <th scope="col">Answer</th>
            <th scope="col">Server</th>
            <th scope="col" class="end">
              Time, s
            </th>
            <th scope="col" class="end">
              Frame
            </th>
          </tr>
        </thead>
        <tbody>
          {rows.slice(0, shown).map((lookup, place) => (
            <tr key={place}>
              <th scope="row">
                <Data value={lookup.name} mono={false} />
              </th>
              <td data-label="Type">{oneLine(lookup.type)}</td>
              <td data-label="Answer">
                <Data value={answerOf(lookup)} />
              </td>
              <td data-label="Server">
                <Data value={lookup.server} /> <span class="muted">{oneLine(lookup.transport)}</span>
              </td>
              <td class="end" data-label="Time, s">
                {lookup.time !== undefined && offset(lookup.time - report.begin, report.end - report.begin)}
              </td>
              <td class="end" data-label="Frame">
                {lookup.frame}
              </td>
            </tr>
          ))}
        </tbody>
      </table>
      {rows.length > shown && (
        <button type="button" class="small" onClick={() => setShown(shown + SHOWN_AT_ONCE)}>
          Show more of {plural(rows.length, "name")}
        </button>
      )}
    </div>
  );
}

function answerOf(lookup: DnsLookup): string {
  const answers = lookup.answers ?? [];
  if (!answers.length) return lookup.rcode ?? "no answer";
  const listed = answers.slice(0, MOST_ANSWERS).map((answer) => answer.data ?? "");
  return listed.join(", ") + (answers.length > MOST_ANSWERS ? ` and ${answers.length - MOST_ANSWERS} more` : "");
}
