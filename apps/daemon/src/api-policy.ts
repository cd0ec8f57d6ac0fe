import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { POLICY_KEYS, type PolicyChange, type PolicyKey, type PolicyView } from '@starling/control';
import { ConfigError, errorMessage, utf8 } from '@starling/core';
import { unlessMissing, writeDurably } from '@starling/store';
import { type Config, configSchema } from './config.ts';

type Policy = Config['policy'];
type Own = { readonly [K in PolicyKey]?: unknown };

const policySchema = configSchema.shape.policy;

/**
 * The owner's policy as it is now: the configuration's, and before it, key by key, what the owner
 * has set since, which is kept in `policy.json` of the state directory.
 */
export class PolicyBook {
  readonly #path: string;
  readonly #configured: Policy;
  #own: Own;
  #policy: Policy;
  /** Changes one after the other: each builds on the one before. */
  #last: Promise<unknown> = Promise.resolve();

  private constructor(path: string, configured: Policy, own: Own) {
    this.#path = path;
    this.#configured = configured;
    this.#own = own;
    this.#policy = merged(configured, own);
  }

  /** @throws ConfigError when the file cannot be read, or does not go with the configuration */
  static async open(stateDirectory: string, configured: Policy): Promise<PolicyBook> {
    const path = join(stateDirectory, 'policy.json');
    const text = await unlessMissing(readFile(path, 'utf8'));
    try {
      return new PolicyBook(path, configured, text === undefined ? {} : readOwn(text));
    } catch (error) {
      const hint = 'Mend the file, or delete it to go back to the configuration';
      throw new ConfigError(path, errorMessage(error), hint);
    }
  }

  get policy(): Policy {
    return this.#policy;
  }

  view(): PolicyView {
    const { vouching, worseMax, ...rest } = this.#policy;
    const set = POLICY_KEYS.filter((key) => key in this.#own);
    return { ...rest, vouching, worseMax: worseMax ?? null, set };
  }

  /**
   * Sets keys, or with null goes back to the configuration. In force when it resolves.
   * @throws ConfigError that names the key; nothing is changed then
   */
  change(change: PolicyChange): Promise<void> {
    const changing = this.#last.then(() => this.#change(change));
    this.#last = changing.catch(() => undefined);
    return changing;
  }

  async #change(change: PolicyChange): Promise<void> {
    const entries = Object.entries({ ...this.#own, ...change });
    const own = Object.fromEntries(
      entries.filter(([, value]) => value !== null && value !== undefined),
    );
    const policy = merged(this.#configured, own);
    const text = `${JSON.stringify(own, null, 2)}\n`;
    await writeDurably(this.#path, `${this.#path}.new`, utf8(text));
    this.#own = own;
    this.#policy = policy;
  }
}

function readOwn(text: string): Own {
  const own: unknown = JSON.parse(text);
  if (typeof own !== 'object' || own === null || Array.isArray(own)) {
    throw new ConfigError('policy', 'is no JSON object');
  }
  const stranger = Object.keys(own).find((key) => !POLICY_KEYS.includes(key as PolicyKey));
  if (stranger !== undefined) throw new ConfigError(`policy.${stranger}`, 'is not to be set here');
  return own;
}

function merged(configured: Policy, own: Own): Policy {
  const parsed = policySchema.safeParse({ ...configured, ...own });
  if (parsed.success) return parsed.data;
  const { path, message } = parsed.error.issues[0]!;
  throw new ConfigError(['policy', ...path].join('.'), message);
}
