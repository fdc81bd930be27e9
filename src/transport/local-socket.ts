/** The Unix socket of a node: its broker for programs of the same user on the same computer. */

import { chmod, lstat, mkdir, stat, unlink } from 'node:fs/promises';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { dirname } from 'node:path';
import { InputError } from '../errors.ts';

/** Whoever listens answers at once; this long is patience for a busy machine. */
const ANSWER_MS = 1000;

/** What the address of a Unix socket holds on Linux, less the zero at its end. */
const PATH_BYTES = 107;

/** Write permission of others, and the sticky bit that takes its harm away. */
const [OTHERS_WRITE, STICKY] = [0o022, 0o1000];

/**
 * Listens on a socket that only this user can open: mode 0600, in a folder that is made with mode 0700 where it is missing. A socket file that
 * nobody answers at is left over from a process that was killed, and is replaced. Closing the server removes the file.
 * @param highWaterMark of connections, bytes
 * @throws {InputError} `socketInUse`, `cannotListen`
 */
export async function listenOnSocket(
  path: string,
  highWaterMark: number,
  accept: (socket: Socket) => void,
): Promise<Server> {
  const bytes = Buffer.byteLength(path);
  if (bytes > PATH_BYTES) throw cannotListen(path, `the path has ${bytes} bytes, and the system takes ${PATH_BYTES}`);
  try {
    await prepareFolder(path);
    await clear(path);
    const server = createServer({ highWaterMark }, accept);
    await bind(server, path);
    return server;
  } catch (cause) {
    if (cause instanceof InputError) throw cause;
    throw cannotListen(path, cause instanceof Error ? cause.message : String(cause), cause);
  }
}

/** Whoever can write to the folder can put a socket of their own in this one's place. */
async function prepareFolder(path: string): Promise<void> {
  const folder = dirname(path);
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const { uid, mode } = await stat(folder);
  const self = process.getuid?.() ?? uid;
  if (uid !== self && uid !== 0) throw cannotListen(path, 'its folder belongs to another user');
  if (mode & OTHERS_WRITE && !(mode & STICKY)) throw cannotListen(path, 'other users may write to its folder');
}

/** Removes what a killed process left. @throws {InputError} `socketInUse` when somebody answers, `cannotListen` for another kind of file */
async function clear(path: string): Promise<void> {
  const file = await lstat(path).catch(() => undefined);
  if (!file) return;
  if (!file.isSocket()) throw cannotListen(path, 'there is a file of this name that is no socket');
  if (await answers(path)) {
    throw new InputError(
      'socketInUse',
      `${path} is in use: a node listens there already; stop it, or give this node another socket`,
    );
  }
  await unlink(path);
}

function answers(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(path);
    const settle = (there: boolean) => {
      socket.destroy();
      resolve(there);
    };
    // One that is too busy to accept is there.
    socket.setTimeout(ANSWER_MS, () => settle(true));
    socket.once('connect', () => settle(true));
    socket.once('error', ({ code }: NodeJS.ErrnoException) => settle(code !== 'ECONNREFUSED' && code !== 'ENOENT'));
  });
}

async function bind(server: Server, path: string): Promise<void> {
  const listening = Promise.withResolvers<void>();
  // Stays for the server's life: a later error, such as too many open files, must not end the process.
  server.on('error', listening.reject);
  // Made with the mode that it keeps: between making and changing, others could open it.
  const usual = process.umask(0o177);
  try {
    server.listen({ path, exclusive: true }, listening.resolve);
  } finally {
    process.umask(usual);
  }
  await listening.promise;
  await chmod(path, 0o600);
}

function cannotListen(path: string, why: string, cause?: unknown): InputError {
  const text = `cannot listen on the socket ${path}: ${why}; give the node another socket: PATH, or socket: none`;
  return new InputError('cannotListen', text, { cause });
}
