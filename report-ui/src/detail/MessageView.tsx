import type { ComponentChildren } from "preact";
import { openContent, openEncrypted, requestContent } from "../data/body";
import type { Content, Cookie, Decryption, Pair, RequestMessage, ResponseMessage } from "../data/types";
import { bytes, count, moment, oneLine } from "../format/text";
import { CopyButton, Data, Facts } from "../ui/basics";
import { Loaded, useLoaded } from "../ui/loading";
import { BodyView } from "./BodyView";

type Props = { number: number } & (
  { side: "request"; message: RequestMessage } | { side: "response"; message: ResponseMessage }
);

export function MessageView({ side, message, number }: Props) {
  const content = side === "request" ? requestContent(message) : message.content;
  const name = `exchange-${number}-${side}`;
  const query = side === "request" ? (message.queryString ?? []) : [];
  return (
    <>
      <Facts
        rows={[
          ["Redirects to", side === "response" && message.redirectURL && <Data value={message.redirectURL} />],
          ["First byte", message._timestamp != null && `${moment(message._timestamp, 6)} UTC`],
          ["On the wire", wireSize(message)],
          ["Frames", <Frames key="frames" numbers={message._rawFramesNumbers ?? []} />],
        ]}
      />
      {query.length > 0 && (
        <Part title="Query" number={query.length}>
          <Pairs pairs={query} />
        </Part>
      )}
      <Part title="Body" number={null}>
        <MessageBody key={name} content={content} decryption={message._decryption} name={name} />
      </Part>
      <Part title="Headers" number={message.headers?.length ?? 0}>
        <Pairs pairs={message.headers ?? []} />
      </Part>
      {message._trailers?.length ? (
        <Part title="Trailers" number={message._trailers.length}>
          <Pairs pairs={message._trailers} />
        </Part>
      ) : null}
      {message.cookies?.length ? (
        <Part title="Cookies" number={message.cookies.length}>
          <Cookies cookies={message.cookies} />
        </Part>
      ) : null}
    </>
  );
}

function wireSize(message: RequestMessage | ResponseMessage): string {
  const { headersSize = -1, bodySize = -1 } = message;
  if (headersSize < 0 && bodySize < 0) return "";
  return `${bytes(Math.max(headersSize, 0))} of headers, ${bytes(Math.max(bodySize, 0))} of body`;
}

const MOST_FRAMES = 24;

function Frames({ numbers }: { numbers: number[] }) {
  if (!numbers.length) return null;
  const shown = numbers.slice(0, MOST_FRAMES).join(", ");
  return (
    <span class="mono">
      {shown}
      {numbers.length > MOST_FRAMES && ` and ${count(numbers.length - MOST_FRAMES)} more`}
    </span>
  );
}

function Part({ title, number, children }: { title: string; number: number | null; children: ComponentChildren }) {
  return (
    <details class="part" open>
      <summary>
        <h3>{title}</h3>
        {number !== null && <span class="badge">{number}</span>}
      </summary>
      {children}
    </details>
  );
}

export function Pairs({ pairs }: { pairs: Pair[] }) {
  if (!pairs.length) return <p class="muted">none</p>;
  return (
    <dl class="pairs">
      {pairs.map((pair, place) => (
        <div key={place}>
          <dt>
            <Data value={pair.name} />
          </dt>
          <dd>
            <Data value={pair.value} />
          </dd>
        </div>
      ))}
    </dl>
  );
}

function Cookies({ cookies }: { cookies: Cookie[] }) {
  return (
    <dl class="pairs">
      {cookies.map((cookie, place) => (
        <div key={place}>
          <dt>
            <Data value={cookie.name} />
          </dt>
          <dd>
            <Data value={cookie.value} />
            <span class="muted"> {cookieAttributes(cookie)}</span>
          </dd>
        </div>
      ))}
    </dl>
  );
}

function cookieAttributes(cookie: Cookie): string {
  const parts = [
    cookie.domain && `domain ${cookie.domain}`,
    cookie.path && `path ${cookie.path}`,
    cookie.expires && `until ${cookie.expires}`,
    cookie.secure && "secure",
    cookie.httpOnly && "HTTP only",
    cookie.sameSite && `same site ${cookie.sameSite}`,
  ];
  return oneLine(parts.filter(Boolean).join(" · "));
}

function MessageBody({
  content,
  decryption,
  name,
}: {
  content: Content | undefined;
  decryption: Decryption | null | undefined;
  name: string;
}) {
  const size = content?._size ?? content?.size ?? 0;
  if (!content || (size <= 0 && !content.text)) return <p class="muted">none</p>;
  const clear = <OneBody content={content} name={name} />;
  const facts = (
    <Facts
      rows={[
        ["Type", content.mimeType && <Data value={content.mimeType} />],
        ["Size", `${bytes(size)}${content.compression ? `, ${bytes(content.compression)} saved by compression` : ""}`],
        ["SHA-256", content._sha256 && <Data value={content._sha256} />],
        ["Content coding", content._decoded === false && "could not be undone: these are the bytes as sent"],
      ]}
    />
  );
  if (!decryption) {
    return (
      <>
        {facts}
        {clear}
      </>
    );
  }
  const { algorithm, key, iv } = decryption.primitiveParameters ?? {};
  return (
    <>
      {facts}
      <div class="beside">
        <section aria-label="Decrypted">
          <h4>Decrypted</h4>
          {clear}
        </section>
        <section aria-label="As sent">
          <h4>As sent, encrypted</h4>
          <Encrypted decryption={decryption} name={`${name}-encrypted`} />
        </section>
      </div>
      <h4>Cipher call</h4>
      <Facts
        rows={[
          ["Cipher", algorithm && <Data value={algorithm} />],
          ["Key", key ? <Secret value={key} /> : <span class="muted">not logged</span>],
          ["IV", iv && <Secret value={iv} />],
          ["Process", decryption.process && `${oneLine(decryption.process)} (${decryption.pid ?? "?"})`],
          ["Time", decryption.timestamp !== undefined && `${moment(decryption.timestamp)} UTC, phone’s clock`],
        ]}
      />
    </>
  );
}

function Secret({ value }: { value: string }) {
  return (
    <>
      <Data value={value} /> <CopyButton text={value} />
    </>
  );
}

const bodyLeftOut = (size: number): string =>
  `This body (${bytes(size)}) was left out of this page, which has a limit in size: it is in the HAR file.`;

function OneBody({ content, name }: { content: Content; name: string }) {
  const state = useLoaded(() => openContent(content), [content]);
  if (content.text === undefined && !content._block) {
    return <p class="notice">The HAR was made without bodies: only size and digest are known.</p>;
  }
  return (
    <Loaded state={state} leftOut={bodyLeftOut(content._block?.size ?? 0)}>
      {(body) => <BodyView body={body} mimeType={content.mimeType ?? ""} name={name} />}
    </Loaded>
  );
}

function Encrypted({ decryption, name }: { decryption: Decryption; name: string }) {
  const state = useLoaded(() => openEncrypted(decryption), [decryption]);
  return (
    <Loaded state={state} leftOut={bodyLeftOut(decryption._block?.size ?? 0)}>
      {(body) => <BodyView body={body} mimeType="application/octet-stream" name={name} />}
    </Loaded>
  );
}
