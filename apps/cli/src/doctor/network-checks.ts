import type { NetworkView } from '@starling/control';
import type { Config } from '@starling/daemon';
import { plural } from '../output.ts';
import { type Check, type Finding, fail, ok, skipped, warn } from './check.ts';
import type { DialFault, NetworkProbe } from './network-probe.ts';

const ADDRESS_HINT = 'Write it as /ip4/192.0.2.1/tcp/4001/p2p/12D3KooW…';
/** What to do about each reason for which an address leads nowhere. */
const NEXT: Readonly<Record<string, string>> = {
  malformed: ADDRESS_HINT,
  dns: 'Check how the name is spelt, and whether this machine can resolve others',
  refused: 'Check that a daemon runs there, and that it listens on this port',
  'timed-out': 'Check the address, and that no firewall on the way drops what goes to this port',
  'no-route': "Check the address, and this machine's own network",
  'wrong-peer': 'Ask for its present address: who is there now has another identity',
  'wrong-key': 'Join the swarm by an invite: `starling swarm join INVITE`',
  'other-network': 'Check `network` in the configuration, or join by an invite',
  'version-mismatch': 'Update the older of the two: both then speak the same version',
  'not-a-member': 'Ask an admin for a new invite, and use it with `starling swarm join`',
};
const LOG_HINT = "Look into the daemon's log, and into that of the peer there";
const NOT_RUNNING = 'no daemon runs on this state directory; `starling up` starts one';
/** What invites and credentials forgive. */
const SKEW_MAX_MS = 5 * 60_000;
const SKEW_NOTED_MS = 30_000;
const LISTED_MAX = 3;

export function listenCheck(probe: NetworkProbe, { listen, outgoingOnly }: Config): Check {
  return {
    id: 'listen',
    title: 'Listening',
    async run() {
      if (outgoingOnly) return [ok('nowhere, as outgoingOnly says')];
      const report = await probe.report();
      if (report !== undefined) {
        if (report.listening.length > 0) return [ok(`at ${report.listening.join(', ')}`)];
        return [fail('the daemon listens nowhere', 'Give it an address in `listen`')];
      }
      return Promise.all(listen.map(async (address) => listening(probe, address)));
    },
  };
}

async function listening(probe: NetworkProbe, address: string): Promise<Finding> {
  const code = await probe.listenFault(address);
  switch (code) {
    case undefined:
      return ok(`${address} is free`);
    case 'EADDRINUSE':
      return fail(
        `${address}: another program has this port (EADDRINUSE)`,
        'End that program, or choose another port in `listen`',
      );
    case 'EADDRNOTAVAIL':
      return fail(
        `${address}: this machine has no such address (EADDRNOTAVAIL)`,
        'Choose one that `ip address` shows, or /ip4/0.0.0.0 for all',
      );
    case 'EACCES':
      return fail(
        `${address}: this user may not have this port (EACCES)`,
        'Choose a port above 1023 in `listen`',
      );
    default:
      return fail(`${address}: ${code}`, ADDRESS_HINT);
  }
}

export function bootstrapCheck(probe: NetworkProbe, { mdns }: Config): Check {
  return {
    id: 'bootstrap',
    title: 'Way into the swarm',
    async run() {
      const report = await probe.report();
      const entries: readonly Entry[] = report?.bootstrap ?? (await probe.bootstrap());
      if (entries.length === 0) {
        const what = mdns ? 'by mDNS on this LAN' : 'by peers that come to this one';
        return [ok(`no bootstrap addresses: only ${what}`)];
      }
      const isIn = entries.some(({ fault }) => fault === undefined);
      return entries.map(({ address, fault }) => {
        if (fault === undefined) return ok(`${address} leads in`);
        // One way in is enough; the others ought to be mended in time.
        return (isIn ? warn : fail)(`${address}: ${said(fault)}`, NEXT[fault.code] ?? LOG_HINT);
      });
    },
  };
}

/** Sybils: that anybody may enter is a choice, and ought to be one that was made. */
export function accessCheck(probe: NetworkProbe): Check {
  return {
    id: 'access',
    title: 'Who may enter',
    async run() {
      const warnings = await probe.warnings();
      if (warnings.length === 0) return [ok('whom the swarm has invited, or the owner has listed')];
      return warnings.map((warning) => {
        const [evidence, next] = warning.split(/(?<=[^.])\. (?=[A-Z])/, 2) as [string, string?];
        return warn(evidence, next ?? 'See `starling swarm show`');
      });
    },
  };
}

interface Entry {
  readonly address: string;
  readonly fault?: DialFault | undefined;
}

const said = ({ code, detail }: DialFault): string =>
  detail.startsWith(code) ? detail : `${code}: ${detail}`;

/** A check of what only a daemon that runs can tell. */
function reported(
  probe: NetworkProbe,
  { id, title }: { readonly id: string; readonly title: string },
  find: (report: NetworkView) => readonly Finding[],
): Check {
  return {
    ...{ id, title },
    async run() {
      const report = await probe.report();
      return report === undefined ? [skipped(NOT_RUNNING)] : find(report);
    },
  };
}

export const peersCheck = (probe: NetworkProbe): Check =>
  reported(probe, { id: 'peers', title: 'Peers' }, (report) => {
    const { peers, unreachable, refusedBy, refused, outdated, bootstrap } = report;
    const { connected, relayed, known } = peers;
    const through = relayed === 0 ? '' : `, ${relayed} of them through a relay`;
    const what = `${plural(connected, 'peer')} connected${through}; ${known} known`;
    const next = 'Name an address of a member in `bootstrap`, or wait until others come up';
    // The first of a swarm is alone, too.
    const alone = bootstrap.length === 0 ? warn(what, next) : fail(what, next);
    const findings = [connected > 0 ? ok(what) : alone];
    for (const { peer, reason } of refusedBy.slice(0, LISTED_MAX)) {
      const refusal = `${peer} does not let this peer in: ${reason}`;
      findings.push(fail(refusal, NEXT['not-a-member']!));
    }
    for (const { peer, reason } of outdated.slice(0, LISTED_MAX)) {
      findings.push(warn(`${peer}: ${reason}`, NEXT['version-mismatch']!));
    }
    for (const { peer, failures, lastError } of unreachable.slice(0, LISTED_MAX)) {
      const reason = lastError.split('\n')[0]!;
      const tried = `${peer} could not be reached, ${plural(failures, 'time')} in a row: ${reason}`;
      findings.push(warn(tried, 'Nothing, if it is away; else look at its own doctor'));
    }
    const kept = Object.entries(refused).map(([reason, times]) => `${reason} ${times} times`);
    if (kept.length > 0) findings.push(ok(`kept out strangers: ${kept.join(', ')}`));
    return findings;
  });

export const natCheck = (probe: NetworkProbe): Check =>
  reported(probe, { id: 'nat', title: 'Reachability' }, (report) => {
    const { seenBy, reachability, listening, relay } = report;
    const observed = [...new Set(seenBy.flatMap(({ observed: seen }) => seen ?? []).map(hostOf))];
    if (observed.length === 0) return [skipped('no peer is connected that could tell')];
    const own = new Set(listening.map(hostOf));
    const isBehind = observed.every((host) => !own.has(host));
    const seen = `others see this peer at ${observed.join(', ')}`;
    const findings = [ok(isBehind ? `${seen}: it is behind a NAT` : `${seen}: there is no NAT`)];
    const faults = seenBy.flatMap(({ dialled }) =>
      dialled.flatMap(({ address, fault }) =>
        fault === undefined || fault.startsWith('not dialled') ? [] : [`${address}: ${fault}`],
      ),
    );
    if (reachability === 'public') findings.push(ok('others can dial it there'));
    else if (reachability === 'local') {
      findings.push(ok('peers of its own network can dial it; no other was there to try'));
    } else if (reachability === 'unreachable') {
      const tried = `others could not dial it${faults[0] === undefined ? '' : ` (${faults[0]})`}`;
      const relayed = relay.reservations.length > 0 ? ': it is reached through relays' : '';
      const next =
        'Forward its port on the router and open the firewall, or set `upnp: true`; ' +
        'through a relay it works, only slower';
      findings.push(warn(`${tried}${relayed}`, next));
    } else findings.push(skipped('nobody has tried to dial it yet'));
    return findings;
  });

const hostOf = (address: string): string => address.split('/')[2] ?? address;

export const skewCheck = (probe: NetworkProbe): Check =>
  reported(probe, { id: 'skew', title: 'Clock beside others' }, ({ seenBy, silent }) => {
    const skews = seenBy.map(({ skewMs }) => skewMs).sort((a, b) => a - b);
    if (skews.length === 0) {
      const [first] = silent;
      return [skipped(first === undefined ? 'no peer to ask' : `no answer: ${first.reason}`)];
    }
    // The middle one: of several peers one may be wrong itself.
    const skew = skews[Math.floor(skews.length / 2)]!;
    const side = skew > 0 ? 'behind' : 'ahead of';
    const what = `${seconds(skew)} ${side} ${plural(skews.length, 'peer')} asked`;
    const next = 'Set the clock, for instance by an NTP service: invites and credentials go by it';
    if (Math.abs(skew) > SKEW_MAX_MS) return [fail(what, next)];
    return [Math.abs(skew) > SKEW_NOTED_MS ? warn(what, next) : ok(what)];
  });

const seconds = (ms: number): string => `${(Math.abs(ms) / 1000).toFixed(1)} s`;

export const dhtCheck = (probe: NetworkProbe): Check =>
  reported(probe, { id: 'dht', title: 'DHT' }, ({ dht, peers }) => {
    if (peers.connected === 0) return [skipped('no peer is connected')];
    const { routingTable, answered } = dht;
    const what = `${plural(routingTable, 'peer')} in the table, ${answered} of them answered`;
    const next = 'Wait a minute after the start; if it stays so, look into the log';
    if (dht.routingTable === 0) return [fail(`${what}: it knows nobody to ask`, next)];
    return [dht.answered === 0 ? fail(`${what}: what others offer is not found`, next) : ok(what)];
  });

export const relayCheck = (probe: NetworkProbe): Check =>
  reported(probe, { id: 'relay', title: 'Relays' }, ({ relay, reachability, peers }) => {
    const findings: Finding[] = [];
    if (relay.offer !== undefined) {
      const { connections, maxConnections, reservations } = relay.offer;
      const load = `${connections} of at most ${maxConnections} connections`;
      const what = `relays ${load} for ${plural(reservations, 'peer')}`;
      const next = 'Forward its port, or set `relay.offer` to false: nobody can use it';
      findings.push(
        reachability === 'unreachable'
          ? fail(`${what}, and others cannot dial it`, next)
          : ok(what),
      );
    }
    const places = relay.reservations.length;
    if (places > 0) findings.push(ok(`reached through ${relay.reservations.join(', ')}`));
    else if (relay.isWanted && relay.lastError !== undefined) {
      const next = 'Ask its owner for more `relay.maxConnections`, or find another relay';
      findings.push(fail(`no relay has a place for it: ${relay.lastError}`, next));
    } else if (relay.isWanted && reachability === 'unreachable' && peers.connected > 0) {
      const next = 'Set `relay.offer: true` on a member that all can reach';
      findings.push(fail('others cannot dial it, and no peer here relays', next));
    } else if (findings.length === 0) findings.push(ok('none is needed'));
    return findings;
  });

export const gossipCheck = (probe: NetworkProbe): Check =>
  reported(probe, { id: 'gossip', title: 'Gossip' }, ({ topics, peers }) => {
    if (peers.connected === 0) return [skipped('no peer is connected')];
    if (topics.length === 0) return [ok('no topic is subscribed to')];
    return topics.map(({ topic, subscribers, mesh }) => {
      const what = `${topic}: ${plural(subscribers, 'subscriber')}, ${mesh} in the mesh`;
      const next = 'Wait some seconds; if it stays so, restart the daemon and keep its log';
      return subscribers > 0 && mesh === 0 ? fail(`${what}: nothing is heard`, next) : ok(what);
    });
  });
