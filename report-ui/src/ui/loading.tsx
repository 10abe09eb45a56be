import type { ComponentChildren } from "preact";
import { useEffect, useState } from "preact/hooks";
import { LeftOutError } from "../data/store";
import { oneLine } from "../format/text";

type State<T> = { value: T } | { error: unknown } | null;

/** The value of a promise that is made anew when one of the inputs changes. */
export function useLoaded<T>(load: () => Promise<T>, inputs: readonly unknown[]): State<T> {
  const [state, setState] = useState<{ inputs: readonly unknown[]; result: State<T> }>({ inputs: [], result: null });
  useEffect(() => {
    let wanted = true;
    const settle = (result: State<T>) => wanted && setState({ inputs, result });
    load().then(
      (value) => settle({ value }),
      (error) => settle({ error }),
    );
    return () => {
      wanted = false;
    };
  }, inputs);
  const isCurrent = state.inputs.length === inputs.length && state.inputs.every((input, i) => input === inputs[i]);
  return isCurrent ? state.result : null;
}

/** What was loaded; before that, nothing; where it is missing, a word of it. */
export function Loaded<T>({
  state,
  leftOut,
  children,
}: {
  state: State<T>;
  leftOut: string;
  children: (value: T) => ComponentChildren;
}) {
  if (state === null) return <p class="loading muted">Opening…</p>;
  if ("value" in state) return <>{children(state.value)}</>;
  return (
    <p class="notice">
      {state.error instanceof LeftOutError ? leftOut : `This cannot be opened: ${oneLine(state.error)}`}
    </p>
  );
}
