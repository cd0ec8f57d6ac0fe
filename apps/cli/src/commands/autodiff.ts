import type { Command } from 'commander';
import { readInput, writeOutput } from '../files.ts';
import { addCommand, type JsonOption, wholeNumber } from '../options.ts';
import { note, print, printJson } from '../output.ts';

interface AutodiffOptions extends JsonOption {
  readonly loss: string;
  readonly optimizer: string;
  readonly batch: number;
  readonly freeze: readonly string[];
  readonly output: string;
}

export function registerAutodiff(program: Command): void {
  addCommand(program, {
    usage: 'autodiff <model>',
    summary: "write a model's training step (loss, gradients, new weights) as an ONNX file",
    examples: [
      'autodiff model.onnx --loss softmax-cross-entropy --optimizer sgd -o training.onnx',
      "autodiff model.onnx --loss huber --optimizer adamw --freeze 'encoder.*' -o training.onnx",
    ],
  })
    .requiredOption('--loss <name>', 'softmax-cross-entropy, mean-squared-error, …')
    .requiredOption('--optimizer <name>', 'sgd, momentum, nesterov, adam, adamw, rmsprop, adagrad')
    .option('--batch <n>', 'examples of one step', wholeNumber(1, 65_536), 32)
    .option('--freeze <patterns...>', 'weights to leave as they are, by name', [])
    .requiredOption('-o, --output <file>', 'the ONNX file to write')
    .action(async (file: string, options: AutodiffOptions) => {
      const model = await readInput('model', file);
      const { trainingWarnings, writeTrainingGraph } = await import('@starling/trainer');
      const { readModel } = await import('@starling/onnx');
      const { loss, optimizer, batch, freeze: frozen, output } = options;
      const graph = writeTrainingGraph(model, { loss, optimizer, batchSize: batch, frozen });
      await writeOutput(output, graph);
      const { nodes, inputs, outputs } = readModel(graph).graph;
      const names = (values: readonly { name: string }[]) => values.map(({ name }) => name);
      const warnings = trainingWarnings(model, { frozen, personal: [] });
      const summary = { output, bytes: graph.length, nodes: nodes.length, warnings };
      if (options.json) {
        return printJson({ ...summary, inputs: names(inputs), outputs: names(outputs) });
      }
      print(`${output}: ${nodes.length} nodes, ${graph.length} bytes`);
      print(`inputs   ${names(inputs).join(', ')}`);
      print(`outputs  ${names(outputs).join(', ')}`);
      for (const warning of warnings) note(warning);
    });
}
