import { keystream, Secret } from '@starling/crypto';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  applyMean,
  correctionOf,
  decodeTail,
  dequantiseSum,
  encodeTail,
  FEDAVG,
  globalVariate,
  initialState,
  type JobCodec,
  type JobState,
  MEAN,
  nextOwnVariate,
  normalisationOf,
  quantise,
  type Scaffold,
  tailWords,
  updateCodec,
} from './index.ts';

const DIMENSION = 3;
const RATE = 0.05;
const REFERENCE = 8;
const METRICS = { lossSum: 0, correct: 0, examples: 0 };

/** f(x) = curvature / 2 · ‖x − centre‖², and how many steps its peer takes. */
interface Peer {
  readonly curvature: number;
  readonly centre: readonly number[];
  readonly localSteps: number;
}

const peerOf = (steps: fc.Arbitrary<number>): fc.Arbitrary<Peer> =>
  fc.record({
    curvature: fc.integer({ min: 1, max: 8 }).map((eighths) => eighths / 8),
    centre: fc.array(fc.integer({ min: -8, max: 8 }), {
      minLength: DIMENSION,
      maxLength: DIMENSION,
    }),
    localSteps: steps,
  });
const swarmOf = (steps: fc.Arbitrary<number>) =>
  fc.array(peerOf(steps), { minLength: 3, maxLength: 6 });

const codecOf = (participation: number): JobCodec & { readonly optimizer: Scaffold } => ({
  ...{ bits: 24, peersMax: 8, clippingNorm: 50, bufferRange: 1, combination: MEAN },
  referenceSteps: REFERENCE,
  optimizer: {
    ...{ kind: 'scaffold', learningRate: 1, localRate: RATE },
    ...{ localSteps: REFERENCE, participation },
  },
});

/** Δy of plain SGD whose every gradient has `control` added. */
function localUpdate(peer: Peer, start: ArrayLike<number>, control: ArrayLike<number>) {
  const y = Array.from(start);
  for (let step = 0; step < peer.localSteps; step++) {
    for (let i = 0; i < DIMENSION; i++) {
      y[i]! -= RATE * (peer.curvature * (y[i]! - peer.centre[i]!) + control[i]!);
    }
  }
  return y.map((value, i) => value - start[i]!);
}

interface Swarm {
  readonly state: JobState;
  readonly own: readonly (Float32Array | undefined)[];
}

/** A round through words and sums; `who` trains and survives. */
function round(swarm: Swarm, peers: readonly Peer[], who: readonly number[], codec: JobCodec) {
  const grid = updateCodec(codec);
  const own = [...swarm.own];
  const sum = new Uint32Array(DIMENSION + tailWords(codec));
  for (const i of who) {
    const peer = peers[i]!;
    const effort = { examples: 1, localSteps: peer.localSteps };
    const correction = correctionOf(swarm.state, own[i]);
    const update = localUpdate(peer, swarm.state.model, correction);
    const normalised = update.map((value) => value * normalisationOf(codec, effort));
    const uniform = keystream(new Secret(new Uint8Array(32).fill(i)), 0, 4 * DIMENSION);
    const words = [
      ...quantise(Float32Array.from(normalised), grid, uniform),
      ...encodeTail(codec, effort, METRICS),
    ];
    for (const [at, word] of words.entries()) sum[at]! += word;
    own[i] = nextOwnVariate(correction, Uint32Array.from(words), codec);
  }
  const { steps } = decodeTail(codec, sum.subarray(DIMENSION), who.length);
  const mean = dequantiseSum(sum.subarray(0, DIMENSION), who.length, grid);
  return { state: applyMean(swarm.state, mean, codec.optimizer, steps), own };
}

const begin = (peers: readonly Peer[], codec: JobCodec): Swarm => ({
  state: initialState(new Float32Array(DIMENSION), DIMENSION, codec.optimizer),
  own: peers.map(() => undefined),
});

/** Algorithm 1 with option II as the paper writes it: two vectors come from every peer. */
function paperRound(
  { x, c, own }: { x: number[]; c: number[]; own: number[][] },
  peers: readonly Peer[],
  who: readonly number[],
) {
  const next = own.map((each) => [...each]);
  const [deltaY, deltaC] = [new Array<number>(DIMENSION).fill(0), [] as number[]];
  for (const i of who) {
    const control = c.map((value, k) => value - own[i]![k]!);
    const moved = localUpdate(peers[i]!, x, control);
    const distance = peers[i]!.localSteps * RATE;
    for (const [k, value] of moved.entries()) {
      next[i]![k] = own[i]![k]! - c[k]! - value / distance;
      deltaY[k]! += value / who.length;
      deltaC[k] = (deltaC[k] ?? 0) + (next[i]![k]! - own[i]![k]!) / who.length;
    }
  }
  return {
    x: x.map((value, k) => value + deltaY[k]!),
    c: c.map((value, k) => value + (who.length / peers.length) * deltaC[k]!),
    own: next,
  };
}

/** A step of the grid, of an update and of the gradient that is read off it. */
const STEP = updateCodec(codecOf(1)).step;
const GRADIENT_STEP = STEP / (REFERENCE * RATE);

describe('SCAFFOLD from one vector', () => {
  test('is algorithm 1, option II, within the grid, whoever takes part', () => {
    const drawn = fc
      .tuple(fc.integer({ min: 1, max: 12 }), fc.nat(100))
      .chain(([steps, seed]) => fc.tuple(swarmOf(fc.constant(steps)), fc.constant(seed)));
    fc.assert(
      fc.property(drawn, ([peers, seed]) => {
        const who = (at: number) =>
          peers.flatMap((_, i) => ((seed + 3 * at + i) % 3 < 2 || i === at % 3 ? [i] : []));
        let paper = {
          ...{ x: new Array<number>(DIMENSION).fill(0), c: new Array<number>(DIMENSION).fill(0) },
          own: peers.map(() => new Array<number>(DIMENSION).fill(0)),
        };
        let ours = begin(peers, codecOf(1));
        for (let at = 0; at < 4; at++) {
          const codec = codecOf(who(at).length / peers.length);
          paper = paperRound(paper, peers, who(at));
          ours = round(ours, peers, who(at), codec);
          // What a round adds is carried on by those after it, and grows in none of them.
          const most = 40 * (at + 1);
          for (let k = 0; k < DIMENSION; k++) {
            expect(Math.abs(ours.state.model[k]! - paper.x[k]!)).toBeLessThan(most * STEP);
            const c = globalVariate(ours.state)[k]!;
            expect(Math.abs(c - paper.c[k]!)).toBeLessThan(most * GRADIENT_STEP);
          }
        }
      }),
      { seed: 5, numRuns: 60 },
    );
  });

  test('by hand: three rounds of two exact numbers', () => {
    // Rate, steps and centres are such that every number below is a sum of powers of two.
    const optimizer: Scaffold = {
      ...{ kind: 'scaffold', learningRate: 1, localRate: 0.25 },
      ...{ localSteps: 2, participation: 0.5 },
    };
    let state = initialState(Float32Array.of(1), 1, optimizer);
    state = applyMean(state, Float64Array.of(-0.5), optimizer);
    // c = 0 + ½ · (0 + 0.5 / (2 · ¼)).
    expect([state.model[0], state.moments[0]![0]]).toEqual([0.5, 0.5]);
    state = applyMean(state, Float64Array.of(0.25), optimizer, 3);
    // Three times the steps move the model as far as they say, and c no further.
    expect([state.model[0], state.moments[0]![0]]).toEqual([1.25, 0]);
    state = applyMean(state, Float64Array.of(-1), optimizer);
    expect([state.model[0], state.moments[0]![0]]).toEqual([0.25, 1]);
    expect(correctionOf(state, Float32Array.of(0.25))).toEqual(Float32Array.of(0.75));
    expect(correctionOf(state, undefined)).toEqual(Float32Array.of(1));
    expect(correctionOf(state, new Float32Array(2))).toEqual(Float32Array.of(1));
  });

  test('with everybody there, c stays the mean of all cᵢ: rounding is in both', () => {
    fc.assert(
      fc.property(swarmOf(fc.integer({ min: 1, max: 20 })), (peers) => {
        const codec = codecOf(1);
        let swarm = begin(peers, codec);
        for (let at = 0; at < 20; at++) {
          swarm = round(swarm, peers, [...peers.keys()], codec);
          const c = globalVariate(swarm.state);
          for (let k = 0; k < DIMENSION; k++) {
            const mean = swarm.own.reduce((sum, own) => sum + own![k]!, 0) / peers.length;
            expect(Math.abs(c[k]! - mean)).toBeLessThan(1e-4);
          }
        }
      }),
      { seed: 6, numRuns: 30 },
    );
  });

  test('comes to the optimum of all, where FedAvg stands still elsewhere', () => {
    const peers: readonly Peer[] = [
      { curvature: 1, centre: [8, 0, -8], localSteps: 20 },
      { curvature: 0.125, centre: [-8, 4, 8], localSteps: 20 },
      { curvature: 0.5, centre: [0, -8, 8], localSteps: 20 },
    ];
    const whole = peers.reduce((sum, { curvature }) => sum + curvature, 0);
    const best = [0, 1, 2].map(
      (k) => peers.reduce((sum, p) => sum + p.curvature * p.centre[k]!, 0) / whole,
    );
    const codec = codecOf(1);
    let swarm = begin(peers, codec);
    let averaged = initialState(new Float32Array(DIMENSION), DIMENSION, FEDAVG);
    for (let at = 0; at < 60; at++) {
      swarm = round(swarm, peers, [0, 1, 2], codec);
      const updates = peers.map((peer) => localUpdate(peer, averaged.model, [0, 0, 0]));
      const mean = Float64Array.from([0, 1, 2], (k) => {
        return updates.reduce((sum, update) => sum + update[k]!, 0) / peers.length;
      });
      averaged = applyMean(averaged, mean);
    }
    const distance = (model: Float32Array) => Math.hypot(...best.map((b, k) => b - model[k]!));
    expect(distance(averaged.model)).toBeGreaterThan(0.5);
    expect(distance(swarm.state.model)).toBeLessThan(0.01);
  });

  test('a state without a control variate is refused', () => {
    const state = initialState(new Float32Array(2), 2, FEDAVG);
    expect(() => globalVariate(state)).toThrow('0 moments in a state of scaffold');
    expect(() => applyMean(state, new Float64Array(2), codecOf(1).optimizer)).toThrow('moments');
  });
});
