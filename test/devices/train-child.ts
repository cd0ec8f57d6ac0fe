// A process of its own: a WebGPU that failed once cannot be had again, and some faults abort.
import { trainBoth } from './train-both.ts';

const [text, profile] = process.argv.slice(2);
console.log(
  JSON.stringify(await trainBoth(JSON.parse(text!), { on: 'webgpu', profile: profile! })),
);
