// What the page holds. `src/pcapng_utils/report/rows.py` has the same names for the rows; the rest is HAR.

export interface Sdk {
  name: string;
  company?: string | null;
  categories?: string[] | null;
  source?: "code" | "host";
}

/** Which block holds an item, and its place there. */
export type Place = [chunk: number, position: number];

/** An exchange. Times in seconds since the epoch, durations in ms, sizes in bytes on the wire. */
export interface Row {
  at: Place;
  time: number;
  duration: number;
  method: string;
  url: string;
  host: string;
  status: number;
  type: string;
  protocol: string;
  connection: string;
  client: string;
  sent: number;
  received: number;
  code: string;
  sdk: Sdk | null;
  confidence: number | null;
  decrypted: number;
  messages: number;
  incomplete: boolean;
}

export interface ConnectionRow {
  at: Place;
  id: string;
  time: number;
  duration: number;
  protocol: string;
  application: string;
  client: string;
  server: string;
  host: string;
  secured: string;
  decrypted: string;
  reason: string;
  exchanges: number;
  sent: number;
  received: number;
  sdk: Sdk | null;
}

export interface Finding {
  identifier: string;
  form?: string;
  where?: string;
  entry?: number;
  direction?: string;
  sdk?: Sdk | string | null;
  host?: string;
}

export interface Index {
  title: string;
  creator: { name?: string; version?: string; _metadata?: Metadata };
  version: string;
  device: Record<string, string>;
  systemPrefixes: string[];
  leftOut: { bodies: number; bytes: number; exchanges: number };
  /** What was wrong with the capture itself, a sentence each. */
  lost: string[];
  rows: Row[];
  connections: ConnectionRow[];
  findings: Finding[];
}

export interface Metadata {
  creation_datetime?: string;
  files?: { name: string; size: number; sha256: string }[];
  options?: Record<string, unknown>;
  attribution?: {
    shiftSource?: string;
    clock?: { offset?: number; drift?: number; anchors?: number; spread?: number };
    [count: string]: unknown;
  };
  [key: string]: unknown;
}

export interface BlockReference {
  name: string;
  size: number;
}

export interface Pair {
  name: string;
  value: string;
}

export interface Cookie extends Pair {
  path?: string;
  domain?: string;
  expires?: string | null;
  httpOnly?: boolean;
  secure?: boolean;
  sameSite?: string;
}

/** A body as HAR has it, or the block where it is. */
export interface Content {
  mimeType?: string;
  size?: number;
  _size?: number;
  text?: string;
  encoding?: string;
  params?: Pair[];
  compression?: number;
  _sha256?: string;
  _decoded?: boolean;
  _block?: BlockReference;
}

export interface Frame {
  class?: string | null;
  method?: string | null;
  file?: string | null;
  line?: number | null;
  isNative?: boolean;
  str?: string | null;
}

export interface Stacktrace {
  stack?: Frame[] | null;
  timestamp?: number;
  process?: string;
  pid?: number;
  threadId?: number;
  socketFd?: number;
  socketType?: string;
  socketEventType?: string;
}

export interface Attribution {
  method?: string;
  confidence?: number | null;
  deltaMs?: number | null;
  operations?: number[];
  shared?: unknown[] | boolean;
  alternatives?: Candidate[];
  inferred?: Candidate;
}

export interface Candidate {
  operation?: number;
  confidence?: number;
  code?: string;
}

export interface Decryption {
  pid?: number;
  process?: string;
  timestamp?: number;
  primitiveParameters?: { algorithm?: string; key?: string; iv?: string };
  originalBase64Content?: string;
  sizeDiffEncrypted?: number;
  sizeDiffDecrypted?: number;
  _block?: BlockReference;
}

export interface End {
  ip?: string;
  host?: string;
  port?: number;
}

export interface Message {
  httpVersion?: string;
  headers?: Pair[];
  cookies?: Cookie[];
  headersSize?: number;
  bodySize?: number;
  _timestamp?: number | null;
  _rawFramesNumbers?: number[];
  _trailers?: Pair[];
  _communication?: { src?: End; dst?: End };
  _stacktrace?: Stacktrace | null;
  _attribution?: Attribution | null;
  _decryption?: Decryption | null;
}

export interface RequestMessage extends Message {
  method?: string;
  url?: string;
  queryString?: Pair[];
  postData?: Content;
  _content?: Content;
  _requestBodyStatus?: string;
}

export interface ResponseMessage extends Message {
  status?: number;
  statusText?: string;
  redirectURL?: string;
  content?: Content;
}

export interface SocketMessage {
  type: "send" | "receive";
  opcode?: number;
  data?: string;
  time?: number;
  _encoding?: string;
  _incomplete?: unknown;
  _block?: BlockReference;
  _rawFramesNumbers?: number[];
  _decryption?: Decryption | null;
}

export interface StreamEvent {
  time?: number;
  event?: string;
  id?: string;
  data?: string;
  _block?: BlockReference;
}

export interface Entry {
  startedDateTime?: string;
  time?: number;
  timings?: Record<string, number>;
  serverIPAddress?: string;
  connection?: string;
  request: RequestMessage;
  response: ResponseMessage;
  _timestamp?: number;
  _communityId?: string;
  _sha1Id?: string;
  _sdk?: Sdk | null;
  _incomplete?: string[];
  _webSocketMessages?: SocketMessage[];
  _webSocketClose?: { type?: string; code?: number; reason?: string; time?: number };
  _eventStream?: StreamEvent[];
  _interimResponses?: { status?: number; headers?: Pair[] }[];
}

export interface Certificate {
  subject?: string;
  issuer?: string;
  names?: string[];
  notBefore?: string;
  notAfter?: string;
  sha256?: string;
}

export interface Connection {
  id?: string;
  client?: End;
  server?: End;
  _communityId?: string;
  protocol?: string;
  application?: string;
  service?: string;
  decrypted?: string;
  reason?: string;
  startedDateTime?: string;
  frames?: [number, number];
  packets?: Record<string, number>;
  bytes?: Record<string, number>;
  payloadBytes?: Record<string, number>;
  lostBytes?: Record<string, number>;
  retransmittedPackets?: Record<string, number>;
  begun?: string;
  ended?: string;
  endedBy?: string | null;
  tls?: Record<string, unknown> & { certificates?: Certificate[] };
  quic?: Record<string, unknown>;
}

export interface Problem {
  kind?: string;
  message?: string;
  connection?: string | null;
  frame?: number | null;
  count?: number;
  detail?: string;
  lostBytes?: number;
  lastFrame?: number;
}

export interface DnsLookup {
  time?: number;
  name?: string;
  type?: string;
  rcode?: string;
  answers?: { name?: string; type?: string; ttl?: number; data?: string }[];
  client?: string;
  server?: string;
  transport?: string;
  frame?: number;
}
