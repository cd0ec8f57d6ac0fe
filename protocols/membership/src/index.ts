/**
 * The wire protocol by which peers show that they belong to a swarm, come to belong to it, and
 * cease to. `spec.md` is the text, `vectors/` are its examples, good and bad.
 */
export { mergeSignatures, type SignatureOf, signatureOfCodec } from './common.ts';
export * from './credential.ts';
export * from './descriptor.ts';
export * from './invite.ts';
export * from './limits.ts';
export * from './messages.ts';
export * from './revocation.ts';
export * from './roles.ts';
export * from './verdict.ts';
export * from './version.ts';
export * from './vouch.ts';
