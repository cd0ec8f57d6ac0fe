import { appendFile, mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { Choices } from './schema.ts';

/** What every line says of its run. */
interface Named {
  /** First digits of the hash of all settings and the seed. */
  readonly run: string;
  readonly experiment: string;
  /** What the grid chose. */
  readonly choices: Choices;
  readonly seed: number;
}

export interface RoundLine extends Named {
  readonly kind: 'round';
  readonly round: number;
  /** On the test set, after the round; null where nobody looked. */
  readonly accuracy: number | null;
  readonly loss: number | null;
  /** How often a stamped image is taken for the attackers' class; with a backdoor alone. */
  readonly backdoor?: number;
  /** Cells that were left out as no honest sum; where there were any. */
  readonly spoilt?: number;
  /** What a peer sent in the round. */
  readonly bytesPerPeer: number;
  readonly survivors: number;
  readonly seconds: number;
}

export interface EndLine extends Named {
  readonly kind: 'end';
  /** `reached` its target, did all its `rounds`, was `capped` by minutes, or `failed`. */
  readonly end: 'reached' | 'rounds' | 'capped' | 'failed';
  /** In words: `reached: 42` or `capped: 97.1 % at round 30`. */
  readonly text: string;
  readonly rounds: number;
  /** At the last look, and the best of all. */
  readonly accuracy: number | null;
  readonly best: number | null;
  readonly backdoor?: number;
  readonly seconds: number;
}
export type ResultLine = RoundLine | EndLine;

/**
 * Results of an experiment as lines of JSON, and beside them the state after the last whole round
 * of each run that is under way, so that a run goes on where it was cut.
 */
export class ResultFile {
  readonly #path: string;
  #lines: ResultLine[];

  private constructor(path: string, lines: ResultLine[]) {
    this.#path = path;
    this.#lines = lines;
  }

  /** Opens what is there; a last line that was cut in the middle is left out. */
  static async open(path: string): Promise<ResultFile> {
    await mkdir(dirname(path), { recursive: true });
    const text = (await read(path))?.toString('utf8') ?? '';
    const lines = text.split('\n').flatMap((line) => parsed(line));
    return new ResultFile(path, lines);
  }

  get lines(): readonly ResultLine[] {
    return this.#lines;
  }

  isComplete(run: string): boolean {
    return this.#lines.some((line) => line.run === run && line.kind === 'end');
  }

  /**
   * Where a run goes on: its saved state and the rounds that led to it. What was written after the
   * state was saved is taken back.
   */
  async resume(
    run: string,
    roundOf: (state: Uint8Array) => number,
  ): Promise<Uint8Array | undefined> {
    const file = await read(this.#statePath(run));
    // Node's Buffer shares its memory with others, and with its slices.
    const state = file && new Uint8Array(file);
    const round = state === undefined ? 0 : roundOf(state);
    const kept = this.#lines.filter((line) => {
      return line.run !== run || (line.kind === 'round' && line.round <= round);
    });
    const rounds = kept.filter((line) => line.run === run).length;
    // A state whose rounds are not all on record is of no use.
    const isWhole = rounds === round;
    this.#lines = isWhole ? kept : kept.filter((line) => line.run !== run);
    await replace(this.#path, this.#lines.map((line) => `${JSON.stringify(line)}\n`).join(''));
    return isWhole ? state : undefined;
  }

  /** A whole round: its line first, so that a state never stands for a round without one. */
  async addRound(line: RoundLine, state: Uint8Array): Promise<void> {
    await this.#append(line);
    await replace(this.#statePath(line.run), state);
  }

  async addEnd(line: EndLine): Promise<void> {
    await this.#append(line);
    await rm(this.#statePath(line.run), { force: true });
  }

  async #append(line: ResultLine): Promise<void> {
    this.#lines.push(line);
    await appendFile(this.#path, `${JSON.stringify(line)}\n`);
  }

  #statePath(run: string): string {
    return `${this.#path.replace(/\.jsonl$/, '')}.${run}.state`;
  }
}

/**
 * Undefined where there is no such file. Anything else that keeps it from being read is an error:
 * results that seem to be missing would be written over.
 */
async function read(path: string): Promise<Buffer | undefined> {
  try {
    return await readFile(path);
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
    throw error;
  }
}

/** All of it or nothing of it is there after a crash. */
async function replace(path: string, content: string | Uint8Array): Promise<void> {
  await writeFile(`${path}.new`, content);
  await rename(`${path}.new`, path);
}

function parsed(line: string): readonly ResultLine[] {
  if (line === '') return [];
  try {
    return [JSON.parse(line) as ResultLine];
  } catch {
    return [];
  }
}
