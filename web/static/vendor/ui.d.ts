// Types of ui.js for `tsc --checkJs`, taken from the packages it is made of.
import type { VNode } from "preact";

export {
  h, render, hydrate, Fragment, createContext, createRef, cloneElement, toChildArray, isValidElement, options,
} from "preact";
export type { ComponentChild, ComponentChildren, FunctionComponent, Ref, RefObject, VNode } from "preact";
export {
  useState, useReducer, useRef, useEffect, useLayoutEffect, useCallback, useMemo, useContext, useId,
  useImperativeHandle, useErrorBoundary,
} from "preact/hooks";
export { signal, computed, effect, batch, untracked, Signal, useSignal, useComputed, useSignalEffect } from "@preact/signals";
export type { ReadonlySignal } from "@preact/signals";

/** One root element per template; several give an array at run time, so write one. */
export function html(strings: TemplateStringsArray, ...values: unknown[]): VNode;
