export { type Clipped, clipToNorm } from './clipping.ts';
export {
  type ByteStream,
  type DiscreteGaussian,
  discreteGaussian,
  SIGMA_MAX,
} from './discrete-gaussian.ts';
export {
  type ExampleCost,
  epsilonOfExamples,
  gaussianBytes,
  gaussianNoise,
  noiseForExamples,
  poissonSample,
} from './example-noise.ts';
export {
  composed,
  type DistributedGaussian,
  deltaOfRdp,
  distributedGaussianRdp,
  distributedGaussianRho,
  epsilonOfRdp,
  gaussianDelta,
  gaussianRdp,
  noiseFor,
  RDP_ORDERS,
  type RdpCurve,
  sampledGaussianRdp,
  sumDistance,
  WHOLE_ORDERS,
} from './rdp.ts';
export { type Rounding, roundedNorm } from './rounding.ts';
export { deltaOf, epsilonOf, gaussianRho, rhoOf } from './zcdp.ts';
