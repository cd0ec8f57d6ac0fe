import { timingSafeEqual } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { addressOf, digest, type Refusal, WrongTokens } from '@starling/control';

/** Who may ask, and by what secret. */
export interface ClientToken {
  readonly name: string;
  readonly token: string;
}

/** Whom a quota is for where nobody needs a token. */
const ANYBODY = 'anybody';

/**
 * Who asks, by bearer tokens. Without any, all who reach the listener are one client. Wrong ones
 * make their sender wait, but never keep out a right one.
 */
export class Clients {
  readonly #known: readonly { readonly name: string; readonly digest: Buffer }[];
  readonly #wrong: WrongTokens;

  constructor(tokens: readonly ClientToken[], now: () => number) {
    this.#known = tokens.map(({ name, token }) => ({ name, digest: digest(token) }));
    this.#wrong = new WrongTokens(now);
  }

  /** The client's name, or why it gets nothing. */
  of(request: IncomingMessage): string | Refusal {
    if (this.#known.length === 0) return ANYBODY;
    const [, given] =
      /^Bearer ([A-Za-z0-9._~+/=-]{1,512})$/i.exec(request.headers.authorization ?? '') ?? [];
    // All are compared, and hashes of them, so that the time tells nothing.
    const hash = digest(given ?? '');
    const found = this.#known.filter((client) => timingSafeEqual(client.digest, hash));
    if (given !== undefined && found.length > 0) return found[0]!.name;
    const address = addressOf(request);
    const waitSeconds = this.#wrong.waitSeconds(address);
    if (waitSeconds > 0) {
      const headers = { 'retry-after': String(waitSeconds) };
      const error = `too many wrong tokens; try again in ${waitSeconds} s`;
      return { status: 429, code: 'too-many', error, headers };
    }
    const headers = { 'www-authenticate': 'Bearer realm="starling"' };
    if (given === undefined) {
      return { status: 401, code: 'token', error: 'this needs a token of serving.tokens', headers };
    }
    this.#wrong.add(address);
    return { status: 401, code: 'token', error: 'the token is wrong', headers };
  }
}
