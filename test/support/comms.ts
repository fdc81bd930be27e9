/** Comms: the editor's WebSocket to its Node-RED: statuses of nodes, and what debug nodes show. */

export interface Status {
  readonly fill?: string;
  readonly text?: string;
}

interface Packet {
  readonly topic: string;
  readonly data: unknown;
}

interface Debugged {
  readonly id: string;
  /** Objects and arrays come as JSON. */
  readonly msg: string;
  readonly format: string;
}

export class Comms {
  /** Latest status by node id. */
  readonly statuses = new Map<string, Status>();
  /** Everything that debug nodes have shown in the sidebar, by node id. */
  readonly shown = new Map<string, unknown[]>();
  readonly #socket: WebSocket;

  private constructor(socket: WebSocket) {
    this.#socket = socket;
    socket.addEventListener('message', ({ data }) => {
      for (const packet of [JSON.parse(String(data)) as Packet | readonly Packet[]].flat()) this.#take(packet);
    });
  }

  /** @throws when it cannot be opened */
  static async connect(url: string): Promise<Comms> {
    const socket = new WebSocket(url);
    const comms = new Comms(socket);
    await new Promise((resolve, reject) => {
      socket.addEventListener('open', resolve, { once: true });
      socket.addEventListener('error', () => reject(new Error(`${url} cannot be opened`)), { once: true });
    });
    for (const topic of ['status/#', 'debug']) socket.send(JSON.stringify({ subscribe: topic }));
    return comms;
  }

  close(): void {
    this.#socket.close();
  }

  #take({ topic, data }: Packet): void {
    const node = /^status\/(.+)$/.exec(topic)?.[1];
    if (node !== undefined) this.statuses.set(node, data as Status);
    if (topic !== 'debug') return;
    const { id, msg, format } = data as Debugged;
    const value: unknown = /^(Object|array)/.test(format) ? JSON.parse(msg) : msg;
    this.shown.set(id, [...(this.shown.get(id) ?? []), value]);
  }
}
