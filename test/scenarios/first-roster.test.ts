import { NO_FAULTS, simulate } from '@starling/sim';
import { expect, test } from 'vitest';

const PEERS = 5;

test('without faults the first roster has everybody, the launcher too', async () => {
  for (let seed = 1; seed <= 25; seed++) {
    const options = { peers: PEERS, dim: 10, rounds: 1, dropout: 0, byzantine: 0, seed };
    const { rounds } = await simulate({ ...options, faults: NO_FAULTS });
    expect(rounds, `seed ${seed}`).toEqual([
      expect.objectContaining({ survivors: PEERS, attempts: 1 }),
    ]);
  }
});
