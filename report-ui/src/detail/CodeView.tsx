// Which code sent the request and took the response: the stack, folded by package, and how sure that is.

import { packageOf } from "../data/labels";
import type { Exchange, Report } from "../data/report";
import type { Attribution, Candidate, Entry, Frame, Message, Stacktrace } from "../data/types";
import { moment, oneLine, plural } from "../format/text";
import { Confidence, CopyButton, Data, Facts } from "../ui/basics";

interface Props {
  entry: Entry;
  exchange: Exchange;
  report: Report;
}

export function CodeView({ entry, exchange, report }: Props) {
  return (
    <>
      <Side title="Sent by" message={entry.request} exchange={exchange} report={report} />
      <Side title="Response read by" message={entry.response} exchange={exchange} report={report} />
    </>
  );
}

function Side({
  title,
  message,
  exchange,
  report,
}: {
  title: string;
  message: Message;
  exchange: Exchange;
  report: Report;
}) {
  const { _stacktrace: trace, _attribution: attribution } = message;
  return (
    <section aria-label={title}>
      <h3>{title}</h3>
      {attribution && <How attribution={attribution} />}
      {trace ? (
        <>
          <Call trace={trace} />
          <Stack frames={trace.stack ?? []} exchange={exchange} report={report} />
        </>
      ) : (
        <p class="muted">No socket call of the trace is known to belong to it.</p>
      )}
    </section>
  );
}

/** When a call was logged (call minus message, on one clock) in words: a sign can be read either way. */
const toTheWire = (ms: number) =>
  ms === 0 ? "with the first byte" : `${Math.abs(ms).toFixed(1)} ms ${ms < 0 ? "before" : "after"} the first byte`;

function How({ attribution }: { attribution: Attribution }) {
  const { method, confidence, deltaMs, operations = [], shared, alternatives = [], inferred } = attribution;
  const sharing = Array.isArray(shared) ? shared.length : 0;
  return (
    <Facts
      rows={[
        ["Confidence", <Confidence key="c" value={confidence} />],
        ["Method", method && oneLine(method)],
        ["Logged", typeof deltaMs === "number" && toTheWire(deltaMs)],
        ["Socket calls", operations.length > 0 && operations.map((operation) => `#${operation}`).join(", ")],
        ["Shared with", (sharing > 0 && plural(sharing, "other message")) || (shared === true && "other messages")],
        [
          "Or else",
          alternatives.length > 0 && (
            <ul class="plain">
              {alternatives.map((other, place) => (
                <li key={place}>
                  <Other call={other} />
                </li>
              ))}
            </ul>
          ),
        ],
        ["By the rest of the exchange", inferred && <Other call={inferred} />],
      ]}
    />
  );
}

/** A call that may have been the one. */
function Other({ call }: { call: Candidate }) {
  return (
    <>
      {call.operation !== undefined && `call #${call.operation} `}
      {call.code && <Data value={call.code} />} <Confidence value={call.confidence} />
    </>
  );
}

function Call({ trace }: { trace: Stacktrace }) {
  return (
    <Facts
      rows={[
        [
          "Process",
          trace.process && `${oneLine(trace.process)} (${trace.pid ?? "?"}), thread ${trace.threadId ?? "?"}`,
        ],
        [
          "Call",
          trace.socketEventType &&
            `${oneLine(trace.socketEventType)}, ${oneLine(trace.socketType)} socket ${trace.socketFd ?? ""}`,
        ],
        ["Time", trace.timestamp !== undefined && `${moment(trace.timestamp)} UTC, phone’s clock`],
      ]}
    />
  );
}

interface Fold {
  name: string;
  system: boolean;
  frames: Frame[];
}

/** Frames that follow each other in one package are one fold. */
function foldsOf(frames: Frame[], report: Report): Fold[] {
  const folds: Fold[] = [];
  for (const frame of frames) {
    const name = packageOf(frame.class ?? "");
    const last = folds.at(-1);
    if (last && last.name === name) last.frames.push(frame);
    else folds.push({ name, system: !frame.class || report.isSystem(frame.class), frames: [frame] });
  }
  return folds;
}

function Stack({ frames, exchange, report }: { frames: Frame[]; exchange: Exchange; report: Report }) {
  if (!frames.length) return <p class="muted">The call was logged without a stack: native code.</p>;
  const folds = foldsOf(frames, report);
  const responsible = folds.findIndex((fold) => !fold.system);
  return (
    <div class="stack">
      <p class="tools">
        <CopyButton label="Copy stack" text={() => frames.map(frameText).join("\n")} />
      </p>
      <ol>
        {folds.map((fold, place) => (
          <li key={place} class={fold.system ? "system" : place === responsible ? "responsible" : ""}>
            <details open={!fold.system}>
              <summary>
                <Data value={fold.name || "no class"} />{" "}
                <span class="muted">
                  {plural(fold.frames.length, "frame")}
                  {fold.system && " · system"}
                </span>
                {place === responsible && (
                  <span class="label">
                    {exchange.sdk?.source === "code" ? oneLine(exchange.sdk.name) : "responsible"}
                  </span>
                )}
              </summary>
              <ul>
                {fold.frames.map((frame, at) => (
                  <li key={at}>
                    <Data value={frameText(frame)} />
                  </li>
                ))}
              </ul>
            </details>
          </li>
        ))}
      </ol>
    </div>
  );
}

function frameText(frame: Frame): string {
  const owner = frame.class ?? "";
  const method = frame.method ?? "";
  const name = !owner || method.startsWith(`${owner}.`) ? method : `${owner}.${method}`;
  if (frame.isNative) return `${name} (native)`;
  const place = frame.file ? `${frame.file}${frame.line && frame.line > 0 ? `:${frame.line}` : ""}` : "";
  return place ? `${name} (${place})` : name;
}
