import type { Entry } from "../data/types";
import { duration } from "../format/text";

const PHASES: [string, string][] = [
  ["blocked", "Blocked"],
  ["dns", "Name look-up"],
  ["connect", "Connection"],
  ["send", "Request sent"],
  ["wait", "Waiting"],
  ["receive", "Response received"],
];

/** The parts of an exchange's time, as a bar and in numbers. */
export function Timings({ entry }: { entry: Entry }) {
  const timings = entry.timings ?? {};
  const parts = PHASES.map(([key, label]) => ({ key, label, ms: timings[key] ?? -1 })).filter((part) => part.ms >= 0);
  const whole = parts.reduce((sum, part) => sum + part.ms, 0);
  const ssl = timings.ssl ?? -1;
  return (
    <section aria-label="Times">
      <h3>Times</h3>
      <div class="timings" aria-hidden="true">
        {parts.map((part) => (
          <span key={part.key} class={`phase ${part.key}`} style={{ flexGrow: whole ? part.ms / whole : 1 }} />
        ))}
      </div>
      <dl class="phases">
        {parts.map((part) => (
          <div key={part.key}>
            <dt>
              <span class={`swatch phase ${part.key}`} aria-hidden="true" />
              {part.label}
            </dt>
            <dd>
              {duration(part.ms)}
              {part.key === "connect" && ssl >= 0 && <span class="muted"> ({duration(ssl)} of it TLS)</span>}
            </dd>
          </div>
        ))}
        <div>
          <dt>
            <strong>Whole</strong>
          </dt>
          <dd>
            <strong>{duration(whole)}</strong>
          </dd>
        </div>
      </dl>
    </section>
  );
}
