import { useState } from "preact/hooks";
import { hrefOf } from "../data/route";
import { openJson } from "../data/store";
import type { Problem } from "../data/types";
import { bytes, count, oneLine, plural } from "../format/text";
import { Data, Section } from "../ui/basics";
import { Loaded, useLoaded } from "../ui/loading";

const SHOWN_AT_ONCE = 500;

/** What was wrong in the capture or its logs, where, and what it cost. */
export function Problems() {
  const state = useLoaded(() => openJson<Problem[]>("problems"), []);
  return (
    <main class="page" id="main" tabIndex={-1}>
      <h1 class="visually-hidden">Problems</h1>
      <Loaded
        state={state}
        leftOut="The list of problems was left out of this page, which has a limit in size: it is in the HAR file."
      >
        {(problems) => <List problems={problems} />}
      </Loaded>
    </main>
  );
}

function List({ problems }: { problems: Problem[] }) {
  const [shown, setShown] = useState(SHOWN_AT_ONCE);
  if (!problems.length) {
    return (
      <Section title="Problems">
        <p>Nothing was found wrong in the capture or in the files that go with it.</p>
      </Section>
    );
  }
  const number = problems.reduce((sum, problem) => sum + (problem.count ?? 1), 0);
  return (
    <Section
      title="Problems"
      note={`${plural(number, "problem")} in the capture or in the files that go with it; like ones are one row.`}
    >
      <table class="plain-table stacked">
        <thead>
          <tr>
            <th scope="col">What</th>
            <th scope="col">Kind</th>
            <th scope="col">Connection</th>
            <th scope="col" class="end">
              Frame
            </th>
            <th scope="col" class="end">
              Times
            </th>
            <th scope="col" class="end">
              Lost
            </th>
          </tr>
        </thead>
        <tbody>
          {problems.slice(0, shown).map((problem, place) => (
            <tr key={place}>
              <th scope="row">
                <Data value={problem.message || "more of this kind"} mono={false} />
                {problem.detail && (
                  <span class="muted">
                    {" "}
                    <Data value={problem.detail} mono={false} />
                  </span>
                )}
              </th>
              <td data-label="Kind">
                <Data value={problem.kind} />
              </td>
              <td data-label="Connection">
                {problem.connection && (
                  <a href={hrefOf({ view: "connections", open: problem.connection })}>{oneLine(problem.connection)}</a>
                )}
              </td>
              <td class="end" data-label="Frame">
                {framesOf(problem)}
              </td>
              <td class="end" data-label="Times">
                {count(problem.count ?? 1)}
              </td>
              <td class="end" data-label="Lost">
                {problem.lostBytes ? bytes(problem.lostBytes) : ""}
              </td>
            </tr>
          ))}
        </tbody>
      </table>
      {problems.length > shown && (
        <button type="button" class="small" onClick={() => setShown(shown + SHOWN_AT_ONCE)}>
          Show more of {plural(problems.length, "row")}
        </button>
      )}
    </Section>
  );
}

function framesOf(problem: Problem): string {
  if (typeof problem.frame !== "number") return "";
  const last = problem.lastFrame;
  return typeof last === "number" && last !== problem.frame
    ? `${count(problem.frame)}–${count(last)}`
    : count(problem.frame);
}
