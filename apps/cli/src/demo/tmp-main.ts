import { Command } from 'commander';
import { registerDemo } from './index.ts';

const p = new Command();
registerDemo(p);
await p.parseAsync();
