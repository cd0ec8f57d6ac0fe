/** Writes docs/autodiff/operators.md: which operators gradients pass, and how that is checked. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { coverage } from './operators/operators.ts';
import { operatorsPage } from './operators/page.ts';

const root = process.cwd();
writeFileSync(join(root, 'docs/autodiff/operators.md'), operatorsPage(coverage(root)));
