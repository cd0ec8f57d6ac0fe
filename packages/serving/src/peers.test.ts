import { decodeCanonical, encodeCanonical, type PeerId } from '@starling/core';
import { INFER_PROTOCOL, inferAnswer, inferRequest } from '@starling/protocol-infer';
import { describe, expect, test } from 'vitest';
import { MemoryNetwork } from '../../../test/helpers/memory-network.ts';
import { PeerModels, servePeers } from './peers.ts';
import { floats, numbersOf } from './testing/fake-engine.ts';
import { FakeSource, OPTIONS, servingOne } from './testing/serve.ts';

const SERVER = 'server' as PeerId;
const request = { inputs: [floats([[1, 2]])] };
const NO_BODY = new Uint8Array(0);

/** A peer that serves `m` to the swarm and `own` to nobody there. */
async function scene(quota: number | null = null) {
  const network = new MemoryNetwork();
  const { serving, engines } = await servingOne({ swarm: true, quota });
  await serving.add('own', new FakeSource('1'), OPTIONS).refresh();
  const transport = network.transport(SERVER);
  const refusal = (peer: PeerId) =>
    peer === 'stranger' ? 'not-a-member: unknown here' : undefined;
  servePeers(serving, { transport, membership: { refusal } });
  const models = (name: string) => new PeerModels(network.transport(name));
  /** What the peer answers to any header and body. */
  const raw = async (header: Uint8Array, body = NO_BODY) => {
    const options = { timeoutMs: 1000 };
    const asker = network.transport('ada');
    const answer = await asker.request(SERVER, INFER_PROTOCOL, { header, body }, options);
    return decodeCanonical(inferAnswer, answer.header, 65_536);
  };
  return { network, serving, engines, models, raw };
}

describe('a member', () => {
  test('sees what is served to the swarm, and asks it', async () => {
    const { models } = await scene();
    const ada = models('ada');
    expect(await ada.list(SERVER)).toEqual([
      {
        ...{ model: 'm', version: '1' },
        inputs: [{ name: 'x', dtype: 'float32', shape: [null, 2] }],
        outputs: ['y', 'z'].map((name) => ({ name, dtype: 'float32', shape: [null, 2] })),
      },
    ]);
    const { version, outputs } = await ada.infer(SERVER, 'm', { ...request, outputs: ['z'] });
    expect(version).toBe('1');
    expect(outputs.map(({ name }) => name)).toEqual(['z']);
    expect(numbersOf(outputs[0]!)).toEqual([2, 3]);
  });

  test('is told by name what is wrong', async () => {
    const { models } = await scene();
    const wrong = models('ada').infer(SERVER, 'm', { inputs: [floats([[1, 2, 3]])] });
    await expect(wrong).rejects.toMatchObject({
      ...{ kind: 'bad-request', message: expect.stringMatching(/"x" has the shape \[1, 3\]/) },
    });
    const old = models('ada').infer(SERVER, 'm', { ...request, version: '0' });
    await expect(old).rejects.toMatchObject({ kind: 'unknown-model' });
  });

  test('has a quota of its own [I-5]', async () => {
    const { models } = await scene(1);
    await models('ada').infer(SERVER, 'm', request);
    await expect(models('ada').infer(SERVER, 'm', request)).rejects.toMatchObject({
      ...{ kind: 'quota', retrySeconds: 60 },
    });
    await models('bob').infer(SERVER, 'm', request);
  });
});

test('a model may be for some members alone', async () => {
  const network = new MemoryNetwork();
  const { serving } = await servingOne({ swarm: true, quota: null });
  const mayAsk = (model: string, peer: PeerId) => model === 'm' && peer === 'ada';
  const membership = { refusal: () => undefined };
  servePeers(serving, { transport: network.transport(SERVER), membership, mayAsk });
  const ask = (name: string) => new PeerModels(network.transport(name)).infer(SERVER, 'm', request);
  expect((await ask('ada')).version).toBe('1');
  await expect(ask('bob')).rejects.toThrow('"m" is restricted, and you have shown no token here');
});

describe('nobody else', () => {
  test('is let in that the swarm does not let in [I-3]', async () => {
    const { models, engines } = await scene();
    const stranger = models('stranger');
    await expect(stranger.list(SERVER)).rejects.toThrow(/not-a-member/);
    await expect(stranger.infer(SERVER, 'm', request)).rejects.toThrow(/not-a-member/);
    expect(engines[0]!.runs).toEqual([]);
  });

  test('a model that is not for the swarm is not there [I-4]', async () => {
    const { models } = await scene();
    const words = async (model: string) =>
      models('ada')
        .infer(SERVER, model, request)
        .catch(({ message }: Error) => message.replace(model, '…'));
    expect(await words('own')).toBe(await words('nothing'));
  });
});

describe('what breaks the rules', () => {
  const infer = encodeCanonical(inferRequest, {
    ...{ kind: 'infer', model: 'm', version: null, outputs: null },
    inputs: [{ name: 'x', type: 'float32', shape: [1, 2] }],
  });

  test('a header that is none is refused [I-1]', async () => {
    const { raw } = await scene();
    for (const header of [NO_BODY, infer.subarray(1), new Uint8Array(70_000)]) {
      expect(await raw(header)).toMatchObject({ kind: 'refused', code: 'bad-request' });
    }
  });

  test('a body of another length than its tensors make is refused [I-2]', async () => {
    const { raw } = await scene();
    for (const length of [0, 7, 9]) {
      expect(await raw(infer, new Uint8Array(length))).toMatchObject({
        ...{ kind: 'refused', code: 'bad-request' },
        message: expect.stringMatching(new RegExp(`body of ${length} bytes`)),
      });
    }
    expect(await raw(infer, new Uint8Array(8))).toMatchObject({ kind: 'outputs' });
  });

  test('an answer that does not fit question or body is not taken [I-2]', async () => {
    const { network, models } = await scene();
    const rogue = network.transport('rogue');
    const answers = (header: Parameters<typeof encodeCanonical<never>>[1], body = NO_BODY) =>
      rogue.handle(INFER_PROTOCOL, async () => ({
        ...{ header: encodeCanonical(inferAnswer, header), body },
      }));
    const ask = () => models('ada').infer('rogue' as PeerId, 'm', request);
    answers({ kind: 'models', models: [] } as never);
    await expect(ask()).rejects.toMatchObject({ code: 'answer' });
    const outputs = [{ name: 'y', type: 'float32', shape: [4] }];
    answers({ kind: 'outputs', version: '1', outputs } as never, new Uint8Array(15));
    await expect(ask()).rejects.toMatchObject({ code: 'answer' });
    answers({ kind: 'outputs', version: '1', outputs } as never, new Uint8Array(16));
    expect((await ask()).outputs[0]!.bytes).toHaveLength(16);
  });
});
