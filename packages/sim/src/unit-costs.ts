import { concatBytes, u32be } from '@starling/core';
import { signingKeyFromSeed, verify } from '@starling/crypto';

/** Work that virtual peers share and real ones do each for themselves. */
export interface CountedCpu {
  /** Messages that were read once for several peers; a reading checks the signature, too. */
  readonly readings: number;
  readonly secondsPerReading: number;
  /** Signatures that were checked before, in certificates. */
  readonly verifications: number;
  readonly secondsPerVerification: number;
}

const SAMPLES = 200;
/** Signatures that were checked before are only remembered: every call signs others. */
let calls = 0;

/** What checking one signature takes here and now, the mean of 200. */
export function verificationSeconds(): number {
  const key = signingKeyFromSeed(new Uint8Array(32));
  const signed = Array.from({ length: SAMPLES }, (_, i) => {
    const message = concatBytes(u32be(calls), u32be(i));
    return { message, signature: key.sign(message) };
  });
  calls += 1;
  const before = process.hrtime.bigint();
  for (const { message, signature } of signed) verify(key.peerId, message, signature);
  return Number(process.hrtime.bigint() - before) / 1e9 / SAMPLES;
}
