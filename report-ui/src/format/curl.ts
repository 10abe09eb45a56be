// A request as a curl command, for a shell: every argument is quoted, whatever it holds.

import type { Body } from "../data/body";
import type { RequestMessage } from "../data/types";

const PLAIN = /^[A-Za-z0-9_./:=@%+,-]+$/;

/** An argument: as it is, in single quotes, or in $'…' where characters need an escape. */
function quoted(text: string): string {
  if (PLAIN.test(text)) return text;
  if (!/[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]/.test(text))
    return `'${text.replaceAll("'", "'\\''")}'`;
  let result = "$'";
  for (const character of text) {
    const code = character.codePointAt(0) as number;
    if (character === "'" || character === "\\") result += `\\${character}`;
    else if (code < 0x20 || code === 0x7f) result += `\\x${code.toString(16).padStart(2, "0")}`;
    else if ((code >= 0x80 && code < 0xa0) || (code >= 0x2028 && code < 0x2070)) {
      result += `\\u${code.toString(16).padStart(4, "0")}`;
    } else result += character;
  }
  return `${result}'`;
}

/** Headers that curl makes by itself, or that belong to the connection. */
const OWN = new Set(["host", "content-length", "connection", "transfer-encoding"]);

export function curlOf(request: RequestMessage, body: Body | null): string {
  const lines = [`curl --globoff --url ${quoted(request.url ?? "")}`];
  const method = request.method ?? "GET";
  if (method !== (body?.bytes.length ? "POST" : "GET")) lines.push(`--request ${quoted(method)}`);
  for (const { name, value } of request.headers ?? []) {
    if (name.startsWith(":") || OWN.has(name.toLowerCase())) continue;
    lines.push(`--header ${quoted(value === "" ? `${name};` : `${name}: ${value}`)}`);
  }
  if (body?.bytes.length) {
    // No argument of a command can hold a NUL.
    if (body.text !== null && !body.text.includes("\0")) lines.push(`--data-raw ${quoted(body.text)}`);
    else lines.push("--data-binary @body.bin");
  }
  if ((request.headers ?? []).some((header) => header.name.toLowerCase() === "accept-encoding")) {
    lines.push("--compressed");
  }
  return lines.join(" \\\n  ");
}
