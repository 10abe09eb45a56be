import { useLayoutEffect, useRef } from "preact/hooks";

/** Whether what is opened next is to have the focus: where it was opened by a key, keys go on there. */
export interface WantsFocus {
  current: boolean;
}

/** For an element that takes the focus when it is first shown, if that is wanted; the selector names a part of it. */
export function useFocusIfWanted<T extends HTMLElement>(wanted: WantsFocus | undefined, part?: string) {
  const element = useRef<T>(null);
  useLayoutEffect(() => {
    if (!wanted?.current) return;
    wanted.current = false;
    (part ? element.current?.querySelector<HTMLElement>(part) : element.current)?.focus();
  }, []);
  return element;
}
