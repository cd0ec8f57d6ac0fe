import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { decodeModel } from '../../packages/onnx/src/read.ts';
import { nodesOf } from '../../test/autodiff/file-nodes.ts';

/** Folders of models that PyTorch exported, with what it computed for them. */
const FOLDERS = ['layers', 'autodiff', 'training-cases', 'architectures'];

/** Number of exported models that hold each operator, and of all of them. */
export function exportedModels(root: string) {
  const counts = new Map<string, number>();
  let models = 0;
  for (const name of FOLDERS) {
    const folder = join(root, 'test/fixtures', name);
    const paths = readdirSync(folder, { recursive: true, encoding: 'utf8' });
    for (const path of paths.filter((each) => each.endsWith('.onnx'))) {
      models++;
      const { graph } = decodeModel(readFileSync(join(folder, path)));
      const ops = new Set(nodesOf(graph!).map(({ op }) => op));
      for (const op of ops) counts.set(op, (counts.get(op) ?? 0) + 1);
    }
  }
  return { models, counts };
}
