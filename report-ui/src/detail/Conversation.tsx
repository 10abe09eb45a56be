// WebSocket messages and server-sent events, as two people's talk is written down.

import { useState } from "preact/hooks";
import { isTextMessage, openEvent, openMessage } from "../data/body";
import type { Report } from "../data/report";
import type { Entry, SocketMessage, StreamEvent } from "../data/types";
import { bytes, offset, oneLine, plural } from "../format/text";
import { Loaded, useLoaded } from "../ui/loading";
import { BodyView } from "./BodyView";

const SHOWN_AT_ONCE = 100;
const LEFT_OUT = "This message was left out of this page, which has a limit in size: it is in the HAR file.";

export function Conversation({ entry, report }: { entry: Entry; report: Report }) {
  const [shown, setShown] = useState(SHOWN_AT_ONCE);
  const messages: (SocketMessage | StreamEvent)[] = entry._webSocketMessages ?? entry._eventStream ?? [];
  const close = entry._webSocketClose;
  return (
    <>
      <ol class="conversation">
        {messages.slice(0, shown).map((message, place) => (
          <li key={place} class={"type" in message && message.type === "send" ? "sent" : "received"}>
            {"type" in message ? (
              <Spoken message={message} report={report} number={place + 1} />
            ) : (
              <Event event={message} report={report} number={place + 1} />
            )}
          </li>
        ))}
      </ol>
      {messages.length > shown && (
        <button type="button" class="small" onClick={() => setShown(shown + 3 * SHOWN_AT_ONCE)}>
          Show more of {plural(messages.length, "message")}
        </button>
      )}
      {close && (
        <p class="notice">
          Closed by the {close.type === "send" ? "client" : "server"}
          {close.code !== undefined && `, code ${close.code}`}
          {close.reason && `: ${oneLine(close.reason)}`}
        </p>
      )}
    </>
  );
}

const clock = (report: Report, time: number | undefined): string =>
  time === undefined ? "" : `${offset(time - report.begin, report.end - report.begin)} s`;

function Spoken({ message, report, number }: { message: SocketMessage; report: Report; number: number }) {
  const state = useLoaded(() => openMessage(message), [message]);
  return (
    <>
      <p class="speaker">
        <strong>{message.type === "send" ? "Client" : "Server"}</strong>
        <span class="muted">
          {clock(report, message.time)} · {isTextMessage(message) ? "text" : "binary"}
          {message._rawFramesNumbers?.length ? ` · frame ${message._rawFramesNumbers.join(", ")}` : ""}
          {message._decryption ? " · decrypted" : ""}
        </span>
      </p>
      <Loaded state={state} leftOut={LEFT_OUT}>
        {(body) => <BodyView body={body} mimeType="" name={`message-${number}`} />}
      </Loaded>
    </>
  );
}

function Event({ event, report, number }: { event: StreamEvent; report: Report; number: number }) {
  const state = useLoaded(() => openEvent(event), [event]);
  const size = event.data?.length ?? event._block?.size ?? 0;
  return (
    <>
      <p class="speaker">
        <strong>{oneLine(event.event || "message")}</strong>
        <span class="muted">
          {clock(report, event.time)}
          {event.id ? ` · id ${oneLine(event.id)}` : ""} · {bytes(size)}
        </span>
      </p>
      <Loaded state={state} leftOut={LEFT_OUT}>
        {(body) => <BodyView body={body} mimeType="" name={`event-${number}`} />}
      </Loaded>
    </>
  );
}
