import { median } from './interleave.ts';
import { type Benchmark, type BenchmarkLine, columnsOf } from './registry.ts';
import {
  TRAINED_MODELS,
  type TrainingEngine,
  type TrainingTask,
  trainingEngines,
} from './training-engines.ts';

interface Row {
  readonly engine: string;
  readonly model: string;
  readonly batch: number;
  readonly threads: number;
  readonly imagesPerSecond: number;
  /** Median over the turns of the rate over PyTorch's in the same turn; absent without PyTorch. */
  readonly ratioToTorch?: number;
}

interface Size {
  readonly batches: readonly number[];
  readonly threads: readonly number[];
  readonly seconds: number;
  readonly turns: number;
}
const FULL: Size = { batches: [10, 32, 128], threads: [1, 2], seconds: 2, turns: 3 };
const QUICK: Size = { batches: [32], threads: [1], seconds: 0.2, turns: 1 };

const TORCH = 'pytorch';

/** Rates of all engines at one size: in turns, so that load from outside hits all alike. */
async function measureSize(
  engines: readonly TrainingEngine[],
  task: Omit<TrainingTask, 'seconds'>,
  { seconds, turns }: Size,
): Promise<ReadonlyMap<string, readonly number[]>> {
  const rates = new Map<string, number[]>();
  for (let turn = 0; turn < turns; turn++) {
    for (const engine of turn % 2 === 0 ? engines : engines.toReversed()) {
      const rate = await engine.measure({ ...task, seconds });
      if (rate !== undefined) rates.set(engine.name, [...(rates.get(engine.name) ?? []), rate]);
    }
  }
  return rates;
}

function rowsOf(
  rates: ReadonlyMap<string, readonly number[]>,
  task: Pick<Row, 'model' | 'batch' | 'threads'>,
): readonly Row[] {
  const torch = rates.get(TORCH);
  return [...rates].map(([engine, values]) => {
    const ratios = torch && values.map((value, i) => value / torch[i]!);
    return {
      ...{ engine, ...task, imagesPerSecond: median(values) },
      ...(ratios && { ratioToTorch: median(ratios) }),
    };
  });
}

const lineOf = (row: Row): BenchmarkLine => [
  row.engine,
  row.model,
  String(row.batch),
  String(row.threads),
  row.imagesPerSecond.toFixed(0),
  row.ratioToTorch === undefined ? '–' : `×${row.ratioToTorch.toFixed(2)}`,
];

/** Local training beside PyTorch and TensorFlow.js on the same machine, in turns. */
export const training: Benchmark = {
  async run({ quick }) {
    const size = quick ? QUICK : FULL;
    const rows: Row[] = [];
    const notes = new Set<string>();
    for (const threads of size.threads) {
      const engines = await trainingEngines(threads, (note) => notes.add(note));
      try {
        for (const model of TRAINED_MODELS) {
          for (const batch of size.batches) {
            const rates = await measureSize(engines, { model, batch }, size);
            rows.push(...rowsOf(rates, { model, batch, threads }));
          }
        }
      } finally {
        for (const engine of engines) await engine.close();
      }
    }
    return {
      title: 'training on random images in memory: images per second, median of the turns',
      columns: columnsOf(['ENGINE', 'MODEL', 'BATCH', 'THREADS', 'IMAGES/S', 'TO PYTORCH']),
      lines: rows.map(lineOf),
      notes: [...notes],
      result: { rows, notes: [...notes] },
    };
  },
};
