import type { SigningKey } from '@starling/crypto';
import { type Envelope, sealEnvelope, signCancel } from '@starling/protocol-rounds';
import { describe, expect, test } from 'vitest';
import { certificateFault, isOver, secondsOf, signersOf } from './chain.ts';
import { drawOf } from './round-id.ts';
import { EnginePeer, GENESIS } from './testing/engine-peer.ts';
import { certificateAfter, hashNamed, testJob, testKeys } from './testing/fixtures.ts';

const keys = testKeys(6);
const job = testJob(keys[0]!, { rounds: 40 });
const swarm = (count: number, ofJob = job): readonly EnginePeer[] =>
  keys.slice(0, count).map((key) => new EnginePeer(ofJob, key).start());
const roster = keys.slice(0, 5);
const joinOf = (round: number, sender: SigningKey, parent = hashNamed('later')): Envelope =>
  sealEnvelope(
    { roundId: hashNamed(`round ${round}`) as never, attempt: 0, roster: null },
    {
      kind: 'join',
      round,
      restarts: 0,
      parent: parent as never,
      stateHash: hashNamed('later state'),
      hello: new Uint8Array(0),
      beacon: new Uint8Array(32),
      weight: 1,
    },
    sender,
  );

test('a JOIN of a later one makes the peer ask its sender for the chain, once', () => {
  const [peer] = swarm(1) as [EnginePeer];
  const join = joinOf(4, keys[1]!);
  peer.hear(join, join);
  expect(peer.of('fetch-chain')).toEqual([
    { kind: 'fetch-chain', to: keys[1]!.peerId, fromRound: 1 },
  ]);
  peer.hear(joinOf(4, keys[2]!));
  expect(peer.of('fetch-chain').map(({ to }) => to)).toEqual([keys[1]!.peerId, keys[2]!.peerId]);
});

test('rounds and parents made up without end make it ask no more than so often', () => {
  const [peer] = swarm(1) as [EnginePeer];
  for (let i = 0; i < 100; i++) {
    peer.hear(joinOf(4, keys[1]!, hashNamed(`made up ${i}`)));
    peer.take({ kind: 'head', from: keys[1]!.peerId, round: 5 + i, certificate: null });
  }
  expect(peer.of('fetch-chain')).toHaveLength(32);
  peer.hear(joinOf(4, keys[2]!));
  expect(peer.of('fetch-chain').at(-1)!.to).toBe(keys[2]!.peerId);
});

test('a better chain is taken over when its state is here, without stale training [R-23]', () => {
  const [peer] = swarm(1) as [EnginePeer];
  const certificate = certificateAfter([], { job, roster });
  const { stateHash } = certificate.statement;
  peer.take({ kind: 'chain', from: keys[1]!.peerId, certificates: [certificate] });
  const [fetch] = peer.of('fetch-state');
  expect(fetch!.stateHash).toBe(stateHash);
  expect(new Set(fetch!.from)).toEqual(new Set(keys.slice(1, 5).map(({ peerId }) => peerId)));
  expect(peer.state.chain).toHaveLength(0);

  peer.take({ kind: 'state-fetched', stateHash: hashNamed('not asked for') });
  expect(peer.state.chain).toHaveLength(0);
  peer.take({ kind: 'state-fetched', stateHash });
  expect(peer.state.chain).toEqual([certificate]);
  expect(peer.of('store-chain')).toEqual([
    { kind: 'store-chain', from: 0, certificates: [certificate] },
  ]);
  expect(peer.of('train').at(-1)).toEqual({ kind: 'train', stateHash, round: 2 });

  peer.train(GENESIS);
  expect(peer.phase).toBe('training');
  expect(peer.sent('join')).toEqual([]);
  peer.train(stateHash);
  expect(peer.sent('join')[0]!.body).toMatchObject({ round: 2, stateHash });
});

test('a state that nobody gives changes nothing; the next answer is a new chance', () => {
  const [peer] = swarm(1) as [EnginePeer];
  const certificates = [certificateAfter([], { job, roster })];
  const { stateHash } = certificates[0]!.statement;
  const from = keys[1]!.peerId;
  peer.take({ kind: 'chain', from, certificates });
  peer.take({ kind: 'state-missing', stateHash });
  peer.take({ kind: 'state-fetched', stateHash });
  expect(peer.state.chain).toEqual([]);
  peer.take({ kind: 'chain', from, certificates });
  peer.take({ kind: 'state-fetched', stateHash });
  expect(peer.state.chain).toEqual(certificates);
});

test('a chain with a certificate that does not hold is refused by the sender’s name [R-26]', () => {
  const [peer] = swarm(1) as [EnginePeer];
  const weak = certificateAfter([], { job, roster, signers: [0, 1, 2] });
  peer.take({ kind: 'chain', from: keys[1]!.peerId, certificates: [weak] });
  expect(peer.of('fetch-state')).toEqual([]);
  expect(peer.notices('refused')[0]).toMatchObject({ peer: keys[1]!.peerId });
});

test('answers that begin behind our end do not make us ask without end', () => {
  const [peer] = swarm(1) as [EnginePeer];
  const far = certificateAfter([], { job, roster, changes: { round: 9 } });
  const answer = { kind: 'chain', from: keys[1]!.peerId, certificates: [far] } as const;
  for (let i = 0; i < 20; i++) peer.take(answer);
  expect(peer.of('fetch-chain')).toHaveLength(1);
});

test('who JOINed rolls back to a better chain and starts anew', () => {
  const [peer] = swarm(1) as [EnginePeer];
  const adopt = (certificates: readonly ReturnType<typeof certificateAfter>[]) => {
    peer.take({ kind: 'chain', from: keys[1]!.peerId, certificates });
    const { stateHash } = certificates.at(-1)!.statement;
    peer.take({ kind: 'state-fetched', stateHash });
  };
  const short = certificateAfter([], { job, roster: roster.slice(0, 3), state: 'short' });
  adopt([short]);
  peer.train();
  expect(peer.phase).toBe('joining');
  const first = certificateAfter([], { job, roster });
  adopt([first, certificateAfter([first], { job, roster })]);
  expect(peer.notices('rolled-back')).toEqual([{ kind: 'rolled-back', toRound: 0 }]);
  expect(peer.state.chain).toHaveLength(2);
  expect(peer.phase).toBe('training');
  expect(peer.state.update).toBeUndefined();
  // Back to a worse one: never.
  adopt([short]);
  expect(peer.state.chain).toHaveLength(2);
});

test('a watcher never JOINs, but follows the chain to its end', () => {
  const short = testJob(keys[0]!, { rounds: 1 });
  const watcher = new EnginePeer(short, keys[5]!).start([], false);
  const others = swarm(4, short);
  for (const other of others) other.train();
  watcher.hear(...others.flatMap((other) => other.sent('join')));
  expect(watcher.phase).toBe('watching');
  const certificate = certificateAfter([], { job: short, roster });
  watcher.take({ kind: 'chain', from: keys[1]!.peerId, certificates: [certificate] });
  watcher.take({ kind: 'state-fetched', stateHash: certificate.statement.stateHash });
  expect(watcher.state.chain).toEqual([certificate]);
  expect(watcher.phase).toBe('finished');
  expect(watcher.of('train')).toEqual([]);
  expect(watcher.of('journal')).toEqual([]);
  expect(watcher.sent('join')).toEqual([]);
});

test('a fork deeper than the first look back is found by looking further back', () => {
  const grow = (rounds: number, branch: string) => {
    const chain: ReturnType<typeof certificateAfter>[] = [];
    for (let round = 1; round <= rounds; round++) {
      chain.push(certificateAfter(chain, { job, roster, state: `${branch} ${round}` }));
    }
    return chain;
  };
  const [mine, theirs] = [grow(20, 'a'), grow(22, 'b')];
  const peer = new EnginePeer(job, keys[0]!);
  peer.take({ kind: 'start', certificates: mine, joined: [], bans: [] });
  peer.take({ kind: 'prepared', vectorLength: 8, stateHash: GENESIS });
  const from = keys[1]!.peerId;
  peer.take({ kind: 'head', from, round: theirs.length, certificate: null });
  // The other side answers whatever it is asked for.
  for (let asked = 0; asked < peer.of('fetch-chain').length; asked++) {
    const { fromRound } = peer.of('fetch-chain')[asked]!;
    peer.take({ kind: 'chain', from, certificates: theirs.slice(fromRound - 1) });
  }
  expect(peer.of('fetch-chain').map(({ fromRound }) => fromRound)).toEqual([13, 1]);
  peer.take({ kind: 'state-fetched', stateHash: theirs.at(-1)!.statement.stateHash });
  expect(peer.state.chain).toEqual(theirs);
  expect(peer.notices('rolled-back')).toEqual([{ kind: 'rolled-back', toRound: 0 }]);
});

test('a timer of another round does nothing [R-27]', () => {
  const [peer] = swarm(1) as [EnginePeer];
  peer.train();
  const timers = peer.of('set-timer').map(({ timer }) => timer);
  expect(timers).toEqual(expect.arrayContaining(['1/pull', '1/window/0/0', '1/grace/0/0']));
  const certificate = certificateAfter([], { job, roster });
  peer.take({ kind: 'chain', from: keys[1]!.peerId, certificates: [certificate] });
  peer.take({ kind: 'state-fetched', stateHash: certificate.statement.stateHash });
  peer.train();
  for (const timer of [...timers, '3/pull', '3/window/0/0', 'pull', '']) {
    const before = peer.state;
    expect(peer.take({ kind: 'timer', timer })).toEqual([]);
    expect(peer.state).toEqual(before);
  }
});

test('junk in our copy of a certificate does not hide a good signature in theirs', () => {
  const [peer] = swarm(1) as [EnginePeer];
  const good = certificateAfter([], { job, roster });
  const spoilt = good.signatures.map((entry, i) =>
    i === 0 ? { ...entry, signature: new Uint8Array(64) } : entry,
  );
  const from = keys[1]!.peerId;
  const adopt = (certificates: readonly (typeof good)[]) => {
    peer.take({ kind: 'chain', from, certificates });
    const { stateHash } = certificates.at(-1)!.statement;
    peer.take({ kind: 'state-fetched', stateHash });
  };
  adopt([{ ...good, signatures: spoilt }]);
  expect(signersOf(peer.state.chain[0]!).size).toBe(good.signatures.length - 1);
  adopt([good, certificateAfter([good], { job, roster })]);
  expect(signersOf(peer.state.chain[0]!).size).toBe(good.signatures.length);
});

describe('the end of a job [R-38]', () => {
  const metrics = (correct: number, lossSum: number) => ({
    changes: { metrics: { lossSum, correct, examples: 10, seconds: 0 } },
  });
  test.each([
    ['accuracy', 0.8, metrics(7, 20), metrics(8, 20)],
    ['loss', 0.5, metrics(1, 6), metrics(1, 5)],
  ] as const)('comes with the target %s of %s', (metric, value, before, there) => {
    const target = testJob(keys[0]!, { rounds: 9, target: { metric, value } });
    const options = { job: target, roster };
    const first = certificateAfter([], { ...options, state: 'one', ...before });
    const second = certificateAfter([first], { ...options, state: 'two', ...there });
    const third = certificateAfter([first, second], { ...options, state: 'three', ...there });
    const phaseAfter = (certificates: readonly (typeof first)[]) => {
      const peer = new EnginePeer(target, keys[0]!);
      peer.take({ kind: 'start', certificates, joined: [], bans: [] });
      peer.take({ kind: 'prepared', vectorLength: 8, stateHash: GENESIS });
      return peer.phase;
    };
    expect(phaseAfter([first])).toBe('watching');
    expect(phaseAfter([first, second])).toBe('finished');
    const rules = { jobId: target.id, manifest: target.manifest };
    expect(certificateFault(third, [first, second], rules)).toBe('follows the end of the job');
  });
});

test('a timed job ends when its rounds took so long, each by the mean of its survivors', () => {
  const timed = testJob(keys[0]!, { rounds: 9, seconds: 60 });
  const took = (seconds: number) => ({
    changes: { metrics: { lossSum: 0, correct: 0, examples: 0, seconds } },
  });
  // Five survivors: 25 s, 30 s, then 5 s or a little less.
  const first = certificateAfter([], { job: timed, roster, state: 'one', ...took(125) });
  const second = certificateAfter([first], { job: timed, roster, state: 'two', ...took(150) });
  const before = [first, second];
  const last = (seconds: number) =>
    certificateAfter(before, { job: timed, roster, state: 'three', ...took(seconds) });
  expect(first.statement.roster).toHaveLength(5);
  expect(isOver(before, timed.manifest)).toBe(false);
  expect(isOver([...before, last(24)], timed.manifest)).toBe(false);
  expect(isOver([...before, last(25)], timed.manifest)).toBe(true);
  expect(secondsOf([...before, last(25)])).toBe(60);
});

describe('the launcher’s cancel', () => {
  test('is journalled and spread by it, and ends training for good', () => {
    const [peer] = swarm(1) as [EnginePeer];
    const signature = signCancel(job, keys[0]!);
    peer.take({ kind: 'cancel', signature, spread: true });
    expect(peer.phase).toBe('cancelled');
    expect(peer.of('journal').at(-1)!.key).toBe('cancelled');
    expect(peer.of('gossip').map(({ message }) => message)).toEqual([
      { kind: 'cancel', signature },
    ]);
    const again = new EnginePeer(job, keys[1]!);
    again.take({ kind: 'start', certificates: [], joined: [], bans: [], cancelled: signature });
    again.take({ kind: 'prepared', vectorLength: 8, stateHash: GENESIS });
    again.take({ kind: 'participate', on: true });
    expect(again.phase).toBe('cancelled');
    expect(again.of('train')).toEqual([]);
  });

  test('of anybody else, or for another job, ends nothing [R-39]', () => {
    const [peer] = swarm(1) as [EnginePeer];
    const other = testJob(keys[0]!, { rounds: 41 });
    for (const signature of [signCancel(job, keys[1]!), signCancel(other, keys[0]!)]) {
      peer.take({ kind: 'cancel', signature });
    }
    expect(peer.phase).toBe('training');
    expect(peer.of('journal').map(({ key }) => key)).not.toContain('cancelled');
  });
});

test('a part of the peers trains in a round, and more when no certificate comes', () => {
  const few = testJob(keys[0]!, { admission: { participation: 0.25 } });
  const peers = keys.map((key) => new EnginePeer(few, key).start());
  const training = () => peers.filter(({ phase }) => phase === 'training').length;
  const lots = peers.map((peer) => drawOf(peer.roundId(), peer.peer));
  expect(training()).toBe(lots.filter((lot) => lot < 0.25).length);
  for (const share of [0.5, 1]) {
    for (const peer of peers) if (peer.phase === 'watching') peer.fire('draw');
    expect(training()).toBe(lots.filter((lot) => lot < share).length);
  }
  // Another round draws others.
  expect(drawOf(peers[0]!.roundId(1), keys[0]!.peerId)).not.toBe(lots[0]);
});
