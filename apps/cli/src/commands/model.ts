import type { Command } from 'commander';
import { writeOutput } from '../files.ts';
import { addDaemonCommand, type DaemonOptions, wholeNumber } from '../options.ts';
import { note, print, printJson } from '../output.ts';
import { ProgressLine } from '../progress.ts';
import { registerAverage } from './model-average.ts';
import { registerDiff } from './model-diff.ts';
import { registerEval } from './model-eval.ts';
import { registerExport } from './model-export.ts';
import { registerFetch } from './model-fetch.ts';
import { registerFork } from './model-fork.ts';
import { registerOffers } from './model-offers.ts';
import { registerPublish } from './model-publish.ts';
import { registerSearch, registerShow } from './model-search.ts';
import { registerServe } from './model-serve.ts';
import { proofBeside, registerVerify } from './model-verify.ts';
import { registerDeprecate, registerVouchForModel } from './model-words.ts';

export function registerModel(program: Command): void {
  const model = program.command('model').description('models: of jobs, and published ones');
  registerPull(model);
  registerVerify(model);
  registerEval(model);
  registerExport(model);
  registerDiff(model);
  registerFork(model);
  registerAverage(model);
  registerPublish(model);
  registerSearch(model);
  registerShow(model);
  registerFetch(model);
  registerVouchForModel(model);
  registerDeprecate(model);
  registerOffers(model);
  registerServe(model);
}

interface PullCommand extends DaemonOptions {
  readonly output: string;
  readonly personal: boolean;
  readonly round?: number;
}

function registerPull(model: Command): void {
  addDaemonCommand(model, {
    usage: 'pull <job>',
    summary: 'write a global model, and beside it OUT.proof that tells where it is from',
    examples: [
      'model pull mnist-mlp -o model.onnx',
      'model pull mnist-mlp --round 5 -o round-5.onnx',
      'model pull mnist-mlp --personal -o mine.onnx',
      'model pull mnist-mlp -o s3://models/mnist.onnx',
    ],
  })
    .requiredOption('-o, --output <file>', 'the ONNX file to write, or s3://bucket/name')
    .option('--round <n>', 'after this round; 0 as launched (the newest)', wholeNumber(0))
    .option('--personal', "with this peer's own weights, where the job has personal ones", false)
    .action(async (job: string, options: PullCommand) => {
      const { clientOf } = await import('../client.ts');
      const { output, personal, round: wanted } = options;
      const line = new ProgressLine(`pulling ${job}`);
      const pulled = await clientOf(options)
        .pull(job, { personal, round: wanted }, (done, total) => line.update(done, total))
        .finally(() => line.end());
      const bytes = Buffer.from(pulled.model, 'base64');
      await writeOutput(output, bytes);
      await writeOutput(proofBeside(output), Buffer.from(pulled.proof, 'base64'));
      const { round } = pulled;
      if (options.json) {
        return printJson({ round, model: output, proof: proofBeside(output), bytes: bytes.length });
      }
      print(`${output}: ${bytes.length} bytes after round ${round}`);
      note(`Check it with \`starling model verify ${output}\``);
    });
}
