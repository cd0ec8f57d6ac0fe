import type { Connection } from '@libp2p/interface';
import { assert } from '@starling/core';
import type { Admission } from './admission.ts';
import type { Gate } from './gate.ts';
import { peerOf } from './identity.ts';
import type { NodeGuard } from './libp2p-node.ts';
import type { CheckedOptions } from './options.ts';

/** The node's doors are made before the gate that keeps them, which needs the node. */
export function guardOf(
  { members }: CheckedOptions,
  admission: Admission,
  gate: () => Gate | undefined,
): NodeGuard {
  if (members === undefined) {
    const isBarred = (remote: Connection['remotePeer']): boolean => {
      const peer = peerOf(remote);
      return peer !== undefined && admission.refuses(peer, 'a connection') !== undefined;
    };
    return {
      gater: {
        denyDialPeer: isBarred,
        denyInboundEncryptedConnection: isBarred,
        denyOutboundEncryptedConnection: isBarred,
      },
    };
  }
  const later = (): Gate => {
    const made = gate();
    assert(made !== undefined, 'a connection before the start');
    return made;
  };
  return {
    gater: {
      denyDialPeer: (remote) => later().gater().denyDialPeer!(remote),
      denyInboundEncryptedConnection: (remote, connection) =>
        later().gater().denyInboundEncryptedConnection!(remote, connection),
      denyOutboundEncryptedConnection: (remote, connection) =>
        later().gater().denyOutboundEncryptedConnection!(remote, connection),
    },
    doors: {
      services: (connection) => later().passes(connection),
      identify: (connection) => later().passesIdentify(connection),
    },
    key: members.record.key ?? undefined,
  };
}
