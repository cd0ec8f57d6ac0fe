import { ProtocolError } from '@starling/core';
import { type Mutator, mixed, mutateBytes } from './mutate.ts';
import { mutateHttp } from './mutate-http.ts';
import { mutateJson } from './mutate-json.ts';
import { mutateMsgpack } from './mutate-msgpack.ts';
import { mutateProtobuf } from './mutate-protobuf.ts';
import { mutateText } from './mutate-text.ts';

/** Something that reads bytes from elsewhere. */
export interface Target {
  readonly name: string;
  readonly format: keyof typeof MUTATORS;
  /** Good inputs, from which the others are made. */
  readonly seeds: readonly Uint8Array[];
  /**
   * Reads `bytes` and checks what must hold of what was read. Answers what kind of thing it was;
   * may throw only what `refuses` knows.
   */
  readonly run: (bytes: Uint8Array) => string | Promise<string>;
  /** Whether one run asks a disk or a server: it gets a tenth of the executions. */
  readonly isSlow?: boolean;
  /** Ends what `run` left open. */
  readonly close?: () => Promise<void>;
  /** Bytes of memory that any input may take, however small. */
  readonly memoryBase?: number;
  /** Whether an error is one that a bad input may cause; a ProtocolError unless told. */
  readonly refuses?: (error: unknown) => boolean;
}

export const MUTATORS = {
  msgpack: mutateMsgpack,
  protobuf: mutateProtobuf,
  json: mutateJson,
  http: mutateHttp,
  text: mutateText,
  words: mixed(mutateBytes),
} satisfies Readonly<Record<string, Mutator>>;

export const isProtocolError = (error: unknown): boolean => error instanceof ProtocolError;

/** A broken promise of a decoder: never caught as a refusal. */
export class BrokenPromise extends Error {
  override readonly name = 'BrokenPromise';
}

export function promise(holds: boolean, what: string): void {
  if (!holds) throw new BrokenPromise(what);
}
