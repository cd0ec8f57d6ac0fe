import type { SwarmId } from '@starling/protocol-membership';
import type { PublishedCard } from '@starling/protocol-models';
import type { Verification } from './verify-model.ts';

/** What is at hand of a parent: its signed card, and its model where that is here. */
export interface ParentFiles {
  readonly card: Uint8Array;
  readonly model?: Uint8Array | undefined;
}

export interface CardFiles {
  /** The signed card. */
  readonly card: Uint8Array;
  /** The ONNX file in clear. */
  readonly model: Uint8Array;
  readonly proof?: Uint8Array | undefined;
  readonly parents?: readonly ParentFiles[] | undefined;
}

export interface VerifyOptions {
  /** Also checks that all who signed were members of it. */
  readonly swarm?: SwarmId | undefined;
}

export const CHECK_NAMES = [
  ...(['signature', 'model', 'values', 'lineage', 'metrics', 'privacy'] as const),
  ...(['recipe', 'parents'] as const),
] as const;
/** A link that holds, that the card says nothing of, or that was not looked at, and why. */
export interface CardCheck {
  readonly link: (typeof CHECK_NAMES)[number];
  readonly standing: 'holds' | 'not claimed' | 'not checked';
  readonly detail: string;
}

export interface CardVerification {
  readonly ok: boolean;
  /** The first link that does not hold, by its name; undefined when all do. */
  readonly fault: string | undefined;
  readonly card: PublishedCard | undefined;
  /** Up to the fault. */
  readonly checks: readonly CardCheck[];
  /** Of the chain, when the card has a lineage and the proof is here. */
  readonly chain: Verification | undefined;
}

/** A link as one of the checks found it: a fault in words, or how it stands. */
export type Finding = string | Omit<CardCheck, 'link'>;
export const holds = (detail: string): Finding => ({ standing: 'holds', detail });
export const notClaimed = (detail: string): Finding => ({ standing: 'not claimed', detail });
export const notChecked = (detail: string): Finding => ({ standing: 'not checked', detail });
