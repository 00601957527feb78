// Interrupt messages on their way: each is a flow from who sent it to who takes it.

/** What a message is to its target: those with the same key merge while they are pending, as in hardware. */
export type MessageKey = string;

interface Message {
  readonly flow: number;
  /** When it will arrive, as far as no fault delays it. */
  readonly arrival: number;
  arrived: boolean;
}

export class MessagesUnderWay {
  readonly #waiting = new Map<string, Message[]>();
  #flows = 0;

  /** @returns the number of its flow */
  send(target: number, key: MessageKey, arrival: number): number {
    const flow = ++this.#flows;
    const place = `${target} ${key}`;
    const list = this.#waiting.get(place);
    const message = { flow, arrival, arrived: false };
    if (list === undefined) this.#waiting.set(place, [message]);
    else list.push(message);
    return flow;
  }

  /** None overtakes another of its kind. @returns its flow; undefined: no CPU has sent it */
  arrive(target: number, key: MessageKey, cycle: number): number | undefined {
    const message = this.#oldest(target, key, cycle);
    if (message !== undefined) message.arrived = true;
    return message?.flow;
  }

  /** It is lost instead of arriving. */
  lose(target: number, key: MessageKey, cycle: number): number | undefined {
    const message = this.#oldest(target, key, cycle);
    if (message !== undefined) this.#keep(target, key, (other) => other !== message);
    return message?.flow;
  }

  /** The CPU takes what is pending: all that have arrived. @returns their flows, in the order in which they were sent */
  take(target: number, key: MessageKey): number[] {
    const list = this.#waiting.get(`${target} ${key}`) ?? [];
    const flows = list.filter(({ arrived }) => arrived).map(({ flow }) => flow);
    if (flows.length > 0) this.#keep(target, key, ({ arrived }) => !arrived);
    return flows;
  }

  #oldest(target: number, key: MessageKey, cycle: number): Message | undefined {
    const list = this.#waiting.get(`${target} ${key}`) ?? [];
    return list.find(({ arrived, arrival }) => !arrived && arrival <= cycle);
  }

  #keep(target: number, key: MessageKey, isKept: (message: Message) => boolean): void {
    const place = `${target} ${key}`;
    const left = (this.#waiting.get(place) ?? []).filter(isKept);
    if (left.length === 0) this.#waiting.delete(place);
    else this.#waiting.set(place, left);
  }
}
