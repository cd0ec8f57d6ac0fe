import { createInterface } from 'node:readline';
import { millis, type PeerId } from '@starling/core';
import { createSwarm, type SwarmOptions } from '@starling/swarm';
import { realParts } from '../parts.ts';
import { testOptions } from '../swarm-options.ts';

/**
 * A peer in a process of its own, perhaps in a network namespace: told what to do on standard
 * input, a JSON object a line, and answering each with one.
 */
interface Order {
  readonly do: 'status' | 'fetch';
  readonly from?: PeerId;
  readonly bytes?: number;
}

const given = JSON.parse(process.argv[2]!) as Partial<SwarmOptions> & { fill: number };
const { fill, ...options } = given;
const swarm = await createSwarm(
  testOptions({ ...options, seed: new Uint8Array(32).fill(fill) }),
  realParts,
);
const EMPTY = new Uint8Array(0);
swarm.handle('/test/bytes/1', async ({ header }) => ({
  header: EMPTY,
  body: new Uint8Array(new DataView(header.buffer, header.byteOffset).getUint32(0)),
}));

async function fetch(from: PeerId, bytes: number) {
  const header = new Uint8Array(4);
  new DataView(header.buffer).setUint32(0, bytes);
  const before = performance.now();
  const parcel = { header, body: EMPTY };
  const { body } = await swarm.request(from, '/test/bytes/1', parcel, {
    timeoutMs: millis(120_000),
  });
  return { bytes: body.length, ms: performance.now() - before };
}

const say = (value: unknown): void => void process.stdout.write(`${JSON.stringify(value)}\n`);
for await (const line of createInterface(process.stdin)) {
  const { do: what, from, bytes } = JSON.parse(line) as Order;
  try {
    say(
      what === 'status'
        ? { ...swarm.status(), addresses: swarm.addresses() }
        : await fetch(from!, bytes!),
    );
  } catch (error) {
    say({ error: String(error) });
  }
}
process.exit(0);
