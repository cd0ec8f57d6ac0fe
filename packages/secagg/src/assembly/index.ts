export { type AssemblyStep, assemblyStep } from './assembly.ts';
export { type AssemblyState, createAssembly } from './state.ts';
export * from './types.ts';
