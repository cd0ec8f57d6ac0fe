import {
  equalBytes,
  LIMITS,
  type Parcel,
  type PeerId,
  ProtocolError,
  type Transport,
  utf8,
} from '@starling/core';
import { sha256 } from '@starling/crypto';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { until } from '../helpers/until.ts';

export interface TransportsUnderTest {
  /** Three or more, all connected to each other. */
  readonly transports: readonly Transport[];
  /** The name of a peer that is not there. */
  readonly stranger: PeerId;
  /** Takes one of them away for good. */
  lose(transport: Transport): Promise<void>;
  close(): Promise<void>;
}

const text = (bytes: Uint8Array): string => new TextDecoder().decode(bytes);
const parcel = (header: string, body = ''): Parcel => ({ header: utf8(header), body: utf8(body) });
const OPTIONS = { timeoutMs: 10_000 };

/** What every `Transport` must do. Each test has a protocol or topic of its own. */
export function runTransportCompliance(
  name: string,
  open: () => Promise<TransportsUnderTest>,
): void {
  describe(`transport compliance: ${name}`, () => {
    let subject: TransportsUnderTest;
    let a: Transport;
    let b: Transport;
    let c: Transport;
    beforeAll(async () => {
      subject = await open();
      [a, b, c] = subject.transports as [Transport, Transport, Transport];
    }, 30_000);
    afterAll(() => subject.close());

    test('peers are the others, by distinct names', () => {
      expect(new Set([a.self, b.self, c.self]).size).toBe(3);
      expect(a.peers()).toContain(b.self);
      expect(a.peers()).toContain(c.self);
      expect(a.peers()).not.toContain(a.self);
    });

    test('an answer carries header and body, and the handler knows who asked', async () => {
      b.handle('/test/echo/1', async ({ header, body }, from) => ({
        header: utf8(`${from} ${text(header)}`),
        body,
      }));
      for (const length of [0, 1, 256 * 1024, 256 * 1024 + 1, 3_000_000]) {
        const body = new Uint8Array(length).map((_, i) => i * 7);
        const answer = await a.request(
          b.self,
          '/test/echo/1',
          { header: utf8('x'), body },
          OPTIONS,
        );
        expect(text(answer.header)).toBe(`${a.self} x`);
        expect(equalBytes(answer.body, body)).toBe(true);
      }
    });

    test('a rejected handler is a refusal with its reason; the next request works', async () => {
      b.handle('/test/moody/1', async ({ header }) => {
        if (text(header) === 'no') throw new ProtocolError('stale', 'round is over');
        return parcel('yes');
      });
      const refused = a.request(b.self, '/test/moody/1', parcel('no'), OPTIONS);
      await expect(refused).rejects.toMatchObject({ code: 'refused', message: 'round is over' });
      const answer = await a.request(b.self, '/test/moody/1', parcel('?'), OPTIONS);
      expect(text(answer.header)).toBe('yes');
    });

    test('no answer in time is a timeout', async () => {
      b.handle('/test/silent/1', () => new Promise(() => {}));
      const late = a.request(b.self, '/test/silent/1', parcel(''), { timeoutMs: 200 });
      await expect(late).rejects.toMatchObject({ code: 'timeout' });
    });

    test('a protocol or a peer that is not there rejects', async () => {
      const nobody = a.request(b.self, '/test/nobody/1', parcel(''), { timeoutMs: 2_000 });
      await expect(nobody).rejects.toBeInstanceOf(ProtocolError);
      const gone = a.request(subject.stranger, '/test/echo/1', parcel(''), { timeoutMs: 2_000 });
      await expect(gone).rejects.toBeInstanceOf(ProtocolError);
    });

    test('a header beyond the limit is not sent', async () => {
      const header = new Uint8Array(LIMITS.controlBytesMax + 1);
      const body = new Uint8Array(0);
      const large = a.request(b.self, '/test/echo/1', { header, body }, OPTIONS);
      await expect(large).rejects.toMatchObject({ code: 'too-large' });
    });

    test('more requests than any stream limit, one after the other and at once', async () => {
      c.handle('/test/double/1', async ({ header }) => parcel(String(2 * Number(text(header)))));
      const ask = async (i: number): Promise<string> =>
        text((await a.request(c.self, '/test/double/1', parcel(String(i)), OPTIONS)).header);
      for (let i = 0; i < 100; i++) expect(await ask(i)).toBe(String(2 * i));
      const numbers = Array.from({ length: 200 }, (_, i) => i);
      expect(await Promise.all(numbers.map(ask))).toEqual(numbers.map((i) => String(2 * i)));
    });

    test('gossip reaches every subscriber but the sender, with its author', async () => {
      const got: string[] = [];
      for (const peer of [a, b, c]) {
        const name = peer === a ? 'a' : peer === b ? 'b' : 'c';
        peer.subscribe('news', (message, from) => got.push(`${name} ${text(message)} ${from}`));
      }
      // Lossy until everybody knows of everybody's subscription, so each try is another message.
      let tries = 0;
      const wanted = (name: string): string => `${name} try ${tries} ${a.self}`;
      await until(async () => {
        await a.publish('news', utf8(`try ${++tries}`));
        return until(() => ['b', 'c'].every((name) => got.includes(wanted(name))), 500).catch(
          () => false,
        );
      });
      expect(got.filter((line) => line.startsWith('a '))).toEqual([]);
      expect(new Set(got).size).toBe(got.length);
    });

    test('a subscriber that throws harms no other; one that left hears nothing', async () => {
      const heard: string[] = [];
      b.subscribe('fragile', () => {
        throw new Error('subscriber fault');
      });
      const leave = b.subscribe('fragile', (message) => heard.push(`left ${text(message)}`));
      b.subscribe('fragile', (message) => heard.push(`stayed ${text(message)}`));
      leave();
      let tries = 0;
      await until(async () => {
        await a.publish('fragile', utf8(String(++tries)));
        return until(() => heard.length > 0, 500).catch(() => false);
      });
      expect(heard.every((line) => line.startsWith('stayed '))).toBe(true);
    });

    test('gossip beyond the limit is not sent', async () => {
      const large = a.publish('news', new Uint8Array(LIMITS.controlBytesMax + 1));
      await expect(large).rejects.toMatchObject({ code: 'too-large' });
      await a.publish('news', new Uint8Array(LIMITS.controlBytesMax));
    });

    test('providers of a key are found by others, nobody for a key that nobody has', async () => {
      const key = sha256(utf8('something'));
      await b.provide(key);
      const found = await until(async () => {
        const peers = await c.findProviders(key, { timeoutMs: 5_000 });
        return peers.length > 0 && peers;
      });
      expect(found).toEqual([b.self]);
      const none = await a.findProviders(sha256(utf8('nothing')), { timeoutMs: 2_000 });
      expect(none).toEqual([]);
    });

    // The last one: nobody finds c after it.
    test('a peer that goes is told of, is no peer any more, and answers nothing', async () => {
      const changes: [PeerId, boolean][] = [];
      const left: PeerId[] = [];
      const leave = a.onPeerChange((peer) => left.push(peer));
      a.onPeerChange((peer, connected) => changes.push([peer, connected]));
      leave();
      await subject.lose(c);
      await until(() => changes.length > 0);
      expect(changes[0]).toEqual([c.self, false]);
      expect(left).toEqual([]);
      expect(a.peers()).not.toContain(c.self);
      expect(a.peers()).toContain(b.self);
      const gone = a.request(c.self, '/test/double/1', parcel('1'), { timeoutMs: 2_000 });
      await expect(gone).rejects.toBeInstanceOf(ProtocolError);
    });
  });
}
