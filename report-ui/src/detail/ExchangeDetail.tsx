import { useState } from "preact/hooks";
import { openContent, requestContent } from "../data/body";
import { companyOf } from "../data/labels";
import { colourOf, type Exchange, type Report } from "../data/report";
import { hrefOf } from "../data/route";
import { openItem } from "../data/store";
import type { Entry } from "../data/types";
import { Status } from "../exchanges/Exchanges";
import { curlOf } from "../format/curl";
import { count, duration, moment, oneLine } from "../format/text";
import { Confidence, CopyButton, Data, Facts, Swatch, type Tab, Tabs } from "../ui/basics";
import { Boundary } from "../ui/boundary";
import { useEscape } from "../ui/escape";
import type { WantsFocus } from "../ui/focus";
import { Loaded, useLoaded } from "../ui/loading";
import { CodeView } from "./CodeView";
import { Conversation } from "./Conversation";
import { MessageView } from "./MessageView";
import { Timings } from "./Timings";

const LEFT_OUT =
  "The details of this exchange were left out of this page, which has a limit in size: they are in the HAR file.";

interface Props {
  report: Report;
  exchange: Exchange;
  wantsFocus: WantsFocus;
  onClose: () => void;
  onPrevious: (() => void) | undefined;
  onNext: (() => void) | undefined;
}

export function ExchangeDetail({ report, exchange, wantsFocus, onClose, onPrevious, onNext }: Props) {
  const state = useLoaded(() => openItem<Entry>(exchange.at), [exchange]);
  useEscape(onClose);
  return (
    <article class="detail" aria-labelledby="detail-heading">
      <header class="detail-head">
        <div class="bar">
          <button type="button" class="small back" onClick={onClose}>
            ← List
          </button>
          <span class="muted">Exchange {count(exchange.index + 1)}</span>
          <span class="spring" />
          <button
            type="button"
            class="small"
            disabled={!onPrevious}
            onClick={onPrevious}
            aria-label="Previous exchange"
          >
            ↑
          </button>
          <button type="button" class="small" disabled={!onNext} onClick={onNext} aria-label="Next exchange">
            ↓
          </button>
          <button type="button" class="small close" onClick={onClose} aria-label="Close">
            ×
          </button>
        </div>
        <h2 id="detail-heading" class="url">
          <Data value={exchange.method} /> <Data value={exchange.url} />
        </h2>
        <p class="line">
          <Status exchange={exchange} />
          <span class="sender">
            <Swatch colour={colourOf(report, exchange.sender)} />
            <Data value={exchange.sender} mono={false} />
          </span>
          {report.hasCode && <Confidence value={exchange.confidence} />}
          {exchange.sdk && <SdkLabel exchange={exchange} />}
          <span class="muted">{moment(exchange.time)} UTC</span>
          <span class="muted">{duration(exchange.duration)}</span>
        </p>
      </header>
      <Loaded state={state} leftOut={LEFT_OUT}>
        {(entry) => <Opened report={report} exchange={exchange} entry={entry} wantsFocus={wantsFocus} />}
      </Loaded>
    </article>
  );
}

/** What the label says beyond the name of the sender. */
function SdkLabel({ exchange }: { exchange: Exchange }) {
  const { sdk } = exchange;
  if (!sdk) return null;
  const company = companyOf(sdk);
  const names = [sdk.name, company].filter((name) => name && name !== exchange.sender);
  const parts = [...new Set([...names, ...(sdk.categories ?? [])])];
  if (!parts.length) return null;
  return (
    <span class="label" title={`Told by its ${oneLine(sdk.source ?? "signature")}`}>
      {parts.map(oneLine).join(" · ")}
    </span>
  );
}

function Opened({
  report,
  exchange,
  entry,
  wantsFocus,
}: Pick<Props, "report" | "exchange" | "wantsFocus"> & { entry: Entry }) {
  const messages = (entry._webSocketMessages ?? entry._eventStream ?? []).length;
  const tabs: Tab[] = [
    {
      id: "request",
      label: "Request",
      content: () => <MessageView side="request" message={entry.request} number={exchange.index + 1} />,
    },
    {
      id: "response",
      label: "Response",
      content: () => <MessageView side="response" message={entry.response} number={exchange.index + 1} />,
    },
  ];
  if (messages || entry._webSocketClose) {
    tabs.unshift({
      id: "messages",
      label: "Messages",
      badge: count(messages),
      content: () => <Conversation entry={entry} report={report} />,
    });
  }
  if (
    entry.request._attribution ||
    entry.response._attribution ||
    entry.request._stacktrace ||
    entry.response._stacktrace
  ) {
    tabs.push({
      id: "code",
      label: "Code",
      content: () => <CodeView entry={entry} exchange={exchange} report={report} />,
    });
  }
  tabs.push({
    id: "facts",
    label: "Times and facts",
    content: () => <EntryFacts report={report} exchange={exchange} entry={entry} />,
  });
  const [chosen, setChosen] = useChosenTab(tabs);
  return (
    <>
      <Tools entry={entry} exchange={exchange} />
      {exchange.findings.length > 0 && <Found exchange={exchange} />}
      <Tabs
        label="Parts of the exchange"
        tabs={tabs.map((tab) => ({ ...tab, content: () => <Boundary of={tab.id}>{tab.content()}</Boundary> }))}
        chosen={chosen}
        wantsFocus={wantsFocus}
        onChoose={setChosen}
      />
    </>
  );
}

let lastChosen = "";

/** The tab that was chosen stays chosen from one exchange to the next that has it. */
function useChosenTab(tabs: Tab[]): [string, (id: string) => void] {
  const first = tabs.find((tab) => tab.id === lastChosen) ?? tabs[0];
  const [chosen, setChosen] = useState(first?.id ?? "");
  return [
    chosen,
    (id) => {
      lastChosen = id;
      setChosen(id);
    },
  ];
}

function Tools({ entry, exchange }: { entry: Entry; exchange: Exchange }) {
  const curl = async () => {
    const content = requestContent(entry.request);
    const body = content ? await openContent(content).catch(() => null) : null;
    return curlOf(entry.request, body);
  };
  const frames = [...(entry.request._rawFramesNumbers ?? []), ...(entry.response._rawFramesNumbers ?? [])];
  return (
    <p class="tools">
      <CopyButton label="Copy as curl" text={curl} />
      <CopyButton label="Copy URL" text={exchange.url} />
      {frames.length > 0 && (
        <CopyButton
          label="Copy Wireshark filter"
          text={wiresharkFilter(frames)}
          title={wiresharkFilter(frames.slice(0, 20))}
        />
      )}
      <a class="small button" href={hrefOf({ view: "connections", open: exchange.connection })}>
        Connection {oneLine(exchange.connection)}
      </a>
    </p>
  );
}

/** A display filter for frames, runs of them as ranges. */
export function wiresharkFilter(frames: number[]): string {
  const ordered = [...new Set(frames)].sort((a, b) => a - b);
  const runs: [number, number][] = [];
  for (const frame of ordered) {
    const run = runs.at(-1);
    if (run && frame === run[1] + 1) run[1] = frame;
    else runs.push([frame, frame]);
  }
  return `frame.number in {${runs.map(([from, to]) => (from === to ? from : `${from}..${to}`)).join(", ")}}`;
}

const DIRECTIONS = new Map([
  ["out", "sent"],
  ["in", "received"],
]);

function Found({ exchange }: { exchange: Exchange }) {
  return (
    <ul class="found-list" aria-label="Identifiers found">
      {exchange.findings.map((finding, place) => (
        <li key={place}>
          <strong>
            <Data value={finding.identifier} mono={false} />
          </strong>{" "}
          as <Data value={finding.form ?? "plain"} mono={false} /> in{" "}
          <Data value={finding.where ?? "message"} mono={false} />
          {finding.direction && (
            <span class="muted"> · {DIRECTIONS.get(finding.direction) ?? oneLine(finding.direction)}</span>
          )}
        </li>
      ))}
    </ul>
  );
}

function EntryFacts({ report, exchange, entry }: { report: Report; exchange: Exchange; entry: Entry }) {
  const connection = report.connectionById.get(exchange.connection);
  return (
    <>
      <Timings entry={entry} />
      <h3>Facts</h3>
      <Facts
        rows={[
          ["Started", entry.startedDateTime && <Data value={entry.startedDateTime} />],
          ["Protocol", <Data key="p" value={exchange.protocol} mono={false} />],
          ["Server", <Data key="s" value={entry.serverIPAddress ?? ""} />],
          ["Secured by", connection?.secured && <Data value={connection.secured} mono={false} />],
          ["Community ID", entry._communityId && <Data value={entry._communityId} />],
          ["SHA-1 of the entry", entry._sha1Id && <Data value={entry._sha1Id} />],
          ["Incomplete", entry._incomplete?.length && entry._incomplete.map(oneLine).join(", ")],
          [
            "Interim responses",
            entry._interimResponses?.length && entry._interimResponses.map((interim) => interim.status).join(", "),
          ],
        ]}
      />
    </>
  );
}
