import { spawnSync } from 'node:child_process';
import { missingPrograms } from '../helpers/debian.ts';

/** A host of a test network: its namespace, and the address at which its own network has it. */
export interface Host {
  readonly namespace: string;
  readonly address: string;
}

let networks = 0;

/** Installs what is missing if it can; otherwise says why there can be no namespaces. */
export function missingNamespaces(): string | undefined {
  if (process.platform !== 'linux') return 'network namespaces are of Linux';
  if (process.getuid?.() !== 0) return 'only root can make network namespaces';
  const missing = missingPrograms(['ip', 'nft'], ['iproute2', 'nftables']);
  if (missing !== undefined) return missing;
  const probe = `st${process.pid}-probe`;
  const made = spawnSync('ip', ['netns', 'add', probe], { encoding: 'utf8' });
  if (made.status !== 0) return `ip netns add: ${made.stderr.trim()}`;
  const rule = spawnSync('ip', ['netns', 'exec', probe, 'nft', 'add', 'table', 'ip', 'nat']);
  spawnSync('ip', ['netns', 'delete', probe]);
  return rule.status === 0 ? undefined : 'this kernel has no nftables';
}

/**
 * Hosts behind routers that masquerade, and hosts that all can reach, on one made-up internet:
 *
 *     home 1 (10.1.0.2) ── router 1 ─┐
 *     home 2 (10.2.0.2) ── router 2 ─┼── internet, 5.5.5.0/24 ── host 5.5.5.100, …
 *
 * Its addresses count as public, so that what libp2p does for public addresses is tested. A router
 * knows no way to another home's private network, as in the real one.
 */
export class TestNetwork {
  readonly #prefix = `st${process.pid}x${networks++}`;
  readonly #names: string[] = [];
  readonly #internet: string;
  #hosts = 0;
  #homes = 0;

  constructor() {
    this.#internet = this.#namespace('net');
    this.#in(this.#internet, 'ip link add br0 type bridge');
    this.#in(this.#internet, 'ip link set br0 up');
  }

  /** A host that all can reach. */
  host(): Host {
    const number = 100 + this.#hosts++;
    const namespace = this.#namespace(`h${number}`);
    const address = `5.5.5.${number}`;
    this.#plug(namespace, address);
    return { namespace, address };
  }

  /** A host behind a router of its own, which nobody can dial. */
  home(): Host & { readonly router: string } {
    const number = ++this.#homes;
    const router = this.#namespace(`r${number}`);
    const namespace = this.#namespace(`n${number}`);
    this.#plug(router, `5.5.5.${number}`);
    const address = `10.${number}.0.2`;
    this.#in(namespace, `ip link add lan type veth peer name lan netns ${router}`);
    this.#in(router, `ip addr add 10.${number}.0.1/24 dev lan`);
    this.#in(router, 'ip link set lan up');
    this.#in(namespace, `ip addr add ${address}/24 dev lan`);
    this.#in(namespace, 'ip link set lan up');
    this.#in(namespace, `ip route add default via 10.${number}.0.1`);
    this.#in(router, 'sysctl -qw net.ipv4.ip_forward=1');
    const rules = `table ip nat {
      chain post { type nat hook postrouting priority 100; oifname "wan" masquerade; }
    }
    table ip guard {
      chain forward {
        type filter hook forward priority 0;
        iifname "wan" ct state new drop;
      }
    }`;
    run('ip', ['netns', 'exec', router, 'nft', '-f', '-'], rules);
    return { namespace, address, router };
  }

  /** Lets through, on a home's router, what comes from outside to a port. */
  forward({ router, address }: Host & { readonly router: string }, port: number): void {
    const rules = `table ip nat {
      chain pre {
        type nat hook prerouting priority -100;
        iifname "wan" tcp dport ${port} dnat to ${address};
      }
    }
    insert rule ip guard forward iifname "wan" tcp dport ${port} accept`;
    run('ip', ['netns', 'exec', router, 'nft', '-f', '-'], rules);
  }

  /** Cuts a host or a home off, or brings it back. */
  setLink(namespace: string, isUp: boolean): void {
    this.#in(namespace, `ip link set wan ${isUp ? 'up' : 'down'}`);
  }

  /** Limits what a host or a home's router sends, by a token bucket. */
  limit(namespace: string, bitsPerSecond: number): void {
    this.#in(
      namespace,
      `tc qdisc replace dev wan root tbf rate ${bitsPerSecond}bit burst 64kb latency 100ms`,
    );
  }

  close(): void {
    // What runs in them has been ended by whoever started it.
    for (const name of this.#names) spawnSync('ip', ['netns', 'delete', name]);
  }

  #namespace(name: string): string {
    const full = `${this.#prefix}-${name}`;
    run('ip', ['netns', 'add', full]);
    this.#names.push(full);
    this.#in(full, 'ip link set lo up');
    return full;
  }

  #plug(namespace: string, address: string): void {
    const port = `p${address.split('.').at(-1)}`;
    this.#in(namespace, `ip link add wan type veth peer name ${port} netns ${this.#internet}`);
    this.#in(this.#internet, `ip link set ${port} master br0 up`);
    this.#in(namespace, `ip addr add ${address}/24 dev wan`);
    this.#in(namespace, 'ip link set wan up');
  }

  #in(namespace: string, command: string): void {
    run('ip', ['netns', 'exec', namespace, ...command.split(' ')]);
  }
}

function run(program: string, args: readonly string[], input?: string): void {
  const { status, stderr } = spawnSync(program, args, {
    encoding: 'utf8',
    ...(input && { input }),
  });
  if (status !== 0) throw new Error(`${program} ${args.join(' ')}: ${stderr.trim()}`);
}
