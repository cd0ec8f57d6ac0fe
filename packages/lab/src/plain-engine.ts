import { permutation } from '@starling/autodiff';
import { ProtocolError } from '@starling/core';
import { decodeState } from '@starling/federation';
import { inlineCompute } from '@starling/node';
import type { ClientUpdate } from '@starling/rounds';
import { maskTo, packedBytes, sumInto } from '@starling/secagg';
import { unboundWords } from './attacks/unbound-words.ts';
import { craft } from './attacks/update-attacks.ts';
import { roundSeedOf } from './kept.ts';
import type { LabRun } from './lab-run.ts';
import { dealt } from './partitions/partition.ts';
import { drawnBytes, drawnSeed, generatorFor } from './random.ts';

/** What came of a round. */
export interface LabRound {
  /** The certified state's bytes, as `encodeState` has them. */
  readonly state: Uint8Array;
  /** Updates in the sums. */
  readonly survivors: number;
  /** Cells that were left out, since no honest peers can have made their sum. */
  readonly spoilt?: number;
  /** What a peer sends: of its update alone, without the protocol around it. */
  readonly bytesPerPeer: number;
}

interface Cell {
  readonly words: Uint32Array;
  survivors: number;
}

const NO_METRICS = { lossSum: 0, correct: 0, examples: 0 };

/**
 * One round exactly as peers do it, but for the masks, which cancel: every client trains, its
 * update is clipped and quantised by the job's own grid, each cell's words are added in the ring,
 * and the product's own kernel makes the next state of the sums.
 * @param round from 1
 * @throws ProtocolError `diverged` when no client's training ended in numbers
 */
export async function plainRound(run: LabRun, state: Uint8Array, round: number): Promise<LabRound> {
  const { codec, manifest } = run;
  const { model } = decodeState(state);
  const clients = participantsOf(run, round);
  const cells = dealt(clients, Math.min(run.settings.cells, clients.length));
  const crafted = await attackWords(run, model, round, clients);
  const sums: Cell[] = [];
  for (const members of cells) {
    let cell: Cell | undefined;
    for (const client of members) {
      const words = crafted.get(client) ?? (await honestWords(run, state, round, client));
      if (words === undefined) continue;
      cell ??= { words: new Uint32Array(words.length), survivors: 0 };
      sumInto(cell.words, words);
      maskTo(cell.words, codec.bits);
      cell.survivors += 1;
    }
    if (cell !== undefined) sums.push(cell);
  }
  const survivors = sums.reduce((sum, cell) => sum + cell.survivors, 0);
  if (survivors === 0) {
    throw new ProtocolError('diverged', `no client's training ended in numbers in round ${round}`);
  }
  const length = sums[0]!.words.length;
  const publicSeed = roundSeedOf(state);
  const input = { state: state.slice(), cells: sums, codec, publicSeed };
  const applied = await inlineCompute.run('apply', input);
  const bytesPerPeer = packedBytes(length, manifest.aggregation.ringBits);
  return { state: applied.state, survivors, bytesPerPeer, spoilt: applied.spoilt.length };
}

/** The round's clients in an order drawn by lot, those left out who would be too slow. */
function participantsOf({ settings, seed, participants }: LabRun, round: number): Int32Array {
  const generator = generatorFor('participants', seed, round);
  const drawn = permutation(settings.clients, generator).slice(0, participants);
  if (settings.stragglers?.partial !== 'drop') return drawn;
  return drawn.filter((_, place) => !isStraggler(settings.stragglers!.fraction, place, drawn));
}

/** The first of a drawn order are as good a draw as any. */
const isStraggler = (fraction: number, place: number, drawn: Int32Array): boolean =>
  place < Math.round(fraction * drawn.length);

/** One client's own training, as its trainer would do it. */
export async function trainClient(
  run: LabRun,
  model: Float32Array,
  round: number,
  client: number,
  control?: Float32Array,
): Promise<ClientUpdate> {
  const { pool, shares, seed, manifest } = run;
  const at = { round: round - 1, rounds: manifest.stop.rounds };
  const context = { ...at, ...(control && { control }) };
  const share = { indices: shares[client]!, ...slowness(run, round, client) };
  return pool.train(share, model, drawnSeed('training', seed, round, client), context);
}

/** A straggler manages 1 to all of the epochs, drawn anew in each round. */
function slowness(
  { settings, seed, participants }: LabRun,
  round: number,
  client: number,
): { readonly epochs?: number } {
  const { stragglers, training, clients } = settings;
  if (stragglers === undefined || stragglers.partial === 'drop') return {};
  const generator = generatorFor('participants', seed, round);
  const drawn = permutation(clients, generator).slice(0, participants);
  if (!isStraggler(stragglers.fraction, drawn.indexOf(client), drawn)) return {};
  return { epochs: 1 + generatorFor('straggler', seed, round, client).below(training.epochs) };
}

/** A client's words as the product makes them; undefined where its training diverged. */
async function honestWords(
  run: LabRun,
  state: Uint8Array,
  round: number,
  client: number,
): Promise<Uint32Array | undefined> {
  const { codec, pool, seed, kept } = run;
  const { model } = decodeState(state);
  const correction = kept.correction(state, client);
  try {
    const trained = await trainClient(run, model, round, client, correction);
    const { update, examples, localSteps } = trained;
    const { words, own, residual } = await inlineCompute.run('quantise', {
      ...{ update, trainable: pool.layout.parameters, effort: { examples, localSteps }, codec },
      ...{ metrics: NO_METRICS, seed: drawnBytes('rounding', seed, round, client) },
      ...{ publicSeed: roundSeedOf(state), residual: kept.residual(client) },
      ...(correction && { correction }),
    });
    kept.keep(client, { own, residual });
    return words;
  } catch (error) {
    // Such a peer never JOINs.
    if (error instanceof ProtocolError && error.code === 'not-finite') return undefined;
    throw error;
  }
}

/** What the attackers among the clients send, who see each other's honest updates first. */
async function attackWords(
  run: LabRun,
  model: Float32Array,
  round: number,
  clients: Int32Array,
): Promise<ReadonlyMap<number, Uint32Array>> {
  const { attackers, settings, seed, codec, pool } = run;
  const { attack } = settings;
  const colluders = [...clients].filter((client) => attackers.has(client));
  // Who attacks with data alone trains and sends like everybody.
  if (attack === undefined || attack.kind === 'label-flip') return new Map();
  const updates = new Map<number, ClientUpdate>();
  for (const client of colluders) {
    updates.set(client, await trainClient(run, model, round, client));
  }
  const { parameters } = pool.layout;
  const honest = [...updates.values()].map(({ update }) => update.subarray(0, parameters));
  const generator = generatorFor('attack', seed, round);
  const collusion = { honest, participants: clients.length, generator };
  return new Map(
    [...updates].map(([client, { update, examples, localSteps }]) => {
      const sent = update.slice();
      sent.set(craft(attack, update.subarray(0, parameters), collusion));
      const effort = { examples, localSteps };
      const rounding = drawnBytes('rounding', seed, round, client);
      return [client, unboundWords({ update: sent, parameters, effort, codec, seed: rounding })];
    }),
  );
}
