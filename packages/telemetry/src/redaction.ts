/** Keys whose values are never logged, however deep they are. */
export const SECRET_KEYS = [
  ...['token', 'apiToken', 'invite', 'authorization', 'cookie', 'password', 'passphrase'],
  ...['secret', 'secrets', 'key', 'keys', 'privateKey', 'preSharedKey', 'psk', 'pnet'],
  ...['seed', 'identitySeed', 'identity', 'entropy', 'weights', 'examples', 'labels', 'pixels'],
] as const;

/** A longer list of numbers is a vector: of a model, or of data. */
const NUMBERS_MAX = 32;
/** Deeper objects are left out as a whole. */
const DEPTH_MAX = 4;

/** Paths for pino: each key at each depth that a logged object may have. */
export const SECRET_PATHS: readonly string[] = SECRET_KEYS.flatMap((key) =>
  Array.from({ length: DEPTH_MAX + 1 }, (_, depth) => `${'*.'.repeat(depth)}${key}`),
);

export const CENSORED = '[redacted]';

/**
 * Fields as they may be logged: bytes and vectors by their length only, since they are keys,
 * models or data; errors by their message; nothing deeper than the paths above reach.
 */
export function loggable(value: unknown, depth = 0): unknown {
  if (typeof value !== 'object' || value === null) return value;
  if (ArrayBuffer.isView(value)) return `[${value.byteLength} bytes]`;
  if (value instanceof ArrayBuffer) return `[${value.byteLength} bytes]`;
  if (value instanceof Error) return value.message;
  // What knows how it wants to be shown, such as a Secret.
  if ('toJSON' in value && typeof value.toJSON === 'function') return String(value);
  if (depth === DEPTH_MAX) return '[too deep]';
  if (Array.isArray(value) && value.length > NUMBERS_MAX && typeof value[0] === 'number') {
    return `[${value.length} numbers]`;
  }
  if (Array.isArray(value)) return value.map((each) => loggable(each, depth + 1));
  const entries = value instanceof Map ? value : Object.entries(value);
  return Object.fromEntries(
    [...entries].map(([key, each]) => [String(key), loggable(each, depth + 1)]),
  );
}
