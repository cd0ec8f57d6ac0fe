import { type DecodeError, toHex } from '@starling/core';
import { sha256 } from '@starling/crypto';
import { type Heard, plainWire, readGossip, type Wire } from '@starling/node';
import type { Envelope } from '@starling/protocol-rounds';

type Read<T> = { readonly value: T } | { readonly error: unknown };

/** Envelopes by hash that are remembered: those of a round or two of the largest swarm. */
const REMEMBERED_MAX = 65_536;

/**
 * Reads every message once for all virtual peers: what one of a thousand decodes and checks, the
 * others would do with the same bytes and the same answer.
 */
export function sharedWire(): Wire {
  const heard = new WeakMap<Uint8Array, Read<Heard | undefined>>();
  const opened = new Map<string, Read<Envelope | undefined>>();
  const envelope = (sealed: Uint8Array) => {
    const hash = toHex(sha256(sealed));
    let read = opened.get(hash);
    if (read === undefined) {
      read = attempt(() => plainWire.envelope(sealed.slice()));
      opened.set(hash, read);
      if (opened.size > REMEMBERED_MAX) opened.delete(opened.keys().next().value!);
    }
    return answerOf(read);
  };
  return {
    envelope,
    gossip: (message) => {
      const read = heard.get(message) ?? attempt(() => readGossip(message, envelope));
      heard.set(message, read);
      return answerOf(read);
    },
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
