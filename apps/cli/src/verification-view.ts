import type {
  CardCheck,
  CardVerification,
  MembershipFinding,
  Verification,
  VerifiedRound,
  VerifiedSigner,
} from '@starling/models';
import {
  coloured,
  decimal,
  note,
  percent,
  plural,
  print,
  printTable,
  shortHash,
} from './output.ts';
import type { Column } from './table.ts';

const COLUMNS: readonly Column<VerifiedRound>[] = [
  { title: 'ROUND', value: ({ round }) => String(round), align: 'right' },
  { title: 'PEERS', value: ({ participants }) => String(participants), align: 'right' },
  { title: 'SURVIVORS', value: ({ survivors }) => String(survivors), align: 'right' },
  { title: 'SIGNATURES', value: ({ signatures }) => String(signatures), align: 'right' },
  { title: 'LOSS BEFORE', value: ({ loss }) => decimal(loss), align: 'right' },
  { title: 'ACCURACY BEFORE', value: ({ accuracy }) => percent(accuracy), align: 'right' },
  { title: 'STANDS', value: ({ settled }) => (settled ? 'settled' : 'provisional') },
  { title: 'STATE', value: ({ stateHash }) => stateHash, flexible: true },
];

/** What the job measures beside loss and accuracy. */
const ownColumns = ([first]: readonly VerifiedRound[]): readonly Column<VerifiedRound>[] =>
  Object.keys(first?.metrics ?? {}).map((name) => ({
    title: `${name.toUpperCase()} BEFORE`,
    value: ({ metrics }) => decimal(metrics[name] ?? null),
    align: 'right',
  }));

const SIGNERS: readonly Column<VerifiedSigner>[] = [
  { title: 'SIGNER', value: ({ peer }) => peer },
  { title: 'ROLE', value: ({ role }) => role },
  { title: 'SIGNED', value: ({ rounds }) => String(rounds), align: 'right' },
  { title: 'MEMBER FROM', value: ({ from }) => from ?? 'the start' },
  { title: 'UNTIL', value: ({ until }) => until ?? 'always' },
  { title: 'REVOKED', value: ({ revoked }) => revoked ?? '' },
];

/** What is known of who signed: never more than was checked. */
function showMembers({ swarm, name, keys, signers }: MembershipFinding): void {
  const signed = plural(keys, 'key');
  if (signers === undefined) {
    const next =
      swarm === null
        ? 'the proof has no credentials that could tell'
        : `the proof has credentials of the swarm ${name}: check them with --swarm ID, where ID ` +
          `is what somebody you trust calls its id, if that is ${swarm}`;
    note(`signed by ${signed}; who these are was not checked: ${next}`);
    return;
  }
  printTable(SIGNERS, signers);
  print(`all ${signed} were made members of ${name} that may train, by its authority`);
  note('no certificate has a time: whether a membership ran at the time of a round is not told');
}

export function showVerification(file: string, verification: Verification): void {
  const { ok, fault, job, rounds, members } = verification;
  if (job !== undefined) {
    print(`job       ${job.id} (${job.manifest.name})`);
    print(`launcher  ${job.launcher}`);
  }
  if (rounds.length > 0) printTable([...COLUMNS, ...ownColumns(rounds)], rounds);
  if (members !== undefined && rounds.length > 0) showMembers(members);
  if (ok)
    print(coloured('green', `${file} holds the certified weights of ${rounds.length} rounds`));
  else note(`starling: ${file} is not verified: ${fault}`);
}

const CHECKS: readonly Column<CardCheck>[] = [
  { title: 'LINK', value: ({ link }) => link },
  { title: 'STANDING', value: ({ standing }) => standing },
  { title: 'DETAIL', value: ({ detail }) => detail, flexible: true },
];

/** A card link by link, after the chain that it claims. */
export function showCardVerification(file: string, verification: CardVerification): void {
  const { ok, fault, card, checks, chain } = verification;
  if (card !== undefined) {
    print(`card       ${shortHash(card.id)} (${card.card.name}@${card.card.version})`);
    print(`publisher  ${card.publisher}`);
  }
  if (chain !== undefined && chain.rounds.length > 0) {
    printTable(COLUMNS, chain.rounds);
    if (chain.members !== undefined) showMembers(chain.members);
  }
  if (checks.length > 0) printTable(CHECKS, checks);
  const open = checks.filter(({ standing }) => standing === 'not checked').length;
  const rest = open === 0 ? '' : `; ${plural(open, 'link')} could not be checked`;
  if (ok) print(coloured('green', `${file} is what its card says${rest}`));
  else note(`starling: ${file} is not verified: ${fault}`);
}

/** What a machine reads of a chain; all null without one. */
export const chainJson = (chain: Verification | undefined) => ({
  job: chain?.job?.id ?? null,
  name: chain?.job?.manifest.name ?? null,
  launcher: chain?.job?.launcher ?? null,
  rounds: chain?.rounds ?? [],
  swarm: chain?.members?.swarm ?? null,
  /** Null when it was not asked whether they are members. */
  signers: chain?.members?.signers ?? null,
});

export const verificationJson = (verification: Verification) => ({
  ok: verification.ok,
  ...(verification.fault !== undefined && { error: verification.fault }),
  ...chainJson(verification),
});

export const cardVerificationJson = ({ ok, fault, card, checks, chain }: CardVerification) => ({
  ok,
  ...(fault !== undefined && { error: fault }),
  card: card && {
    ...{ id: card.id, publisher: card.publisher, name: card.card.name },
    version: card.card.version,
  },
  checks,
  ...chainJson(chain),
});
