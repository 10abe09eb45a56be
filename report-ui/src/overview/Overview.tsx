import { useMemo } from "preact/hooks";
import { DECRYPTED_AT_ALL, IDENTIFIER_AT_ALL, passes } from "../data/filter";
import { isUnread, type Report } from "../data/report";
import { hrefOf } from "../data/route";
import { bytes, count, duration, moment, oneLine, percent, plural } from "../format/text";
import { CopyButton, Data, Facts, Section } from "../ui/basics";
import { Findings } from "./Findings";
import { Flows } from "./Flows";
import { Timeline } from "./Timeline";
import { Unread } from "./Unread";

export function Overview({ report }: { report: Report }) {
  const { leftOut } = report.index;
  return (
    <main class="page" id="main" tabIndex={-1}>
      <Heading report={report} />
      {(leftOut.bodies > 0 || leftOut.exchanges > 0) && <LeftOut report={report} />}
      <Numbers report={report} />
      <NotRead report={report} />
      <Flows report={report} />
      <Timeline report={report} />
      <Findings report={report} />
      <Unread report={report} />
      <Experiment report={report} />
    </main>
  );
}

function Heading({ report }: { report: Report }) {
  const { begin, end, index } = report;
  const device = index.device["ro.product.model"] ?? index.device.model;
  return (
    <header class="heading">
      <p class="kicker">Network evidence report</p>
      <h1>
        <Data value={index.title} mono={false} />
      </h1>
      <p class="lead">
        {report.isEmpty ? "No traffic" : `${moment(begin, 0)} UTC, ${duration((end - begin) * 1000)}`}
        {device && (
          <>
            {" · "}
            <Data value={device} mono={false} />
          </>
        )}
      </p>
    </header>
  );
}

function LeftOut({ report }: { report: Report }) {
  const { bodies, bytes: size, exchanges } = report.index.leftOut;
  return (
    <p class="notice">
      This page has a limit in size.
      {bodies > 0 &&
        ` ${plural(bodies, "body", "bodies")} of ${bytes(size)} ${bodies === 1 ? "was" : "were"} left out.`}
      {exchanges > 0 && ` The details of ${plural(exchanges, "exchange")} were left out.`} They are in the HAR file.
    </p>
  );
}

/** What the numbers, and all that follows, do not cover. */
function NotRead({ report }: { report: Report }) {
  const { connections, index } = report;
  const unread = connections.filter(isUnread).length;
  if (!unread && !index.lost.length) return null;
  return (
    <p class="notice">
      {unread > 0 && (
        <>
          <a href={hrefOf({ view: "connections" })}>
            {count(unread)} of {plural(connections.length, "connection")}
          </a>{" "}
          could not be read, or only in part: what they carried is not in these numbers.{" "}
        </>
      )}
      {index.lost.map(oneLine).join(" ")}
    </p>
  );
}

/** The filter for those whose code is likely, and no more. */
const UNSURE = "0.5 to 0.9";
/** What the digest of the cipher log goes by. */
const CIPHER_LOG = "pirogue_decryption";

interface Tile {
  value: string;
  label: string;
  note?: string;
  href?: string;
}

function Numbers({ report }: { report: Report }) {
  const tiles = useMemo(() => tilesOf(report), [report]);
  return (
    <ul class="tiles" aria-label="In numbers">
      {tiles.map((tile) => {
        const content = (
          <>
            <span class="value">{tile.value}</span>
            <span class="name">{tile.label}</span>
            {tile.note && <span class="muted">{tile.note}</span>}
          </>
        );
        return <li key={tile.label}>{tile.href ? <a href={tile.href}>{content}</a> : <div>{content}</div>}</li>;
      })}
    </ul>
  );
}

/** Whether a cipher log was at hand, by the digests of what a HAR was enriched with. */
function hasCipherLog(report: Report): boolean {
  const metadata = Object.entries(report.index.creator._metadata ?? {});
  return metadata.some(([name, digests]) => name.startsWith("enrichment_files_") && CIPHER_LOG in Object(digests));
}

function tilesOf(report: Report): Tile[] {
  const { exchanges, connections } = report;
  const whole = exchanges.length;
  const unsure = exchanges.filter((exchange) => passes(exchange, { confidence: UNSURE })).length;
  let sent = 0;
  let received = 0;
  let attributed = 0;
  let decrypted = 0;
  for (const exchange of exchanges) {
    sent += exchange.sent;
    received += exchange.received;
    if (exchange.code) attributed++;
    decrypted += (exchange.decrypted & 1) + (exchange.decrypted >> 1);
  }
  const hosts = new Set(exchanges.map((exchange) => exchange.host)).size;
  const unread = connections.filter(isUnread).length;
  const found = exchanges.filter((exchange) => exchange.findings.length).length;
  const tiles: (Tile | false)[] = [
    {
      value: count(whole),
      label: whole === 1 ? "exchange" : "exchanges",
      note: `with ${plural(hosts, "host")}`,
      href: hrefOf({ view: "exchanges" }),
    },
    report.hasCode && {
      value: whole ? percent(attributed / whole) : "–",
      label: "attributed to code",
      note: plural(report.senders.length - (attributed < whole ? 1 : 0), "package or SDK", "packages or SDKs"),
      href: hrefOf({ view: "exchanges" }),
    },
    exchanges.some((exchange) => exchange.code && exchange.confidence !== null) && {
      value: count(unsure),
      label: "of them unsure",
      note: "confidence below 0.9",
      href: unsure ? hrefOf({ view: "exchanges", filter: { confidence: UNSURE } }) : undefined,
    },
    { value: bytes(sent), label: "sent", note: `${bytes(received)} received` },
    (decrypted > 0 || hasCipherLog(report)) && {
      value: count(decrypted),
      label: "bodies decrypted",
      note: "by the cipher log",
      href: decrypted ? hrefOf({ view: "exchanges", filter: { decrypted: DECRYPTED_AT_ALL } }) : undefined,
    },
    report.index.findings.length > 0 && {
      value: count(found),
      label: "exchanges with identifiers",
      note: plural(new Set(report.index.findings.map((finding) => finding.identifier)).size, "identifier"),
      href: hrefOf({ view: "exchanges", filter: { identifier: IDENTIFIER_AT_ALL } }),
    },
    connections.length > 0 && {
      value: count(connections.length),
      label: connections.length === 1 ? "connection" : "connections",
      note: unread ? `${count(unread)} not or partly read` : "all that were encrypted were read",
      href: hrefOf({ view: "connections" }),
    },
  ];
  return tiles.filter((tile) => tile !== false);
}

/** What the report was made of. */
function Experiment({ report }: { report: Report }) {
  const { creator, version, device } = report.index;
  const metadata = creator._metadata ?? {};
  const { clock, shiftSource } = metadata.attribution ?? {};
  const files = metadata.files ?? [];
  return (
    <Section title="What this was made of">
      <Facts
        rows={[
          ["First and last", !report.isEmpty && `${moment(report.begin, 6)} – ${moment(report.end, 6)} UTC`],
          [
            "HAR made by",
            <Data key="m" value={`${creator.name ?? "unknown"} ${creator.version ?? ""}`} mono={false} />,
          ],
          ["HAR made on", metadata.creation_datetime && oneLine(metadata.creation_datetime)],
          ["Page made by", `pcapng-utils ${oneLine(version)}`],
          [
            "Clock",
            clock &&
              `phone minus router ${(clock.offset ?? 0).toFixed(3)} s, drift ${(clock.drift ?? 0).toFixed(1)} ppm`,
          ],
          [
            "Clock from",
            shiftSource &&
              `${oneLine(shiftSource)}${clock?.anchors ? `, ${plural(clock.anchors, "anchor")} within ${((clock.spread ?? 0) * 1000).toFixed(1)} ms` : ""}`,
          ],
          [
            "Options",
            Object.keys(metadata.options ?? {}).length > 0 && <Data value={JSON.stringify(metadata.options)} />,
          ],
        ]}
      />
      {Object.keys(device).length > 0 && (
        <>
          <h3>Device</h3>
          <Facts
            rows={Object.entries(device).map(([name, value]) => [oneLine(name), <Data key={name} value={value} />])}
          />
        </>
      )}
      {files.length > 0 && (
        <>
          <h3>Files</h3>
          <table class="plain-table stacked">
            <thead>
              <tr>
                <th scope="col">File</th>
                <th scope="col" class="end">
                  Bytes
                </th>
                <th scope="col">SHA-256</th>
              </tr>
            </thead>
            <tbody>
              {files.map((file) => (
                <tr key={file.name}>
                  <th scope="row">
                    <Data value={file.name} mono={false} />
                  </th>
                  <td class="end" data-label="Bytes">
                    {count(file.size)}
                  </td>
                  <td data-label="SHA-256">
                    <Data value={file.sha256} />{" "}
                    <CopyButton text={file.sha256} title={`Copy the digest of ${oneLine(file.name)}`} />
                  </td>
                </tr>
              ))}
            </tbody>
          </table>
        </>
      )}
    </Section>
  );
}
