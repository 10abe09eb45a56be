// Names for those who talk: the code that sends, and whom it talks to.

import type { Row, Sdk } from "./types";

/** The package of a class; the class itself if it has none. */
export function packageOf(name: string): string {
  const end = name.lastIndexOf(".");
  return end > 0 ? name.slice(0, end) : name;
}

export const NO_CODE = "no code known";

/** Who sent it: the SDK that was told by its code, else the package of the class that is responsible. */
export function senderOf(row: Row): string {
  if (row.sdk?.source === "code") return row.sdk.name;
  return row.code ? packageOf(row.code) : NO_CODE;
}

export function companyOf(sdk: Sdk | null | undefined): string | null {
  return sdk ? sdk.company || sdk.name : null;
}

/** The company behind the host, where one of the labels tells it by the host, else the host. */
export function recipientOf(row: Row, connection: Sdk | null | undefined): string {
  const sdk = [row.sdk, connection].find((label) => label?.source === "host");
  return companyOf(sdk) || row.host;
}

export const sdkName = (sdk: Sdk | string | null | undefined): string =>
  typeof sdk === "string" ? sdk : (sdk?.name ?? "");
