import { basename, resolve } from 'node:path';
import type { Command } from 'commander';
import { EXIT } from '../failures.ts';
import { addCommand, type JsonOption } from '../options.ts';
import { coloured, note, print, printJson } from '../output.ts';
import { oneLine } from '../table.ts';

export function registerGradcheck(program: Command): void {
  addCommand(program, {
    usage: 'gradcheck <dir...>',
    summary: 'train recorded cases and compare losses, gradients and weights with the record',
    examples: ['gradcheck test/fixtures/autodiff/mlp test/fixtures/autodiff/lenet --json'],
  }).action(async (dirs: readonly string[], { json }: JsonOption) => {
    const { gradcheck } = await import('@starling/trainer');
    const width = Math.max(4, ...dirs.map((dir) => basename(resolve(dir)).length));
    if (!json) print(`${'CASE'.padEnd(width)}        LOSSES   GRADIENTS  PARAMETERS`);
    let failed = 0;
    for (const dir of dirs) {
      const [result] = await gradcheck([dir]);
      const { name, ok, maxRelativeError: worst, error } = result!;
      if (!ok) failed += 1;
      if (json) {
        printJson(result);
        continue;
      }
      const verdict = ok ? coloured('green', 'ok    ') : coloured('red', 'FAILED');
      const found =
        worst === null
          ? oneLine(error ?? '')
          : [worst.losses, worst.gradients, worst.parameters].map(errorText).join('  ');
      print(`${name.padEnd(width)}  ${verdict}  ${found}`);
    }
    if (failed === 0) return;
    note(`starling: ${failed} of ${dirs.length} cases failed`);
    process.exitCode = EXIT.failure;
  });
}

const errorText = (value: number): string => value.toExponential(2).padStart(10);
