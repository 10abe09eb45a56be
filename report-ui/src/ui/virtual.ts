import {
  elementScroll,
  observeElementOffset,
  observeElementRect,
  Virtualizer,
  type VirtualizerOptions,
} from "@tanstack/virtual-core";
import { useLayoutEffect, useReducer, useState } from "preact/hooks";

type Options = Pick<
  VirtualizerOptions<HTMLElement, HTMLElement>,
  "count" | "getScrollElement" | "estimateSize" | "overscan" | "scrollMargin" | "scrollPaddingStart"
>;

/** A list of which only what is seen is made. */
export function useVirtual(asked: Options): Virtualizer<HTMLElement, HTMLElement> {
  const [, render] = useReducer((times: number, _: undefined) => times + 1, 0);
  const options: VirtualizerOptions<HTMLElement, HTMLElement> = {
    ...asked,
    observeElementRect,
    observeElementOffset,
    scrollToFn: elementScroll,
    onChange: () => render(undefined),
  };
  const [virtualizer] = useState(() => new Virtualizer(options));
  virtualizer.setOptions(options);
  useLayoutEffect(() => virtualizer._didMount(), [virtualizer]);
  useLayoutEffect(() => virtualizer._willUpdate());
  return virtualizer;
}
