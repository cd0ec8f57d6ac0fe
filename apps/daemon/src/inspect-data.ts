import type { Inspect, InspectionView } from '@starling/control';
import {
  checkAugmentation,
  type Inspection,
  parseAugmentation,
  parseDataOptions,
  planDataset,
  schemaOf,
  usualTask,
} from '@starling/trainer';

/**
 * Looks at files, as `starling data add` does.
 * @throws ConfigError naming the word, and what it takes
 */
export async function inspectData(wanted: Inspect): Promise<InspectionView> {
  const { path, name, task: given, augment: how, ...words } = wanted;
  const augment = how === undefined ? null : parseAugmentation(how);
  const inspection = await planDataset(path, parseDataOptions(words));
  const { plan, notes, problems } = inspection;
  if (augment !== null) checkAugmentation(augment, plan);
  const task = given ?? usualTask(path, inspection);
  const offer = { name, path, plan, augment, schema: schemaOf(task, plan) };
  return {
    offer: problems.length > 0 ? null : offer,
    ...{ task, format: plan.format, examples: plan.count, bytes: plan.bytes },
    ...{ shape: [...plan.shape], histogram: [...plan.histogram], classes: classesOf(inspection) },
    columns: inspection.columns.map((column) => ({ ...column })),
    ...{ notes: [...notes], problems: [...problems] },
  };
}

const classesOf = ({ plan: { target } }: Inspection): string[] | null =>
  target.kind === 'classes' && target.names !== null ? [...target.names] : null;
