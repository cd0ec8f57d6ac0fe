/**
 * What a member may do beside following jobs and serving blobs. The order is that of the wire.
 * `light` trains but owns no chunk; a `relay` neither trains nor launches; an `admin` may do all,
 * and sign credentials for those who redeem an invite.
 */
export const ROLES = ['trainer', 'light', 'launcher', 'admin', 'relay'] as const;
export type Role = (typeof ROLES)[number];

export type Right = 'train' | 'train-light' | 'launch';

const RIGHTS: Readonly<Record<Role, readonly Right[]>> = {
  trainer: ['train', 'train-light'],
  light: ['train-light'],
  launcher: ['train', 'train-light', 'launch'],
  admin: ['train', 'train-light', 'launch'],
  relay: [],
};

export const hasRight = (role: Role, right: Right): boolean => RIGHTS[role].includes(right);
