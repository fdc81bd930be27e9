/** A run without training: every node sends messages to every other one, iteration after iteration, and checks what it gets. */

import { CHUNK_BYTES, chunkCount, HEADER_BYTES } from '../../src/protocol/frame.ts';
import { randomFrom } from '../../src/transport/faults.ts';
import type { Outgoing, Session, Slot, Transport } from '../../src/transport/transport.ts';

const CHANNELS = ['activation', 'gradient', 'weights'] as const;

export const RUN = '0123456789abcdef';
export const PLAN = 'fedcba9876543210';

/** What is exchanged. */
export interface Exchange {
  readonly iterations: number;
  /** Bytes of each message from every node to every other one. */
  readonly sizes: readonly number[];
  readonly signal: AbortSignal;
  readonly job?: string;
  /** Whether the arenas are memory that is shared between threads, as the kernels' is. */
  readonly shared?: boolean;
}

/** Where messages of one node lie, twice, by parity of the iteration. */
interface Layout {
  readonly memory: Uint8Array;
  readonly slots: readonly [readonly Slot[], readonly Slot[]];
  readonly outgoing: readonly [readonly Outgoing[], readonly Outgoing[]];
}

/** Runs an exchange on all transports at once; throws at the first wrong byte. @returns the sessions, closed */
export async function exchange(transports: readonly Transport[], options: Exchange): Promise<readonly Session[]> {
  const names = transports.map((transport) => transport.self);
  const members = transports.map((transport) => {
    const layout = layOut(transport.self, names, options);
    const peers = names.filter((name) => name !== transport.self);
    const session = transport.open({
      job: options.job ?? 'job',
      run: RUN,
      planHash: PLAN,
      peers,
      memory: layout.memory,
    });
    return { self: transport.self, peers, layout, session };
  });
  await Promise.all(members.map((member) => runMember(member, options)));
  const sessions = members.map((member) => member.session);
  for (const session of sessions) session.close();
  return sessions;
}

interface MemberOfExchange {
  readonly self: string;
  readonly peers: readonly string[];
  readonly layout: Layout;
  readonly session: Session;
}

async function runMember({ self, peers, layout, session }: MemberOfExchange, options: Exchange): Promise<void> {
  const { iterations, signal } = options;
  const { memory } = layout;
  const sent: Promise<unknown>[] = [Promise.resolve(), Promise.resolve()];
  session.expect(0, layout.slots[0]);
  session.expect(1, layout.slots[1]);
  for (let t = 0; t < iterations; t++) {
    const parity = (t % 2) as 0 | 1;
    await sent[parity];
    sent[parity] = Promise.all(
      layout.outgoing[parity].map((outgoing) => {
        write(memory, outgoing, self, t);
        return session.send(t, outgoing, signal);
      }),
    );
    const slots = layout.slots[parity];
    await session.arrived(
      t,
      slots.map((slot) => slot.message),
      signal,
    );
    for (const slot of slots) check(memory, slot, self, t);
    await Promise.resolve();
    for (const slot of slots) {
      const bytes = memory.subarray(slot.offset, slot.offset + slot.bytes);
      if (Buffer.compare(bytes, ZEROS.subarray(0, slot.bytes)) !== 0)
        throw new Error(`message ${slot.message} was applied twice`);
    }
    session.expect(t + 2, layout.slots[parity]);
    session.free(t, new Map(peers.map((peer) => [peer, checksum(self, peer, t)])));
    for (const peer of peers) {
      const got = await session.freed(t, peer, signal);
      if (got !== checksum(peer, self, t)) throw new Error(`${self}: checksum ${got} of ${peer} in iteration ${t}`);
    }
  }
  await Promise.all(sent);
}

/** Compares a slot with what was sent, and clears it. */
function check(memory: Uint8Array, slot: Slot, self: string, iteration: number): void {
  const got = memory.subarray(slot.offset, slot.offset + slot.bytes);
  const wanted = contents(slot, { from: slot.from, to: self, iteration });
  if (Buffer.compare(got, wanted) !== 0) {
    throw new Error(`${self}: wrong bytes in message ${slot.message} of iteration ${iteration}`);
  }
  got.fill(0);
}

/** Fills a send region, leaving the header rooms alone. */
function write(memory: Uint8Array, outgoing: Outgoing, self: string, iteration: number): void {
  const bytes = contents(outgoing, { from: self, to: outgoing.to, iteration });
  for (let chunk = 0; chunk < chunkCount(outgoing.bytes); chunk++) {
    const part = bytes.subarray(chunk * CHUNK_BYTES, (chunk + 1) * CHUNK_BYTES);
    memory.set(part, outgoing.offset + chunk * (CHUNK_BYTES + HEADER_BYTES));
  }
}

const NOISE_BYTES = 1 << 22;
const ZEROS = new Uint8Array(NOISE_BYTES);
const noiseRandom = randomFrom(1);
const NOISE = Uint8Array.from({ length: NOISE_BYTES }, () => noiseRandom() * 256);

/** Bytes that differ by sender, receiver, message and iteration: a piece of a long noise. */
function contents(
  message: { readonly message: number; readonly bytes: number },
  way: { readonly from: string; readonly to: string; readonly iteration: number },
): Uint8Array {
  const start = Math.floor(
    draw(`${way.from}/${way.to}/${message.message}/${way.iteration}`) * (NOISE_BYTES - message.bytes),
  );
  return NOISE.subarray(start, start + message.bytes);
}

function draw(text: string): number {
  let seed = 7;
  for (const letter of text) seed = (seed * 31 + letter.charCodeAt(0)) | 0;
  return randomFrom(seed)();
}

function checksum(of: string, at: string, iteration: number): number {
  return Math.floor(draw(`${of}/${at}/${iteration}`) * 0x1_0000_0000);
}

/** Lays out slots and send regions; message numbers name sender, receiver and size. */
function layOut(self: string, names: readonly string[], { sizes, shared }: Exchange): Layout {
  let end = 0;
  const room = (bytes: number) => {
    const offset = end;
    end = Math.ceil((end + bytes) / 64) * 64;
    return offset;
  };
  const number = (from: string, to: string, k: number) =>
    (names.indexOf(from) * names.length + names.indexOf(to)) * sizes.length + k;
  const peers = names.filter((name) => name !== self);
  const slots = () =>
    peers.flatMap((from) =>
      sizes.map((bytes, k): Slot => ({ message: number(from, self, k), from, offset: room(bytes), bytes })),
    );
  const outgoing = () =>
    peers.flatMap((to) =>
      sizes.map((bytes, k): Outgoing => {
        const offset = room(bytes + HEADER_BYTES * chunkCount(bytes)) + HEADER_BYTES;
        return { message: number(self, to, k), to, channel: CHANNELS[k % 3]!, offset, bytes };
      }),
    );
  const layout = { slots: [slots(), slots()], outgoing: [outgoing(), outgoing()] } as const;
  const bytes = end + HEADER_BYTES;
  return { ...layout, memory: shared ? new Uint8Array(new SharedArrayBuffer(bytes)) : new Uint8Array(bytes) };
}
