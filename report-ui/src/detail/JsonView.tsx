import { useState } from "preact/hooks";
import { plural, printable } from "../format/text";

const OPEN_TO_DEPTH = 2;
const OPEN_UP_TO = 60;
const SHOWN_AT_ONCE = 200;

export function JsonView({ value }: { value: unknown }) {
  return (
    <div class="tree" tabIndex={0}>
      <Node name={null} value={value} depth={0} />
    </div>
  );
}

function Node({ name, value, depth }: { name: string | null; value: unknown; depth: number }) {
  if (typeof value !== "object" || value === null) {
    return (
      <div class="leaf">
        <Name name={name} />
        <Scalar value={value} />
      </div>
    );
  }
  return <Branch name={name} value={value} depth={depth} />;
}

function Branch({ name, value, depth }: { name: string | null; value: object; depth: number }) {
  const isArray = Array.isArray(value);
  const keys = Object.keys(value);
  const [open, setOpen] = useState(depth < OPEN_TO_DEPTH && keys.length <= OPEN_UP_TO);
  const [shown, setShown] = useState(SHOWN_AT_ONCE);
  if (!keys.length) {
    return (
      <div class="leaf">
        <Name name={name} />
        <span class="muted">{isArray ? "[]" : "{}"}</span>
      </div>
    );
  }
  return (
    <details open={open} onToggle={(event) => setOpen(event.currentTarget.open)}>
      <summary>
        <Name name={name} />
        <span class="muted">{isArray ? `[${plural(keys.length, "item")}]` : `{${plural(keys.length, "member")}}`}</span>
      </summary>
      {open && (
        <div class="children">
          {keys.slice(0, shown).map((key) => (
            <Node key={key} name={key} value={(value as Record<string, unknown>)[key]} depth={depth + 1} />
          ))}
          {keys.length > shown && (
            <button type="button" class="small" onClick={() => setShown(shown + 5 * SHOWN_AT_ONCE)}>
              Show more of {keys.length}
            </button>
          )}
        </div>
      )}
    </details>
  );
}

function Name({ name }: { name: string | null }) {
  if (name === null) return null;
  return (
    <>
      <bdi class="name">{printable(name)}</bdi>
      <span class="muted">: </span>
    </>
  );
}

function Scalar({ value }: { value: unknown }) {
  if (typeof value === "string") return <bdi class="string">{printable(value)}</bdi>;
  return <span class={typeof value === "number" ? "number" : "keyword"}>{String(value)}</span>;
}
