declare const brand: unique symbol;
/** A `T` that cannot be mixed up with another `T`. */
export type Brand<T, Name extends string> = T & { readonly [brand]: Name };

/** A peer's name: the libp2p text form (base58btc) of its Ed25519 public key, `12D3KooW…`. */
export type PeerId = Brand<string, 'PeerId'>;
/** SHA-256 of a job's signed manifest, 64 lower-case hex digits. */
export type JobId = Brand<string, 'JobId'>;
/** SHA-256 of a blob's bytes, 64 lower-case hex digits. */
export type BlobHash = Brand<string, 'BlobHash'>;
/** `H(label ‖ jobId ‖ previous certificate ‖ round ‖ restarts)`, 64 lower-case hex digits. */
export type RoundId = Brand<string, 'RoundId'>;
/** A duration or a reading of the local monotonic clock, in milliseconds. */
export type Millis = Brand<number, 'Millis'>;

export const millis = (value: number): Millis => value as Millis;

const hash = /^[0-9a-f]{64}$/;
/** Whether `text` has the form of a SHA-256 in lower-case hex. */
export const isHash = (text: string): boolean => hash.test(text);
