// Small pieces that all views are made of.

import type { ComponentChildren } from "preact";
import { useEffect, useId, useRef, useState } from "preact/hooks";
import { oneLine } from "../format/text";
import { useFocusIfWanted, type WantsFocus } from "./focus";

/** A value from the capture, on its own against the direction of what surrounds it. */
export function Data({ value, mono = true }: { value: unknown; mono?: boolean }) {
  return <bdi class={mono ? "mono" : undefined}>{oneLine(value)}</bdi>;
}

/** Names with values; rows without a value are left out. */
export function Facts({ rows }: { rows: [string, ComponentChildren][] }) {
  const present = rows.filter(([, value]) => value !== null && value !== undefined && value !== "" && value !== false);
  if (!present.length) return null;
  return (
    <dl class="facts">
      {present.map(([name, value]) => (
        <div key={name}>
          <dt>{name}</dt>
          <dd>{value}</dd>
        </div>
      ))}
    </dl>
  );
}

export function Section({
  title,
  note,
  actions,
  children,
}: {
  title: string;
  note?: ComponentChildren;
  actions?: ComponentChildren;
  children: ComponentChildren;
}) {
  const id = useId();
  return (
    <section class="section" aria-labelledby={id}>
      <header class="section-head">
        <div>
          <h2 id={id}>{title}</h2>
          {note && <p class="note">{note}</p>}
        </div>
        {actions && <div class="actions">{actions}</div>}
      </header>
      {children}
    </section>
  );
}

/** One of several: a row of buttons. */
export function Choice<T extends string>({
  label,
  options,
  value,
  onChoose,
}: {
  label: string;
  options: readonly (readonly [T, string])[];
  value: T;
  onChoose: (value: T) => void;
}) {
  return (
    <div class="choice" role="group" aria-label={label}>
      {options.map(([option, text]) => (
        <button type="button" key={option} aria-pressed={option === value} onClick={() => onChoose(option)}>
          {text}
        </button>
      ))}
    </div>
  );
}

const COPIED_MS = 1500;

/** Copies a text, which may be made when it is asked for. */
export function CopyButton({
  text,
  label = "Copy",
  title,
}: {
  text: string | (() => string | Promise<string>);
  label?: string;
  title?: string;
}) {
  const [state, setState] = useState<"" | "copied" | "failed">("");
  const timer = useRef(0);
  useEffect(() => () => clearTimeout(timer.current), []);
  const copy = async () => {
    const copied = await copyText(typeof text === "string" ? text : await text());
    setState(copied ? "copied" : "failed");
    clearTimeout(timer.current);
    timer.current = window.setTimeout(() => setState(""), COPIED_MS);
  };
  return (
    <button type="button" class="small" onClick={copy} title={title}>
      <span aria-live="polite">{state === "copied" ? "Copied" : state === "failed" ? "Not allowed" : label}</span>
    </button>
  );
}

/** A page from disk may not be allowed the clipboard: then a selected field does it. */
async function copyText(text: string): Promise<boolean> {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    const field = document.createElement("textarea");
    field.value = text;
    field.className = "visually-hidden";
    document.body.append(field);
    field.select();
    const copied = document.execCommand("copy");
    field.remove();
    return copied;
  }
}

/** Offers bytes as a file. */
export function saveBytes(bytes: Uint8Array<ArrayBuffer>, name: string): void {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([bytes], { type: "application/octet-stream" }));
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}

export function Confidence({ value }: { value: number | null | undefined }) {
  if (value === null || value === undefined) return <span class="muted">–</span>;
  const kind = value >= 0.9 ? "sure" : value >= 0.5 ? "likely" : "doubtful";
  return (
    <span class={`confidence ${kind}`} title={`${kind}: confidence ${value.toFixed(3)}`}>
      <span class="meter" aria-hidden="true">
        <span style={{ width: `${Math.round(value * 100)}%` }} />
      </span>
      {value >= 0.995 && value < 1 ? value.toFixed(3) : value.toFixed(2)}
    </span>
  );
}

export function Swatch({ colour }: { colour: string }) {
  return <span class="swatch" aria-hidden="true" style={{ background: colour }} />;
}

export interface Tab {
  id: string;
  label: string;
  badge?: string;
  content: () => ComponentChildren;
}

/** Tabs as WAI-ARIA has them: one stop of the Tab key, arrows between them. */
export function Tabs({
  label,
  tabs,
  chosen,
  wantsFocus,
  onChoose,
}: {
  label: string;
  tabs: Tab[];
  chosen: string;
  wantsFocus?: WantsFocus;
  onChoose: (id: string) => void;
}) {
  const prefix = useId();
  const current = tabs.find((tab) => tab.id === chosen) ?? tabs[0];
  const list = useFocusIfWanted<HTMLDivElement>(wantsFocus, "[aria-selected=true]");
  if (!current) return null;
  const move = (event: KeyboardEvent) => {
    const place = tabs.indexOf(current);
    const next = { ArrowRight: place + 1, ArrowLeft: place - 1, Home: 0, End: tabs.length - 1 }[event.key];
    const tab = next === undefined ? undefined : tabs[(next + tabs.length) % tabs.length];
    if (!tab) return;
    event.preventDefault();
    onChoose(tab.id);
    list.current?.querySelector<HTMLElement>(`[data-tab="${tab.id}"]`)?.focus();
  };
  return (
    <>
      <div class="tabs" role="tablist" aria-label={label} ref={list} onKeyDown={move}>
        {tabs.map((tab) => (
          <button
            type="button"
            key={tab.id}
            role="tab"
            id={`${prefix}-${tab.id}`}
            data-tab={tab.id}
            aria-selected={tab === current}
            aria-controls={`${prefix}-panel`}
            tabIndex={tab === current ? 0 : -1}
            onClick={() => onChoose(tab.id)}
          >
            {tab.label}
            {tab.badge && <span class="badge">{tab.badge}</span>}
          </button>
        ))}
      </div>
      <div
        class="panel"
        role="tabpanel"
        id={`${prefix}-panel`}
        aria-labelledby={`${prefix}-${current.id}`}
        tabIndex={0}
      >
        {current.content()}
      </div>
    </>
  );
}
