export { type Clipped, clipToNorm } from './clipping.ts';
export {
  type ByteStream,
  type DiscreteGaussian,
  discreteGaussian,
  SIGMA_MAX,
} from './discrete-gaussian.ts';
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
} from './rdp.ts';
export { type Rounding, roundedNorm } from './rounding.ts';
export { deltaOf, epsilonOf, gaussianRho, rhoOf } from './zcdp.ts';
