import type { Command } from 'commander';
import { readInput, writeOutput } from '../files.ts';
import { addCommand, type JsonOption, wholeNumber } from '../options.ts';
import { print, printJson } from '../output.ts';

interface AutodiffOptions extends JsonOption {
  readonly loss: string;
  readonly optimizer: string;
  readonly batch: number;
  readonly output: string;
}

export function registerAutodiff(program: Command): void {
  addCommand(program, {
    usage: 'autodiff <model>',
    summary: "write a model's training step (loss, gradients, new weights) as an ONNX file",
    examples: ['autodiff model.onnx --loss softmax-cross-entropy --optimizer sgd -o training.onnx'],
  })
    .requiredOption('--loss <name>', 'softmax-cross-entropy, mean-squared-error, …')
    .requiredOption('--optimizer <name>', 'sgd')
    .option('--batch <n>', 'examples of one step', wholeNumber(1, 65_536), 32)
    .requiredOption('-o, --output <file>', 'the ONNX file to write')
    .action(async (file: string, options: AutodiffOptions) => {
      const model = await readInput('model', file);
      const { writeTrainingGraph } = await import('@starling/trainer');
      const { readModel } = await import('@starling/onnx');
      const { loss, optimizer, batch, output } = options;
      const graph = writeTrainingGraph(model, { loss, optimizer, batchSize: batch });
      await writeOutput(output, graph);
      const { nodes, inputs, outputs } = readModel(graph).graph;
      const names = (values: readonly { name: string }[]) => values.map(({ name }) => name);
      const summary = { output, bytes: graph.length, nodes: nodes.length };
      if (options.json) {
        return printJson({ ...summary, inputs: names(inputs), outputs: names(outputs) });
      }
      print(`${output}: ${nodes.length} nodes, ${graph.length} bytes`);
      print(`inputs   ${names(inputs).join(', ')}`);
      print(`outputs  ${names(outputs).join(', ')}`);
    });
}
