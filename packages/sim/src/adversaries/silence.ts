import { BLOBS_PROTOCOL } from '@starling/protocol-blobs';
import { SYNC_PROTOCOL } from '@starling/protocol-rounds';
import { CHUNK_PROTOCOL, OPEN_PROTOCOL } from '@starling/protocol-secagg';
import { type Adversary, lying, messageIn, pause, rewriting } from './wire.ts';

/** Messages a mute peer still sends: its JOIN, and its share bundle. */
const MUTE_AFTER = 3;

export const muteAfterJoin: Adversary = ({ transport, onDeed }) => {
  let sent = 0;
  return {
    ...transport,
    publish: async (topic, message) => {
      sent += 1;
      if (sent <= MUTE_AFTER) await transport.publish(topic, message);
      else onDeed();
    },
  };
};

/** Takes chunks like any owner, and never says so. */
export const dropsChunks: Adversary = lying('receipt', () => undefined);

/** Commits to an input and never opens its masks. */
export const silentAtUnmask: Adversary = lying('unmask', () => undefined);

/** Opens its masks, and leaves the checks of the sums to the others. */
export const silentAfterUnmask: Adversary = (wire) => {
  const left = new Set<string>();
  return rewriting(wire, (envelope) => {
    const attempt = `${envelope.roundId}/${envelope.attempt}`;
    if (left.has(attempt)) return [];
    if (messageIn(envelope)?.kind === 'unmask') left.add(attempt);
    return [envelope];
  });
};

/** Beyond the last moment at which a contributor is waited for. */
const LATE_MS = 7_000;

export const lateChunks: Adversary = (wire) => ({
  ...wire.transport,
  request: async (to, protocol, parcel, options) => {
    if (protocol === CHUNK_PROTOCOL) {
      wire.onDeed();
      await pause(wire, LATE_MS);
    }
    return wire.transport.request(to, protocol, parcel, options);
  },
});

/** Within every timeout, and far too late. */
const LORIS_MS = 20_000;
const SLOW: readonly string[] = [BLOBS_PROTOCOL, CHUNK_PROTOCOL, OPEN_PROTOCOL, SYNC_PROTOCOL];

/** Answers everything in the end. */
export const slowLoris: Adversary = (wire) => ({
  ...wire.transport,
  handle: (protocol, answer) =>
    wire.transport.handle(protocol, async (parcel, from) => {
      if (SLOW.includes(protocol)) {
        wire.onDeed();
        await pause(wire, LORIS_MS);
      }
      return answer(parcel, from);
    }),
});
