/** One event of a `text/event-stream`. */
export interface ServerEvent {
  /** `message` unless the server names it. */
  readonly name: string;
  readonly id: string | undefined;
  readonly data: string;
}

/** Reads a stream of events that arrives in pieces, as the HTML standard has it. */
export class EventReader {
  #rest = '';
  #name = '';
  #id: string | undefined;
  #data: string[] = [];

  /** Events that are whole with this piece of text. */
  push(text: string): readonly ServerEvent[] {
    const events: ServerEvent[] = [];
    const lines = `${this.#rest}${text}`.split(/\r\n|\n|\r(?!$)/);
    this.#rest = lines.pop()!;
    for (const line of lines) {
      if (line === '') events.push(...this.#dispatch());
      else this.#field(line);
    }
    return events;
  }

  #field(line: string): void {
    const [, name, value] = /^([^:]*):? ?(.*)$/s.exec(line)!;
    if (name === 'data') this.#data.push(value!);
    if (name === 'event') this.#name = value!;
    if (name === 'id') this.#id = value;
  }

  #dispatch(): readonly ServerEvent[] {
    const event = { name: this.#name || 'message', id: this.#id, data: this.#data.join('\n') };
    const isEmpty = this.#data.length === 0;
    this.#data = [];
    this.#name = '';
    return isEmpty ? [] : [event];
  }
}
