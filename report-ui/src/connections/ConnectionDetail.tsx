import type { Report } from "../data/report";
import { hrefOf } from "../data/route";
import { openItem } from "../data/store";
import type { Certificate, Connection, ConnectionRow } from "../data/types";
import { bytes, count, duration, moment, oneLine, plural } from "../format/text";
import { CopyButton, Data, Facts } from "../ui/basics";
import { useEscape } from "../ui/escape";
import { useFocusIfWanted, type WantsFocus } from "../ui/focus";
import { Loaded, useLoaded } from "../ui/loading";
import { Read } from "./Connections";

const LEFT_OUT = "The details of this connection were left out of this page, which has a limit in size.";

export function ConnectionDetail({
  report,
  row,
  wantsFocus,
  onClose,
}: {
  report: Report;
  row: ConnectionRow;
  wantsFocus: WantsFocus;
  onClose: () => void;
}) {
  const state = useLoaded(() => openItem<Connection>(row.at), [row]);
  useEscape(onClose);
  const seen = report.exchanges.filter((exchange) => exchange.connection === row.id).length;
  return (
    <article class="detail" aria-labelledby="connection-heading">
      <header class="detail-head">
        <div class="bar">
          <button type="button" class="small back" onClick={onClose}>
            ← List
          </button>
          <span class="muted">Connection {oneLine(row.id)}</span>
          <span class="spring" />
          <button type="button" class="small close" onClick={onClose} aria-label="Close">
            ×
          </button>
        </div>
        <h2 id="connection-heading" class="url">
          <Data value={row.host} />
        </h2>
        <p class="line">
          <Read connection={row} />
          <span>{oneLine(row.application || row.protocol)}</span>
          {row.secured && <span>{oneLine(row.secured)}</span>}
          <span class="muted">{moment(row.time)} UTC</span>
          <span class="muted">{duration(row.duration)}</span>
        </p>
      </header>
      {row.reason && <p class="notice">Not decrypted: {oneLine(row.reason)}.</p>}
      {seen > 0 && (
        <p class="tools">
          <a class="small button" href={hrefOf({ view: "exchanges", filter: { connection: row.id } })}>
            Show {plural(seen, "exchange")}
          </a>
        </p>
      )}
      <Loaded state={state} leftOut={LEFT_OUT}>
        {(connection) => <Opened row={row} connection={connection} wantsFocus={wantsFocus} />}
      </Loaded>
    </article>
  );
}

const bothSides = (numbers: Record<string, number> | undefined, show: (value: number) => string): string | false =>
  numbers !== undefined && `${show(numbers.client ?? 0)} from the client, ${show(numbers.server ?? 0)} from the server`;

const any = (numbers: Record<string, number> | undefined): boolean =>
  Object.values(numbers ?? {}).some((value) => value > 0);

function Opened({
  row,
  connection,
  wantsFocus,
}: {
  row: ConnectionRow;
  connection: Connection;
  wantsFocus: WantsFocus;
}) {
  const panel = useFocusIfWanted<HTMLDivElement>(wantsFocus);
  const { frames } = connection;
  const { certificates = [], ...tls } = connection.tls ?? {};
  return (
    <div class="panel" role="region" aria-label="Facts" tabIndex={0} ref={panel}>
      <Facts
        rows={[
          ["Client", <Data key="c" value={row.client} />],
          ["Server", <Data key="s" value={row.server} />],
          ["Transport", oneLine(connection.protocol)],
          ["Service by its port", connection.service && oneLine(connection.service)],
          ["Frames", frames && `${count(frames[0])} to ${count(frames[1])}`],
          ["Packets", bothSides(connection.packets, count)],
          ["Bytes", bothSides(connection.bytes, bytes)],
          ["Lost", any(connection.lostBytes) && bothSides(connection.lostBytes, bytes)],
          ["Sent again", any(connection.retransmittedPackets) && bothSides(connection.retransmittedPackets, count)],
          ["Begun by", connection.begun && oneLine(connection.begun)],
          [
            "Ended by",
            connection.ended &&
              `${oneLine(connection.ended)}${connection.endedBy ? ` of the ${oneLine(connection.endedBy)}` : ""}`,
          ],
          [
            "Community ID",
            connection._communityId && (
              <>
                <Data value={connection._communityId} />{" "}
                <CopyButton text={`communityid == "${connection._communityId}"`} label="Copy filter" />
              </>
            ),
          ],
        ]}
      />
      {connection.tls && <Layer title="TLS" facts={tls} />}
      {connection.quic && <Layer title="QUIC" facts={connection.quic} />}
      {certificates.length > 0 && (
        <>
          <h3>Certificates</h3>
          {certificates.map((certificate, place) => (
            <CertificateFacts key={place} certificate={certificate} />
          ))}
        </>
      )}
    </div>
  );
}

/** Whatever is known of a layer, under the names the HAR has for it. */
function Layer({ title, facts }: { title: string; facts: Record<string, unknown> }) {
  const rows = Object.entries(facts)
    .filter(([, value]) => value !== null && value !== "" && !(Array.isArray(value) && !value.length))
    .map(([name, value]): [string, preact.ComponentChildren] => [
      spaced(name),
      <Data key={name} value={shown(value)} />,
    ]);
  return (
    <>
      <h3>{title}</h3>
      <Facts rows={rows} />
    </>
  );
}

const spaced = (name: string): string => {
  const words = oneLine(name).replace(/([a-z])([A-Z])/g, (_, before, after) => `${before} ${after.toLowerCase()}`);
  if (/^(sni|alpn|ech|ja3s?|ja4)\b/.test(words)) return words.replace(/^\w+/, (word) => word.toUpperCase());
  return words.charAt(0).toUpperCase() + words.slice(1);
};

function shown(value: unknown): string {
  if (typeof value === "boolean") return value ? "yes" : "no";
  if (Array.isArray(value)) return value.map(shown).join(", ");
  if (typeof value === "object" && value !== null) {
    return Object.entries(value)
      .map(([name, one]) => `${name} ${shown(one)}`)
      .join(", ");
  }
  return String(value);
}

function CertificateFacts({ certificate }: { certificate: Certificate }) {
  return (
    <Facts
      rows={[
        ["Subject", certificate.subject && <Data value={certificate.subject} />],
        ["Issuer", certificate.issuer && <Data value={certificate.issuer} />],
        ["Names", certificate.names?.length && <Data value={certificate.names.join(", ")} />],
        ["Valid", certificate.notBefore && `${oneLine(certificate.notBefore)} to ${oneLine(certificate.notAfter)}`],
        ["SHA-256", certificate.sha256 && <Data value={certificate.sha256} />],
      ]}
    />
  );
}
