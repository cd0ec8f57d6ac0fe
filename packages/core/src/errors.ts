/** What an operator got wrong: names the key, the cause and the next step. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError';
  readonly key: string;
  /** @param hint what to do next, in one sentence */
  constructor(key: string, message: string, hint?: string) {
    super(hint === undefined ? `${key}: ${message}` : `${key}: ${message}. ${hint}`);
    this.key = key;
  }
}

/**
 * What the other side, or a file from elsewhere, got wrong. `code` is stable, `message` is for
 * people.
 */
export class ProtocolError extends Error {
  override readonly name: string = 'ProtocolError';
  readonly code: string;
  constructor(code: string, message: string) {
    super(message);
    this.code = code;
  }
}

/** Bytes that do not follow a codec. The only error a decoder throws. */
export class DecodeError extends ProtocolError {
  override readonly name = 'DecodeError';
  constructor(field: string, message: string) {
    super('decode', `${field}: ${message}`);
  }
}

/** What we got wrong: a bug. It ends the process. */
export class InvariantError extends Error {
  override readonly name = 'InvariantError';
}

/** @throws InvariantError when `condition` is false; stays on in production. */
export function assert(condition: boolean, message: string): asserts condition {
  if (!condition) throw new InvariantError(message);
}

/**
 * Ends every switch over a union; a forgotten case is a type error first, an InvariantError
 * second.
 */
export function unreachable(value: never): never {
  throw new InvariantError(`unreachable case: ${JSON.stringify(value)}`);
}

/** The message of anything that was thrown. */
export function errorMessage(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
