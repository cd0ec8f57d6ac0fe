// apps/cli/src/demo/table.ts
var percent = (value) => `${(100 * value).toFixed(2)} %`;
function table(report) {
  const lines = ['', 'living peer                                            state hash'];
  for (const [peer, hash] of Object.entries(report.stateHashes)) {
    lines.push(`${peer}   ${hash}`);
  }
  lines.push(report.modelHashesEqual ? 'all peers hold the same model' : 'THE MODELS DIFFER', '');
  for (const { peer, launcher, round, phase, signal } of report.killed) {
    const who = launcher ? `peer ${peer} (the launcher)` : `peer ${peer}`;
    lines.push(`killed: ${who} in round ${round}, phase ${phase}, by ${signal}`);
  }
  const { plain } = report;
  const last = report.rounds.at(-1);
  lines.push(
    `accuracy on the 10,000 test images, before   ${percent(report.accuracyBefore)}`,
    `                                    after    ${percent(report.accuracy)}`,
    `best peer alone                              ${percent(Math.max(...report.alone))}`,
    `plain FedAvg of the same inputs              ${percent(plain.accuracy)}`,
    `  integer sums equal                         ${plain.integerSumsEqual ? 'yes' : 'NO'}`,
    `  largest difference of a weight             ${plain.maxAbsDifference.toExponential(2)} (quantisation step ${plain.quantisationStep.toExponential(2)})`,
    `bytes sent per peer in the last round        ${last?.bytesPerPeer ?? 0}`,
    `time                                         ${report.seconds.toFixed(1)} s`,
    '',
  );
  return lines.join('\n');
}

export { table };
//# sourceMappingURL=table-MJZDTEPR.js.map
