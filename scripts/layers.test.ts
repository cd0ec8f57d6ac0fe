import { describe, expect, test } from 'vitest';
import { onTree } from './fixture-tree.ts';
import { checkLayers } from './layers.ts';

type Tree = Readonly<Record<string, string>>;

function manifest(folder: string, dependencies: readonly string[] = []): Tree {
  const [kind, name] = folder.split('/');
  const full = kind === 'protocols' ? `@starling/protocol-${name}` : `@starling/${name}`;
  const declared = Object.fromEntries(dependencies.map((dependency) => [dependency, '1.0.0']));
  return { [`${folder}/package.json`]: JSON.stringify({ name: full, dependencies: declared }) };
}

/** Faults of a tree in which `folder` declares `dependencies` and holds `text`. */
function faultsOf(
  folder: string,
  dependencies: readonly string[],
  text: string,
  others: Tree = {},
): string[] {
  const files = { ...others, ...manifest(folder, dependencies), [`${folder}/src/a.ts`]: text };
  return onTree(files, checkLayers);
}

const CORE = manifest('packages/core');

describe('who may import whom', () => {
  test('downward, declared imports are fine', () => {
    const text = "import { a } from '@starling/core';\nimport './b.ts';\n";
    expect(faultsOf('packages/crypto', ['@starling/core'], text, CORE)).toEqual([]);
  });

  test('upward and sideways imports are not, of types neither, nor dynamic ones', () => {
    const others = { ...CORE, ...manifest('packages/onnx'), ...manifest('protocols/secagg') };
    const dependencies = ['@starling/onnx', '@starling/protocol-secagg'];
    const text = [
      "import type { A } from '@starling/onnx';",
      "export { b } from '@starling/protocol-secagg';",
      "export const c = () => import('@starling/onnx');",
    ].join('\n');
    expect(faultsOf('packages/crypto', dependencies, text, others)).toEqual([
      'packages/crypto/src/a.ts:1 @starling/onnx (layer 2) is not below layer 2',
      'packages/crypto/src/a.ts:2 @starling/protocol-secagg (layer 3) is not below layer 2',
      'packages/crypto/src/a.ts:3 @starling/onnx (layer 2) is not below layer 2',
    ]);
  });

  test('tests may import anything', () => {
    const files = {
      ...manifest('packages/core'),
      'packages/core/src/a.test.ts': "import '@starling/node';\nimport 'libp2p';\nDate.now();\n",
    };
    expect(onTree(files, checkLayers)).toEqual([]);
  });

  test('what is not declared, not ours or outside the package is named', () => {
    const text = "import 'zod';\nimport '@starling/nowhere';\nimport '../../core/src/b.ts';\n";
    expect(faultsOf('packages/store', ['@starling/nowhere'], text)).toEqual([
      'packages/store/src/a.ts:1 zod is not a dependency in package.json',
      'packages/store/src/a.ts:2 @starling/nowhere is no package of this repository',
      'packages/store/src/a.ts:3 ../../core/src/b.ts leaves the package',
    ]);
  });

  test('libp2p belongs to swarm, onnxruntime-node to trainer', () => {
    const text = "import 'libp2p';\nimport '@chainsafe/libp2p-noise';\nimport '@libp2p/tcp';\n";
    const libraries = ['libp2p', '@chainsafe/libp2p-noise', '@libp2p/tcp'];
    expect(faultsOf('packages/swarm', libraries, text)).toEqual([]);
    expect(faultsOf('apps/daemon', libraries, text)).toHaveLength(3);
    const ort = "import 'onnxruntime-node';\n";
    expect(faultsOf('packages/trainer', ['onnxruntime-node'], ort)).toEqual([]);
    expect(faultsOf('packages/sim', ['onnxruntime-node'], ort)).toHaveLength(1);
  });

  test('node knows ports only, and of the apps only cli imports sim', () => {
    const others = { ...manifest('packages/store'), ...manifest('packages/sim') };
    const store = "import '@starling/store';\n";
    const sim = "import '@starling/sim';\n";
    expect(faultsOf('packages/node', ['@starling/store'], store, others)).toHaveLength(1);
    expect(faultsOf('apps/daemon', ['@starling/store'], store, others)).toEqual([]);
    expect(faultsOf('apps/daemon', ['@starling/sim'], sim, others)).toHaveLength(1);
    expect(faultsOf('apps/cli', ['@starling/sim'], sim, others)).toEqual([]);
  });

  test('a package must be in the table and carry its own name', () => {
    const strange = manifest('packages/strange');
    expect(onTree(strange, checkLayers)).toEqual([
      'packages/strange:1 is not in the table of layers',
    ]);
    const renamed = { 'packages/core/package.json': '{"name": "core"}' };
    expect(onTree(renamed, checkLayers)).toEqual([
      'packages/core/package.json:1 is named core, not @starling/core',
    ]);
    expect(onTree({ 'packages/core/README.md': '' }, checkLayers)).toHaveLength(1);
  });
});

describe('purity', () => {
  const IMPURE = [
    'Date.now();',
    'performance.now();',
    'Math.random();',
    'setTimeout(f, 1);',
    'setImmediate(f);',
    'process.exit(1);',
    "fetch('x');",
    'console.log(1);',
    'crypto.getRandomValues(a);',
    'randomBytes(3);',
  ];

  test.each(IMPURE)('%s', (statement) => {
    const pure = faultsOf('packages/rounds', [], `const a = 1;\n${statement}\n`);
    expect(pure).toHaveLength(1);
    expect(pure[0]).toMatch(/^packages\/rounds\/src\/a\.ts:2 /);
    expect(faultsOf('packages/store', [], statement)).toEqual([]);
  });

  test('comments, strings and longer names do not count', () => {
    const text = [
      '// Date.now() would differ',
      '/** never setTimeout */',
      "const a = 'process.exit';",
      `const b = \`console.log \${1 /* fetch( */} Math.random\`;`,
      'prefetch(this.process.x, preprocess.y);',
      'const c = /console\\.log/;',
    ].join('\n');
    expect(faultsOf('packages/core', [], text)).toEqual([]);
    const inTemplate = `const b = \`\${Math.random()}\`;`;
    expect(faultsOf('packages/core', [], inTemplate)).toHaveLength(1);
  });

  test('node: imports are for crypto’s node:crypto only', () => {
    const both = "import { sign } from 'node:crypto';\nimport 'node:fs';\nimport 'fs';\n";
    expect(faultsOf('packages/crypto', [], both)).toEqual([
      'packages/crypto/src/a.ts:2 node:fs in a pure package',
      'packages/crypto/src/a.ts:3 fs is to be written node:fs',
    ]);
    expect(faultsOf('protocols/blobs', [], both)).toHaveLength(3);
    expect(faultsOf('packages/node', [], both)).toHaveLength(1);
  });
});
