import { createHmac, timingSafeEqual } from 'node:crypto';
import { ConfigError } from '@starling/core';

/** The least that a secret may have; Standard Webhooks wants 24 to 64 bytes. */
const SECRET_BYTES_MIN = 24;

/**
 * The key of a secret as it is written: `whsec_` and base64, or any text of 24 bytes and more.
 * @throws ConfigError when it is too short
 */
export function webhookKey(secret: string, key: string): Uint8Array {
  const text = secret.trim();
  const bytes = text.startsWith('whsec_')
    ? Buffer.from(text.slice('whsec_'.length), 'base64')
    : Buffer.from(text, 'utf8');
  if (bytes.length >= SECRET_BYTES_MIN) return new Uint8Array(bytes);
  const hint = 'Make one with: echo "whsec_$(head -c 32 /dev/urandom | base64)"';
  throw new ConfigError(key, `a secret of at least ${SECRET_BYTES_MIN} bytes is wanted`, hint);
}

/**
 * Headers by which the receiver knows who sent it and when (Standard Webhooks 1.0.0, "Signature
 * scheme"): HMAC-SHA256 over `id.timestamp.body`, one signature for each key, so that keys can be
 * changed without a gap.
 * @param seconds since 1970
 */
export function signedHeaders(
  keys: readonly Uint8Array[],
  message: { readonly id: string; readonly seconds: number; readonly body: string },
): Record<string, string> {
  const { id, seconds } = message;
  const signatures = keys.map((key) => `v1,${signatureOf(key, message)}`);
  return {
    'webhook-id': id,
    'webhook-timestamp': String(seconds),
    'webhook-signature': signatures.join(' '),
  };
}

function signatureOf(
  key: Uint8Array,
  { id, seconds, body }: { readonly id: string; readonly seconds: number; readonly body: string },
): string {
  return createHmac('sha256', key).update(`${id}.${seconds}.${body}`).digest('base64');
}

/** How far the sender's clock may be off, for `isSigned`. */
const TOLERANCE_SECONDS = 300;

/**
 * Whether a request that a receiver got was made with the key, and of late.
 * @param now seconds since 1970
 */
export function isSigned(
  key: Uint8Array,
  headers: Readonly<Record<string, string | undefined>>,
  body: string,
  now: number,
): boolean {
  const id = headers['webhook-id'];
  const seconds = Number(headers['webhook-timestamp']);
  if (id === undefined || !(Math.abs(now - seconds) <= TOLERANCE_SECONDS)) return false;
  const wanted = Buffer.from(`v1,${signatureOf(key, { id, seconds, body })}`);
  return (headers['webhook-signature'] ?? '').split(' ').some((each) => {
    const given = Buffer.from(each);
    return given.length === wanted.length && timingSafeEqual(given, wanted);
  });
}
