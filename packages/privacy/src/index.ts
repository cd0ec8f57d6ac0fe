export { type Clipped, clipToNorm } from './clipping.ts';
