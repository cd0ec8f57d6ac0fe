import { join } from 'node:path';
import { errorMessage, ProtocolError, utf8 } from '@starling/core';
import { hashHex } from '@starling/crypto';
import { decodeState } from '@starling/federation';
import type { LabData } from './data/lab-data.ts';
import { loadData } from './data/load.ts';
import { keepsThings } from './kept.ts';
import { type LabRun, openRun } from './lab-run.ts';
import { type LabRound, plainRound } from './plain-engine.ts';
import { type EndLine, ResultFile, type ResultLine, type RoundLine } from './results.ts';
import type { Experiment, Group, Settings } from './schema.ts';
import { secureRun } from './secure-engine.ts';

export interface ExperimentOptions {
  readonly experiment: Experiment;
  /** Folder of the experiment's file: paths in it count from there. */
  readonly folder: string;
  /** Folder of the results. */
  readonly out: string;
  /** Seconds after which no further round begins; what is done is kept. */
  readonly seconds?: number | undefined;
  readonly threads?: number;
  /** The model's bytes; those of the zoo are drawn from the seed. */
  readonly readModel: (source: string, seed: number) => Promise<Uint8Array>;
  readonly onLine?: (line: ResultLine) => void;
}

export interface ExperimentResult {
  /** Of the runs that the file has now, in its order. */
  readonly lines: readonly ResultLine[];
  /** Whether the seconds ran out before all runs were complete. */
  readonly isCut: boolean;
}

/**
 * Runs every group with every seed, one after another. A run that is complete in the results is
 * skipped, one that was cut goes on after its last whole round with the same numbers as if it had
 * not been.
 * @throws ConfigError naming the key
 */
export async function runExperiment(options: ExperimentOptions): Promise<ExperimentResult> {
  const { experiment, out, seconds = Number.POSITIVE_INFINITY } = options;
  const results = await ResultFile.open(join(out, `${experiment.name}.jsonl`));
  const deadline = performance.now() + 1000 * seconds;
  const runs: string[] = [];
  let held: { readonly key: string; readonly data: LabData } | undefined;
  let isCut = false;
  for (const group of experiment.groups) {
    for (const seed of experiment.seeds) {
      const run = runName(group.settings, seed);
      runs.push(run);
      if (results.isComplete(run)) continue;
      if (performance.now() >= deadline) {
        isCut = true;
        continue;
      }
      const key = JSON.stringify(group.settings.data);
      if (held?.key !== key) {
        held = { key, data: await loadData(group.settings.data, options.folder) };
      }
      const work = new RunWork({ options, results, group, seed, run, deadline });
      if (!(await work.run(held.data))) isCut = true;
    }
  }
  return { lines: results.lines.filter(({ run }) => runs.includes(run)), isCut };
}

/** Names a run by all that decides it. */
export const runName = (settings: Settings, seed: number): string =>
  hashHex(utf8(JSON.stringify([canonical(settings), seed]))).slice(0, 12);

/** The same with keys in order, so that their order in a file decides nothing. */
function canonical(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(canonical);
  if (typeof value !== 'object' || value === null) return value;
  const entries = Object.entries(value).filter(([, each]) => each !== undefined);
  entries.sort(([a], [b]) => (a < b ? -1 : 1));
  return Object.fromEntries(entries.map(([key, each]) => [key, canonical(each)]));
}

interface WorkParts {
  readonly options: ExperimentOptions;
  readonly results: ResultFile;
  readonly group: Group;
  readonly seed: number;
  readonly run: string;
  readonly deadline: number;
}

/** One run from its last whole round to its end, or to the deadline. */
class RunWork {
  readonly #parts: WorkParts;

  constructor(parts: WorkParts) {
    this.#parts = parts;
  }

  /** @returns whether the run is complete */
  async run(data: LabData): Promise<boolean> {
    const { options, results, group, seed, run } = this.#parts;
    const { settings } = group;
    const isPlain = settings.engine === 'plain';
    // What clients keep, or a swarm's state, is more than a file holds: such a run begins again.
    const goesOn = isPlain && !keepsThings(settings.aggregation);
    const roundOf = (state: Uint8Array) => (goesOn ? decodeState(state).round : -1);
    const saved = await results.resume(run, roundOf);
    const model = await options.readModel(settings.model, seed);
    const { threads = 1 } = options;
    const open = await openRun({ settings, seed, data, model, threads });
    try {
      return isPlain
        ? await this.#plain(open, saved ?? open.initial)
        : await this.#secure(open, model);
    } finally {
      await open.close();
    }
  }

  async #plain(open: LabRun, from: Uint8Array): Promise<boolean> {
    const { deadline } = this.#parts;
    let state = from;
    for (let round = decodeState(state).round + 1; ; round++) {
      if (await this.#isOver(round - 1)) return true;
      if (performance.now() >= deadline) return false;
      const began = performance.now();
      try {
        const result = await plainRound(open, state, round);
        await this.#record(open, { ...result, round }, began);
        state = result.state;
      } catch (error) {
        return this.#failed(error, round);
      }
    }
  }

  async #secure(open: LabRun, model: Uint8Array): Promise<boolean> {
    let began = performance.now();
    let bytes = 0;
    let rounds = 0;
    try {
      await secureRun(open, model, {
        onState: async ({ round, state, survivors, bytesPerPeer }) => {
          const result = { round, state, survivors, bytesPerPeer: bytesPerPeer - bytes };
          await this.#record(open, result, began);
          [began, bytes, rounds] = [performance.now(), bytesPerPeer, round];
          const isLate = performance.now() >= this.#parts.deadline;
          return isLate || this.#ending(round) !== undefined ? 'stop' : undefined;
        },
      });
      return await this.#isOver(rounds);
    } catch (error) {
      return this.#failed(error, rounds + 1);
    }
  }

  /** A round's line, and the state to go on from. */
  async #record(open: LabRun, result: LabRound & { readonly round: number }, began: number) {
    const { results, options, group } = this.#parts;
    const { stop, testEvery } = group.settings;
    const { round, state, survivors, bytesPerPeer, spoilt = 0 } = result;
    const looks = round % testEvery === 0 || round === stop.rounds;
    const scores = looks ? await scoresOf(open, state) : { accuracy: null, loss: null };
    const line: RoundLine = {
      ...this.#named(),
      ...{ kind: 'round', round, ...scores, bytesPerPeer, survivors },
      ...(spoilt > 0 && { spoilt }),
      seconds: (performance.now() - began) / 1000,
    };
    await results.addRound(line, state);
    options.onLine?.(line);
  }

  /** A run that diverged is a result; what is wrong with the file or with us is not. */
  async #failed(error: unknown, round: number): Promise<true> {
    if (!(error instanceof ProtocolError)) throw error;
    await this.#end('failed', `failed in round ${round}: ${errorMessage(error)}`);
    return true;
  }

  async #isOver(rounds: number): Promise<boolean> {
    const ended = this.#ending(rounds);
    if (ended !== undefined) await this.#end(ended.end, ended.text);
    return ended !== undefined;
  }

  /** Whether the run is over after so many rounds, and how. */
  #ending(rounds: number): { readonly end: EndLine['end']; readonly text: string } | undefined {
    const { stop } = this.#parts.group.settings;
    const { accuracy, best, seconds } = this.#soFar();
    if (stop.target !== undefined && best !== null && best >= stop.target.accuracy) {
      return { end: 'reached', text: `reached: ${rounds}` };
    }
    const at = `${percentText(stop.target === undefined ? accuracy : best)} at round ${rounds}`;
    if (rounds >= stop.rounds) {
      return stop.target === undefined
        ? { end: 'rounds', text: at }
        : { end: 'capped', text: `capped: ${at}` };
    }
    if (stop.minutes !== undefined && seconds >= 60 * stop.minutes) {
      return { end: 'capped', text: `capped: ${at}` };
    }
    return undefined;
  }

  async #end(end: EndLine['end'], text: string): Promise<void> {
    const { results, options } = this.#parts;
    const line: EndLine = { ...this.#named(), kind: 'end', end, text, ...this.#soFar() };
    await results.addEnd(line);
    options.onLine?.(line);
  }

  #soFar() {
    const { results, run } = this.#parts;
    const rounds = results.lines.filter((line): line is RoundLine => {
      return line.run === run && line.kind === 'round';
    });
    const seen = rounds.filter(({ accuracy }) => accuracy !== null);
    const accuracies = seen.map(({ accuracy }) => accuracy!);
    const last = seen.at(-1);
    return {
      rounds: rounds.length,
      accuracy: last?.accuracy ?? null,
      best: accuracies.length > 0 ? Math.max(...accuracies) : null,
      ...(last?.backdoor !== undefined && { backdoor: last.backdoor }),
      seconds: rounds.reduce((sum, each) => sum + each.seconds, 0),
    };
  }

  #named() {
    const { run, group, seed } = this.#parts;
    return { run, experiment: group.settings.name, choices: group.choices, seed };
  }
}

async function scoresOf({ test, backdoor }: LabRun, state: Uint8Array) {
  const { model } = decodeState(state);
  const { correct, lossSum, examples } = await test.score(model);
  const opened = await backdoor?.score(model);
  return {
    accuracy: correct / examples,
    loss: lossSum / examples,
    ...(opened && { backdoor: opened.correct / opened.examples }),
  };
}

const percentText = (share: number | null): string =>
  share === null ? 'not tested' : `${(100 * share).toFixed(2)} %`;
