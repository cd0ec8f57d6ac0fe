import type { ConfigInput } from '@starling/daemon';
import { stringify } from 'yaml';
import { type Answers, isInvite } from './answers.ts';

/** What the daemon itself holds, beside its trainer. */
const DAEMON_MIB = 256;
const UNITS: Readonly<Record<string, number>> = { MiB: 1, GiB: 1024 };

/** The answers as a configuration of the daemon. Of an invite nothing is kept: it is redeemed. */
export function configurationOf(answers: Answers): ConfigInput {
  const { swarm, cpuThreads, cpuShare, memory, upload, hours, pauseOnBattery, trust } = answers;
  return {
    ...(isInvite(swarm) ? {} : { network: swarm.trim() }),
    policy: { trust },
    resources: {
      memory,
      ...(upload !== null && { upload }),
      ...{ hours, pauseOnBattery },
      trainer: { cpuThreads, cpuShare, memory: trainerMemory(memory) },
    },
  };
}

/** What remains of `memory` without the daemon itself; never less than a trainer needs. */
function trainerMemory(memory: string): string {
  const [, count, unit] = /^(\d+(?:\.\d+)?) ?([MG]iB)$/.exec(memory)!;
  const mebibytes = Number(count) * UNITS[unit!]!;
  return `${Math.max(DAEMON_MIB, Math.floor(mebibytes - DAEMON_MIB))} MiB`;
}

const HEADING = `# Written by \`starling init\`; \`starling up\` reads it from here.
# Every key: docs/reference/configuration.md
`;

/** Reasons for those keys that need one. */
const COMMENTS: Readonly<Record<string, string>> = {
  network: 'Name of the swarm; peers of different names never mix.',
  trust: 'Launchers whose jobs start without asking. Others wait for `starling jobs approve`.',
  memory: 'Of daemon and trainer together: above it there are no new rounds.',
  upload: 'At most, over all streams.',
  hours: 'Local times of new rounds; always when there are none.',
  cpuThreads: 'Threads of one training, and the part of the time in which it runs.',
};

/** The file's text. */
export function configurationText(configuration: ConfigInput): string {
  const commented = new Set<string>();
  const lines = stringify(configuration, { lineWidth: 0 })
    .trimEnd()
    .split('\n')
    .flatMap((line) => {
      const [, indent, key] = /^( *)(\w+):/.exec(line) ?? [];
      const comment = key === undefined || commented.has(key) ? undefined : COMMENTS[key];
      if (key !== undefined) commented.add(key);
      return comment === undefined ? [line] : [`${indent}# ${comment}`, line];
    });
  return `${HEADING}${lines.join('\n')}\n`;
}
