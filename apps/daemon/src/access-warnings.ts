import type { Descriptor } from '@starling/protocol-membership';
import type { Config } from './config.ts';

export const OPEN_WARNING =
  'anyone may enter this swarm: one person with many keys (a Sybil) can fill a roster and see a ' +
  'lone victim’s update. Use a private swarm, policy.members or policy.vouching ' +
  'for data that matter';

const DEAF_WARNING =
  'policy.vouching lets in the voters alone: the network of a name knows no vouches. ' +
  'Make a swarm with `starling swarm create --public`, or join one';

/** What an owner should know about who may enter; nothing for a private swarm. */
export function accessWarnings(
  access: Descriptor['access'] | 'named',
  { members, vouching }: Config['policy'],
): readonly string[] {
  if (access === 'members') return [];
  const isVouched = vouching.voters.length > 0;
  if (access === 'named' && isVouched) return [DEAF_WARNING];
  return members.length === 0 && !isVouched ? [OPEN_WARNING] : [];
}
