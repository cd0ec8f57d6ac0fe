import { spawnSync } from 'node:child_process';
import { type FileHandle, open, readdir, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { Generator } from '@starling/autodiff';
import type { Machine } from './machine.ts';

export const CHAOS_FAULTS = [
  'kill',
  'freeze',
  'full-disk',
  'clock',
  'torn-journal',
  'corrupt-blob',
  'partition',
] as const;
export type ChaosFault = (typeof CHAOS_FAULTS)[number];

export interface Scene {
  /** Whom faults may befall. */
  readonly machines: readonly Machine[];
  readonly generator: Generator;
  /** Between them, while a network is split: nobody else is. */
  readonly busy: Set<Machine>;
}

/** What was done, or undefined when nobody is left whom it can befall. */
export type Deed = { readonly to: readonly string[]; readonly done: Promise<void> };

const sleep = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms));
const DAY_SECONDS = 86_400;
const BALLAST = 'ballast';

/** Does one thing to somebody, and undoes it a few seconds later. */
export function inflict(fault: ChaosFault, scene: Scene): Deed | undefined {
  if (fault === 'partition') return split(scene);
  const able = scene.machines.filter((machine) => canSuffer(machine, fault, scene));
  const victim = able[scene.generator.below(Math.max(1, able.length))];
  if (victim === undefined) return undefined;
  return befall([victim], scene, ONE[fault](victim, scene.generator));
}

function canSuffer(machine: Machine, fault: ChaosFault, { busy }: Scene): boolean {
  if (!machine.isAlive || busy.has(machine)) return false;
  if (fault === 'full-disk') return machine.hasOwnDisk;
  return fault === 'clock' ? machine.hasClock : true;
}

function befall(victims: readonly Machine[], { busy }: Scene, done: Promise<void>): Deed {
  for (const victim of victims) busy.add(victim);
  const over = done.finally(() => {
    for (const victim of victims) busy.delete(victim);
  });
  return { to: victims.map(({ name }) => name), done: over };
}

type Infliction = (victim: Machine, generator: Generator) => Promise<void>;

const ONE: Readonly<Record<Exclude<ChaosFault, 'partition'>, Infliction>> = {
  kill: async (victim, generator) => {
    const awayMs = 3_000 + generator.below(12_000);
    await victim.end('SIGKILL');
    await sleep(awayMs);
    await victim.start();
  },
  freeze: async (victim, generator) => {
    const frozenMs = 3_000 + generator.below(20_000);
    victim.signal('SIGSTOP');
    await sleep(frozenMs);
    victim.signal('SIGCONT');
  },
  'full-disk': async (victim, generator) => {
    const fullMs = 8_000 + generator.below(12_000);
    const path = join(victim.state, BALLAST);
    await fill(path);
    await sleep(fullMs);
    await rm(path);
    // A daemon whose disk is full may give up; its owner makes room and starts it.
    await victim.start();
  },
  clock: async (victim, generator) => {
    victim.setClock(generator.below(4 * DAY_SECONDS) - 2 * DAY_SECONDS);
    await sleep(10_000);
  },
  'torn-journal': async (victim, generator) => {
    await victim.end('SIGKILL');
    await tear(join(victim.state, 'journal'), generator);
    await victim.start();
  },
  'corrupt-blob': async (victim, generator) => {
    await flipBlob(join(victim.state, 'blobs'), generator);
  },
};

/** Writes until there is no room. */
async function fill(path: string): Promise<void> {
  const file = await open(path, 'w');
  const block = new Uint8Array(64 * 1024);
  try {
    for (;;) await file.write(block);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error;
  } finally {
    await file.close();
  }
}

/** Half a record at the end of the newest log, as a power cut in a write leaves it. */
async function tear(journal: string, generator: Generator): Promise<void> {
  const logs = (await readdir(journal)).filter((name) => name.endsWith('.log')).sort();
  const newest = logs.at(-1);
  if (newest === undefined) throw new Error(`${journal} has no log`);
  const file = await open(join(journal, newest), 'a');
  const bytes = Uint8Array.from({ length: 1 + generator.below(200) }, () => generator.below(256));
  await file.write(bytes);
  await file.close();
}

/** One bit of one blob, under the feet of the daemon. */
async function flipBlob(blobs: string, generator: Generator): Promise<void> {
  const names = await readdir(blobs, { recursive: true });
  const held = names.filter((name) => /^[0-9a-f]{2}\/[0-9a-f]{64}$/.test(name)).sort();
  const name = held[generator.below(Math.max(1, held.length))];
  if (name === undefined) return;
  const path = join(blobs, name);
  const { size } = await stat(path);
  let file: FileHandle | undefined;
  try {
    file = await open(path, 'r+');
    const at = generator.below(size);
    const byte = new Uint8Array(1);
    await file.read(byte, 0, 1, at);
    byte[0]! ^= 1 << generator.below(8);
    await file.write(byte, 0, 1, at);
  } finally {
    await file?.close();
  }
}

/** Cuts all machines in two, dead ones too: hosts lose their network whoever runs on them. */
function split(scene: Scene): Deed | undefined {
  const { machines, generator } = scene;
  const few = Math.floor((machines.length - 1) / 3);
  if (few === 0 || machines.some((machine) => CUT.has(machine))) return undefined;
  const rest = [...machines];
  const away = Array.from({ length: few }, () => rest.splice(generator.below(rest.length), 1)[0]!);
  const cutMs = 8_000 + generator.below(15_000);
  const pairs = away.flatMap((a) => rest.flatMap((b) => [[a, b] as const, [b, a] as const]));
  const done = async () => {
    for (const machine of machines) CUT.add(machine);
    for (const [from, to] of pairs) route('add', from, to);
    await sleep(cutMs);
    for (const [from, to] of pairs) route('del', from, to);
    for (const machine of machines) CUT.delete(machine);
  };
  return { to: away.map(({ name }) => name), done: done() };
}
/** Whose network is split at the moment. */
const CUT = new WeakSet<Machine>();

function route(verb: 'add' | 'del', from: Machine, to: Machine): void {
  const args = ['netns', 'exec', from.host.namespace, 'ip', 'route', verb, 'blackhole'];
  const { status, stderr } = spawnSync('ip', [...args, `${to.host.address}/32`]);
  if (status !== 0) throw new Error(`ip route ${verb}: ${stderr}`);
}
