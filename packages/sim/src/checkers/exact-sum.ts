import type { PeerId } from '@starling/core';
import { slotKey } from '@starling/rounds';
import type { Checker } from './checker.ts';

/** Invariant 2: an opened sum is the plain sum, in the ring, of exactly the survivors' inputs. */
export function exactSum(bits: number): Checker & { readonly isExact: (round: number) => boolean } {
  const inputs = new Map<string, Uint32Array>();
  const opened = new Map<string, Uint32Array>();
  const wrong = new Set<number>();
  const checked = new Set<number>();
  const mask = bits === 32 ? 0xffffffff : 2 ** bits - 1;

  const plainSum = (place: string, survivors: readonly PeerId[]): Uint32Array | undefined => {
    let total: Uint32Array | undefined;
    for (const peer of survivors) {
      const input = inputs.get(`${place}/${peer}`);
      if (input === undefined) return undefined;
      total ??= new Uint32Array(input.length);
      for (let i = 0; i < input.length; i++) total[i] = (total[i]! + input[i]!) & mask;
    }
    return total?.map((word) => word >>> 0);
  };

  return {
    name: 'exact-sum',
    isExact: (round) => checked.has(round) && !wrong.has(round),
    observe(observation) {
      if (observation.kind === 'sent') return undefined;
      if (observation.kind !== 'notice') {
        const place = `${observation.round}/${slotKey(observation.slot)}/${observation.by}`;
        (observation.kind === 'input' ? inputs : opened).set(place, observation.words.slice());
        return undefined;
      }
      const { notice, by } = observation;
      if (notice.kind !== 'sum') return undefined;
      const place = `${notice.round}/${slotKey(notice.slot)}`;
      const expected = plainSum(place, notice.survivors);
      const got = opened.get(`${place}/${by}`);
      opened.delete(`${place}/${by}`);
      checked.add(notice.round);
      if (expected === undefined || got === undefined) {
        wrong.add(notice.round);
        return `${by} opened a sum over survivors whose inputs were never masked`;
      }
      if (got.every((word, i) => word === expected[i])) return undefined;
      wrong.add(notice.round);
      return `${by} opened a sum that is not the sum of its ${notice.survivors.length} survivors`;
    },
  };
}
