import type { PeerId } from '@starling/core';
import { slotKey } from '@starling/rounds';
import type { Checker } from './checker.ts';

/** Invariant 2: an opened sum is the plain sum, in the ring, of exactly the survivors' inputs. */
export function exactSum(bits: number): Checker & { readonly isExact: (round: number) => boolean } {
  const inputs = new Map<string, Uint32Array>();
  /** Place and contributors → their plain sum: a thousand peers open the same one. */
  const sums = new Map<string, Uint32Array | undefined>();
  /** `place/peer` → what it said it opened, until the words come. */
  const claimed = new Map<string, { cells: readonly (readonly PeerId[])[]; round: number }>();
  const wrong = new Set<number>();
  const checked = new Set<number>();
  const mask = bits === 32 ? 0xffffffff : 2 ** bits - 1;

  const cellSum = (place: string, survivors: readonly PeerId[]): Uint32Array | undefined => {
    let total: Uint32Array | undefined;
    for (const peer of survivors) {
      const input = inputs.get(`${place}/${peer}`);
      if (input === undefined) return undefined;
      total ??= new Uint32Array(input.length);
      for (let i = 0; i < input.length; i++) total[i] = (total[i]! + input[i]!) & mask;
    }
    return total?.map((word) => word >>> 0);
  };

  /** Each cell adds up in the ring, the cells together as whole numbers. */
  const plainSum = (place: string, cells: readonly (readonly PeerId[])[]) => {
    const key = `${place}/${cells.map((cell) => cell.join()).join(';')}`;
    if (sums.has(key)) return sums.get(key);
    const parts = cells.map((cell) => cellSum(place, cell));
    const whole = parts.every((part) => part !== undefined);
    const total = whole ? new Uint32Array(parts[0]?.length ?? 0) : undefined;
    for (const part of parts) {
      if (total !== undefined) for (let i = 0; i < total.length; i++) total[i]! += part![i]!;
    }
    sums.set(key, total);
    return total;
  };

  return {
    name: 'exact-sum',
    isExact: (round) => checked.has(round) && !wrong.has(round),
    observe(observation) {
      if (observation.kind === 'sent') return undefined;
      if (observation.kind === 'notice') {
        const { notice, by } = observation;
        if (notice.kind !== 'sum') return undefined;
        const { round, slot, cells } = notice;
        claimed.set(`${round}/${slotKey(slot)}/${by}`, { cells, round });
        return undefined;
      }
      const { by, round, slot, words } = observation;
      const place = `${round}/${slotKey(slot)}`;
      if (observation.kind === 'input') {
        inputs.set(`${place}/${by}`, words.slice());
        return undefined;
      }
      const claim = claimed.get(`${place}/${by}`);
      // Of a dishonest peer no notice is heard.
      if (claim === undefined) return undefined;
      claimed.delete(`${place}/${by}`);
      const expected = plainSum(place, claim.cells);
      checked.add(round);
      if (expected === undefined) {
        wrong.add(round);
        return `${by} opened a sum over survivors whose inputs were never masked`;
      }
      if (words.every((word, i) => word === expected[i])) return undefined;
      wrong.add(round);
      return `${by} opened a sum that is not the sum of its ${claim.cells.flat().length} survivors`;
    },
  };
}
