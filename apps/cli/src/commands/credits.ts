import type { Credit } from '@starling/models';
import type { Command } from 'commander';
import { EXIT } from '../failures.ts';
import { readInput } from '../files.ts';
import { addCommand, type JsonOption } from '../options.ts';
import {
  bytesText,
  note,
  percent,
  plural,
  print,
  printJson,
  printTable,
  shortHash,
} from '../output.ts';
import { type Column, oneLine } from '../table.ts';

export function registerCredits(program: Command): void {
  addCommand(program, {
    usage: 'credits <proof...>',
    summary:
      'who gave updates to a job, and who served the others, from the proof beside its model',
    examples: ['credits model.onnx.proof', 'credits a.onnx.proof b.onnx.proof --json'],
  }).action(async (files: readonly string[], { json }: JsonOption) => {
    const { creditsOf } = await import('@starling/models');
    for (const file of files) {
      const found = creditsOf(await readInput('proof', file));
      if ('fault' in found) {
        if (json) printJson({ proof: file, error: found.fault });
        note(`${file}: ${found.fault}`);
        process.exitCode = EXIT.failure;
        continue;
      }
      if (json) {
        printJson({ proof: file, ...found });
        continue;
      }
      const { name, job, rounds, provisional, thanked, credits } = found;
      print(`${oneLine(name)} (${shortHash(job)}): ${plural(rounds, 'certified round')}`);
      if (provisional > 0) note(`${plural(provisional, 'round is', 'rounds are')} provisional`);
      printTable(COLUMNS, credits);
      if (thanked < rounds) note(`bytes are of ${thanked} of ${rounds} rounds, by peers’ thanks`);
    }
  });
}

const COLUMNS: readonly Column<Credit>[] = [
  { title: 'PEER', value: ({ peer }) => peer, flexible: true },
  { title: 'UPDATES', value: ({ updates }) => String(updates), align: 'right' },
  { title: 'SHARE', value: ({ share }) => percent(share), align: 'right' },
  { title: 'IN ROSTERS', value: ({ rosters }) => String(rosters), align: 'right' },
  { title: 'SIGNED', value: ({ signatures }) => String(signatures), align: 'right' },
  { title: 'SUMS', value: ({ sums }) => bytesText(sums), align: 'right' },
  { title: 'BLOBS', value: ({ blobs }) => bytesText(blobs), align: 'right' },
  { title: 'RELAYED', value: ({ relayed }) => bytesText(relayed), align: 'right' },
];
