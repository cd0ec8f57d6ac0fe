import { readFileSync } from 'node:fs';
import type { InviteView, MemberView, RevokedView, RoleName, SwarmView } from '@starling/control';
import { type Command, InvalidArgumentError } from 'commander';
import { addDaemonCommand, type DaemonOptions, duration, kOfN, oneOfWords } from '../options.ts';
import {
  coloured,
  note,
  plural,
  print,
  printFacts,
  printJson,
  printTable,
  warn,
} from '../output.ts';
import { type Column, oneLine } from '../table.ts';
import { registerVouch, registerVouches } from './swarm-vouch.ts';

export function registerSwarm(program: Command): void {
  const swarm = program
    .command('swarm')
    .description('who may enter a swarm, who may train and launch, and who may no more');
  registerShow(swarm);
  registerCreate(swarm);
  registerInvite(swarm);
  registerJoin(swarm);
  registerMembers(swarm);
  registerRevoke(swarm);
  registerVouch(swarm);
  registerVouches(swarm);
  registerLeave(swarm);
}

const clientFor = async (options: DaemonOptions) => {
  const { clientOf } = await import('../client.ts');
  return clientOf(options).swarm;
};

function registerShow(swarm: Command): void {
  addDaemonCommand(swarm, {
    usage: 'show',
    summary: 'show the swarm that this daemon is in: its authority, your role, its invites',
    examples: ['swarm show', 'swarm show --json'],
  }).action(async (options: DaemonOptions) => {
    const view = await (await clientFor(options)).show();
    if (options.json) printJson(view);
    else printSwarm(view);
  });
}

interface CreateOptions extends DaemonOptions {
  readonly name: string;
  readonly public?: true;
  readonly private?: true;
  /** False with --no-key. */
  readonly key: boolean;
  readonly admins?: { readonly k: number; readonly n: number };
  readonly admin?: readonly string[];
}

function registerCreate(swarm: Command): void {
  addDaemonCommand(swarm, {
    usage: 'create',
    summary: 'make a swarm of which this daemon is an admin, and enter it',
    examples: [
      'swarm create --name ward-7',
      'swarm create --name ward-7 --admins 2-of-3 --admin 12D3KooW… 12D3KooW…',
      'swarm create --name playground --public',
    ],
  })
    .option('--name <name>', 'small letters, digits and hyphens', 'swarm')
    .option('--private', 'only who was invited may enter (this is the default)')
    .option('--no-key', 'no pre-shared key: faster, but strangers can see that a swarm is there')
    .option('--public', 'anyone may enter who knows where it is')
    .option('--admins <k-of-n>', 'how many of how many admins must sign invites', kOfN)
    .option('--admin <peer...>', 'peer ids of the other admins, as `starling status` shows them')
    .action(async (options: CreateOptions) => {
      const admins = [...(options.admin ?? [])];
      const { k, n } = options.admins ?? { k: 1, n: admins.length + 1 };
      if (options.public && options.private) wrong('--public and --private exclude each other');
      if (n !== admins.length + 1) {
        wrong(`--admins says ${n}: name the ${n - 1} beside this daemon with --admin`);
      }
      const client = await clientFor(options);
      const view = await client.create({
        name: options.name,
        public: options.public === true,
        preSharedKey: options.key,
        admins,
        threshold: k,
      });
      if (options.json) return printJson(view);
      print(`${view.name} is made, and this daemon is in it.`);
      print('Invite others with `starling swarm invite`.\n');
      printSwarm(view);
    });
}

/** Wrong usage that no single option shows. */
function wrong(message: string): never {
  throw new InvalidArgumentError(message);
}

interface InviteOptions extends DaemonOptions {
  readonly role: RoleName;
  readonly expires: number;
  readonly memberFor: number;
  readonly singleUse?: true;
  readonly address?: readonly string[];
  readonly sign?: string;
  readonly qr?: true;
}

function registerInvite(swarm: Command): void {
  addDaemonCommand(swarm, {
    usage: 'invite',
    summary: 'make an invite; its text is a secret, since it carries the key of the swarm',
    examples: [
      'swarm invite --single-use --qr',
      'swarm invite --role launcher --expires 12h',
      'swarm invite --sign starling1-…',
    ],
  })
    .option(
      '--role <role>',
      'trainer, light, launcher, admin or relay',
      oneOfWords(['trainer', 'light', 'launcher', 'admin', 'relay']),
      'trainer',
    )
    .option('--expires <duration>', 'how long it can be redeemed, as 12h or 7d', duration, 604_800)
    .option(
      '--member-for <duration>',
      'how long a membership by it lasts, as 52w',
      duration,
      31_536_000,
    )
    .option('--single-use', 'for the first peer that redeems it, and no other')
    .option('--address <addr...>', "where newcomers find the swarm (this daemon's own addresses)")
    .option('--sign <invite>', "add this admin's signature to another admin's invite")
    .option('--qr', 'show it as a QR code, too')
    .action(async (options: InviteOptions) => {
      const client = await clientFor(options);
      const view =
        options.sign === undefined
          ? await client.invite({
              role: options.role,
              singleUse: options.singleUse === true,
              redeemSeconds: options.expires,
              memberSeconds: options.memberFor,
              ...(options.address && { addresses: [...options.address] }),
            })
          : await client.sign(options.sign);
      if (options.json) return printJson(view);
      await printInvite(view, options.qr === true);
    });
}

async function printInvite(view: InviteView, qr: boolean): Promise<void> {
  const use = view.singleUse ? 'one peer' : 'any number of peers';
  note(`invite to ${view.name} as ${view.role}, for ${use}, until ${view.expires}`);
  note(`newcomers look at ${view.addresses.join(', ')}`);
  if (view.missingSignatures > 0) {
    const wanted = plural(view.missingSignatures, 'more admin');
    note(`${wanted} must sign it first, with \`starling swarm invite --sign …\``);
  }
  print(view.invite);
  if (!qr) return;
  const { renderUnicodeCompact } = await import('uqr');
  const code = renderUnicodeCompact(view.invite, { ecc: 'L', border: 2 });
  const width = code.indexOf('\n');
  const columns = process.stdout.columns;
  if (columns !== undefined && columns < width) {
    note(`the QR code needs ${width} columns, this terminal has ${columns}: widen it`);
  } else print(code);
}

interface JoinOptions extends DaemonOptions {
  readonly bootstrap?: readonly string[];
}

function registerJoin(swarm: Command): void {
  addDaemonCommand(swarm, {
    usage: 'join <invite>',
    summary: 'become a member by an invite, and enter its swarm; - reads it from standard input',
    examples: ['swarm join starling1-…', 'swarm join - < invite.txt'],
  })
    .option('--bootstrap <addr...>', 'addresses of members, in place of those in the invite')
    .action(async (invite: string, options: JoinOptions) => {
      const client = await clientFor(options);
      const text = invite === '-' ? readFileSync(0, 'utf8') : invite;
      if (!options.json) note('asking a member to redeem the invite …');
      const view = await client.join(text, options.bootstrap && [...options.bootstrap]);
      if (options.json) return printJson(view);
      print(`in ${view.name} as ${view.role ?? 'a peer'}\n`);
      printSwarm(view);
    });
}

const COLUMNS: readonly Column<MemberView>[] = [
  { title: 'PEER', value: ({ peer }) => peer },
  { title: 'ROLE', value: ({ role }) => role },
  {
    title: 'HERE',
    value: ({ self, connected }) => (self ? 'this one' : connected ? 'connected' : 'no'),
  },
  { title: 'UNTIL', value: ({ memberUntil }) => memberUntil ?? 'always' },
  { title: 'STANDING', value: ({ standing }) => standing, flexible: true },
];

function registerMembers(swarm: Command): void {
  addDaemonCommand(swarm, {
    usage: 'members',
    summary: 'list the members that this daemon knows, and those that are none any more',
    examples: ['swarm members', 'swarm members --json'],
  }).action(async (options: DaemonOptions) => {
    const members = await (await clientFor(options)).members();
    if (options.json) printJson({ members });
    else printTable(COLUMNS, members);
  });
}

interface RevokeOptions extends DaemonOptions {
  readonly invite?: string;
  readonly reason?: string;
}

function registerRevoke(swarm: Command): void {
  addDaemonCommand(swarm, {
    usage: 'revoke [peer]',
    summary: 'throw a member out for good, or end an invite; there is no way back',
    examples: [
      'swarm revoke 12D3KooW… --reason "laptop lost"',
      'swarm revoke --invite 3f9ac01b22d4',
    ],
  })
    .option('--invite <id>', 'an invite, by its id or the beginning of it, in place of a peer')
    .option('--reason <text>', 'told to everybody, the revoked peer included')
    .action(async (peer: string | undefined, options: RevokeOptions) => {
      if ((peer === undefined) === (options.invite === undefined)) {
        wrong('name either a peer or an invite (--invite)');
      }
      const view = await (await clientFor(options)).revoke({
        ...(peer !== undefined && { peer }),
        ...(options.invite !== undefined && { invite: options.invite }),
        ...(options.reason !== undefined && { reason: options.reason }),
      });
      if (options.json) printJson(view);
      else printRevoked(view);
    });
}

function printRevoked({ target, revoked, missing, warnings }: RevokedView): void {
  if (revoked) print(`revoked: ${target}`);
  else {
    const others = plural(missing, 'more admin');
    print(`noted, and not revoked yet: ${others} must say the same of ${target}`);
  }
  for (const warning of warnings) note(`note: ${warning}`);
}

function registerLeave(swarm: Command): void {
  addDaemonCommand(swarm, {
    usage: 'leave',
    summary: 'leave the swarm for the network of the configured name; an invite leads back',
    examples: ['swarm leave'],
  }).action(async (options: DaemonOptions) => {
    const view = await (await clientFor(options)).leave();
    if (options.json) printJson(view);
    else print(`left; this daemon is in the network ${view.name} now`);
  });
}

function printSwarm(view: SwarmView): void {
  const role = view.role === null ? [] : [['role', view.role] as const];
  const until = view.memberUntil === null ? [] : [['member until', view.memberUntil] as const];
  printFacts([
    ['swarm', `${view.name} (${view.kind})`],
    ...(view.id === null ? [] : [['id', view.id] as const]),
    ['standing', standingText(view.standing)],
    ...role,
    ...until,
    ...(view.kind === 'named' ? [] : authorityFacts(view)),
    ['connected', plural(view.connected, 'peer')],
  ]);
  section('bootstrap', view.bootstrap);
  section(
    'does not let this peer in',
    view.refusedBy.map(({ peer, reason }) => `${peer}: ${reason}`),
  );
  section(
    'refused here',
    Object.entries(view.refused).map(([reason, count]) => `${reason}: ${count}`),
  );
  section('invites', view.invites.map(inviteLine));
  for (const warning of view.warnings) warn(`\nwarning: ${warning}`);
}

const standingText = (standing: string): string =>
  coloured(standing === 'member' ? 'green' : 'red', oneLine(standing));

const authorityFacts = (view: SwarmView): readonly (readonly [string, string])[] => [
  ['authority', `${view.threshold} of ${view.admins.length}: ${view.admins.join(', ')}`],
  ['members', String(view.members)],
  ['pre-shared key', view.preSharedKey ? 'yes' : 'no'],
  ['revocation list', `version ${view.revocationListVersion}`],
];

function inviteLine(invite: SwarmView['invites'][number]): string {
  const state = invite.revoked
    ? 'revoked'
    : invite.usedBy !== null
      ? `used by ${invite.usedBy}`
      : invite.missingSignatures > 0
        ? `needs ${plural(invite.missingSignatures, 'more signature')}`
        : `until ${invite.expires}`;
  const use = invite.singleUse ? 'single use' : 'for many';
  return `${invite.id.slice(0, 12)}  ${invite.role}, ${use}, ${state}`;
}

function section(title: string, lines: readonly string[]): void {
  if (lines.length === 0) return;
  print(`\n${title}:`);
  for (const line of lines) print(`  ${oneLine(line)}`);
}
