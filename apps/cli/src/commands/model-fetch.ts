import type { FetchedModelView } from '@starling/control';
import { ConfigError } from '@starling/core';
import type { CardVerification } from '@starling/models';
import type { Command } from 'commander';
import { writeOutput } from '../files.ts';
import { addDaemonCommand, type DaemonOptions } from '../options.ts';
import { note, print, printJson, warn } from '../output.ts';
import { ProgressLine } from '../progress.ts';
import { cardVerificationJson, showCardVerification } from '../verification-view.ts';
import { cardBeside, proofBeside, SWARM_TEXT, swarmOf } from './model-verify.ts';

interface FetchOptions extends DaemonOptions {
  readonly output: string;
  readonly unverified?: true;
  readonly swarm?: string;
}

export function registerFetch(model: Command): void {
  addDaemonCommand(model, {
    usage: 'fetch <card>',
    summary: 'get a published model, verify it, and write it with OUT.proof and OUT.card',
    examples: [
      'model fetch digits -o digits.onnx',
      'model fetch 3f9a01 -o digits.onnx --swarm 91911bae84317a75…',
    ],
  })
    .requiredOption('-o, --output <file>', 'the ONNX file to write, or s3://bucket/name')
    .option('--unverified', 'write it whatever its card and proof are worth')
    .option('--swarm <id>', SWARM_TEXT)
    .action(async (card: string, options: FetchOptions) => {
      const { clientOf } = await import('../client.ts');
      const line = new ProgressLine(`fetching ${card}`);
      const fetched = await clientOf(options)
        .models.fetch(card, (done, total) => line.update(done, total))
        .finally(() => line.end());
      const verification = options.unverified ? undefined : await verify(fetched, options);
      await write(fetched, options.output);
      if (options.json) return printJson(toJson(fetched, options.output, verification));
      if (verification !== undefined) showCardVerification(options.output, verification);
      else warn('not verified, as you wished');
      print(`${options.output}: ${fetched.card.name}@${fetched.card.version}`);
      const { deprecated } = fetched.card;
      if (deprecated !== null) warn('its publisher says to use it no more: `starling model show`');
      note(`Check it again at any time with \`starling model verify ${options.output}\``);
    });
}

const bytesOf = (text: string): Uint8Array => Buffer.from(text, 'base64');

/** @throws ConfigError that names the link that does not hold; nothing is written then */
async function verify(fetched: FetchedModelView, { swarm }: FetchOptions) {
  const { verifyCard } = await import('@starling/models');
  const { signed, model, proof, parents } = fetched;
  const verification = verifyCard(
    {
      ...{ card: bytesOf(signed), model: bytesOf(model) },
      proof: proof === null ? undefined : bytesOf(proof),
      parents: parents.map((card) => ({ card: bytesOf(card) })),
    },
    { swarm: await swarmOf(swarm) },
  );
  if (verification.ok) return verification;
  const hint = 'Nothing was written; --unverified writes it all the same';
  throw new ConfigError('card', verification.fault ?? 'it does not hold', hint);
}

async function write({ signed, model, proof }: FetchedModelView, output: string): Promise<void> {
  await writeOutput(output, bytesOf(model));
  if (proof !== null) await writeOutput(proofBeside(output), bytesOf(proof));
  await writeOutput(cardBeside(output), bytesOf(signed));
}

const toJson = (
  { card, proof }: FetchedModelView,
  output: string,
  verification: CardVerification | undefined,
) => ({
  ...{ card, model: output, proof: proof === null ? null : proofBeside(output) },
  signed: cardBeside(output),
  /** Null when it was not to be verified. */
  verification: verification === undefined ? null : cardVerificationJson(verification),
});
