import type { Command } from 'commander';
import { writeOutput } from '../files.ts';
import { addCommand, type JsonOption, wholeNumber } from '../options.ts';
import { print, printFacts, printJson } from '../output.ts';

interface ExportOptions extends JsonOption {
  readonly output: string;
  readonly seed: number;
}

export function registerExport(model: Command): void {
  addCommand(model, {
    usage: 'export <model>',
    summary: 'write a pulled model as plain ONNX for use: dropouts off, fixed batch statistics',
    examples: ['model export model.onnx -o for-use.onnx', 'model export zoo:cnn -o cnn.onnx'],
  })
    .requiredOption('-o, --output <file>', 'the ONNX file to write, or s3://bucket/name')
    .option('--seed <n>', 'draws the weights of a model of the zoo', wholeNumber(0), 1)
    .action(async (source: string, { output, seed, json }: ExportOptions) => {
      const { readModelSource } = await import('../model-source.ts');
      const { inferenceModel, readModel } = await import('@starling/onnx');
      const bytes = inferenceModel(await readModelSource(source, seed));
      const { inputs, outputs } = readModel(bytes).graph;
      await writeOutput(output, bytes);
      if (json) return printJson({ output, bytes: bytes.length, inputs, outputs });
      print(`${output}: ${bytes.length} bytes`);
      const described = (values: typeof inputs) =>
        values
          .map(({ name, dtype, shape }) => `${name}: ${dtype} [${shape.join(', ')}]`)
          .join('; ');
      printFacts([
        ['inputs', described(inputs)],
        ['outputs', described(outputs)],
      ]);
    });
}
