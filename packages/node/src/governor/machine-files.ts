/** Files by which the machine tells how it is: /proc, /sys, control groups. */
export interface MachineFiles {
  /** The text of a file by its absolute path; undefined when it cannot be read. */
  text(path: string): string | undefined;
  /** Names in a folder; none when it cannot be read. */
  names(path: string): readonly string[];
}

/** The number that a file holds, undefined when there is none. */
export function numberIn(files: MachineFiles, path: string): number | undefined {
  const text = files.text(path)?.trim();
  return text !== undefined && /^\d+$/.test(text) ? Number(text) : undefined;
}
