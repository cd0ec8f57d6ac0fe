import { type DecodeError, toHex } from '@starling/core';
import { sha256 } from '@starling/crypto';
import { type Heard, plainWire, readGossip, type Wire } from '@starling/node';
import type { Envelope } from '@starling/protocol-rounds';

export interface SharedWire extends Wire {
  /** Readings that were not done again, and what one takes, measured on those that were. */
  readonly saved: () => { readonly repeated: number; readonly secondsEach: number };
}

type Read<T> = { readonly value: T } | { readonly error: unknown };

/** Envelopes by hash that are remembered: those of a round or two of the largest swarm. */
const REMEMBERED_MAX = 65_536;

/**
 * Reads every message once for all virtual peers: what one of a thousand decodes and checks, the
 * others would do with the same bytes and the same answer.
 */
export function sharedWire(): SharedWire {
  const spent = { reads: 0, readSeconds: 0, repeated: 0 };
  const heard = new WeakMap<Uint8Array, Read<Heard | undefined>>();
  const opened = new Map<string, Read<Envelope | undefined>>();
  const envelope = (sealed: Uint8Array) => {
    const hash = toHex(sha256(sealed));
    let read = opened.get(hash);
    if (read === undefined) {
      const before = process.hrtime.bigint();
      read = attempt(() => plainWire.envelope(sealed.slice()));
      spent.readSeconds += Number(process.hrtime.bigint() - before) / 1e9;
      spent.reads += 1;
      opened.set(hash, read);
      if (opened.size > REMEMBERED_MAX) opened.delete(opened.keys().next().value!);
    } else spent.repeated += 1;
    return answerOf(read);
  };
  return {
    envelope,
    gossip: (message) => {
      const known = heard.get(message);
      if (known !== undefined) {
        spent.repeated += 1;
        return answerOf(known);
      }
      const read = attempt(() => readGossip(message, envelope));
      heard.set(message, read);
      return answerOf(read);
    },
    saved: () => ({
      repeated: spent.repeated,
      secondsEach: spent.readSeconds / Math.max(1, spent.reads),
    }),
  };
}

function attempt<T>(run: () => T): Read<T> {
  try {
    return { value: run() };
  } catch (error) {
    return { error: error as DecodeError };
  }
}

function answerOf<T>(read: Read<T>): T {
  if ('error' in read) throw read.error;
  return read.value;
}
