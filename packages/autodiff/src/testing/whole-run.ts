import { type Tensor, tensorOf } from '@starling/onnx';
import type { EpochGraph } from '../epoch-graph.ts';
import { EPOCH_INPUTS } from '../epoch-names.ts';
import { type EpochPlan, type StepRange, stepTables } from '../epoch-plan.ts';
import { type OptimizerSettings, optimizerSettings } from '../optimizers.ts';

interface WholeRun {
  readonly graph: EpochGraph;
  readonly plan: EpochPlan;
  readonly vector: Float32Array;
  /** Plain SGD unless told. */
  readonly optimizer?: OptimizerSettings;
}

/** What a training that is one run is fed with beside data, order and rates. */
export function wholeRun(run: WholeRun): Readonly<Record<string, Tensor>> {
  const { graph, plan, vector } = run;
  const range: StepRange = { from: 0, to: plan.steps };
  const optimizer = run.optimizer ?? optimizerSettings('sgd');
  const start = tensorOf('float32', [vector.length], vector);
  const { states } = graph;
  return {
    [EPOCH_INPUTS.vector]: start,
    [EPOCH_INPUTS.current]: start,
    ...(states > 0 && {
      [EPOCH_INPUTS.states]: tensorOf('float32', [states], new Float32Array(states)),
    }),
    ...stepTables(plan, optimizer, range),
  };
}
