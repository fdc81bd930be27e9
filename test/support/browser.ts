/** Headless Chromium over its own debugging protocol: open a page, evaluate in it, and hear what it throws. */

import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { rm } from 'node:fs/promises';
import { setTimeout as pause } from 'node:timers/promises';
import type { ExecutionContext } from 'ava';
import { temporaryDirectory } from './idx.ts';

interface Reply {
  readonly id?: number;
  readonly method?: string;
  readonly params?: {
    readonly exceptionDetails?: { readonly text: string; readonly exception?: { description?: string } };
  };
  readonly result?: { readonly result?: { readonly value?: unknown }; readonly exceptionDetails?: object };
}

/** Whether Debian's chromium is installed. */
export function hasChromium(): boolean {
  try {
    execFileSync('chromium', ['--version'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}

export class Page {
  /** What scripts of the page threw and nobody caught. */
  readonly errors: string[] = [];
  readonly #socket: WebSocket;
  readonly #waiting = new Map<number, (reply: Reply) => void>();
  #calls = 0;

  constructor(socket: WebSocket) {
    this.#socket = socket;
    socket.addEventListener('message', ({ data }) => this.#take(JSON.parse(String(data)) as Reply));
  }

  call(method: string, params: object = {}): Promise<Reply> {
    const id = ++this.#calls;
    return new Promise((resolve) => {
      this.#waiting.set(id, resolve);
      this.#socket.send(JSON.stringify({ id, method, params }));
    });
  }

  /** The JSON value of an expression. @throws what it throws */
  async evaluate(expression: string): Promise<unknown> {
    const { result } = await this.call('Runtime.evaluate', { expression, returnByValue: true });
    if (result?.exceptionDetails) throw new Error(`${expression}: ${JSON.stringify(result.exceptionDetails)}`);
    return result?.result?.value;
  }

  /** Waits until an expression is true. */
  async until(expression: string): Promise<void> {
    while ((await this.evaluate(expression)) !== true) await pause(50);
  }

  #take({ id, method, params, ...reply }: Reply): void {
    if (id !== undefined) this.#waiting.get(id)?.(reply);
    if (method !== 'Runtime.exceptionThrown') return;
    const details = params?.exceptionDetails;
    this.errors.push(details?.exception?.description ?? details?.text ?? 'an error without a text');
  }
}

/** Opens a page in a browser of its own, which ends with the test. */
export async function openPage(t: ExecutionContext, url: string): Promise<Page> {
  const profile = await temporaryDirectory();
  const browser = spawn(
    'chromium',
    ['--headless', '--no-sandbox', '--disable-gpu', '--remote-debugging-port=0', `--user-data-dir=${profile}`],
    { stdio: ['ignore', 'ignore', 'pipe'] },
  );
  const ended = new Promise((resolve) => browser.once('exit', resolve));
  t.teardown(async () => {
    browser.kill('SIGTERM');
    await ended;
    await rm(profile, { recursive: true, force: true, maxRetries: 5, retryDelay: 200 });
  });
  const { host } = new URL(await debuggingAddress(browser));
  const targets = (await (await fetch(`http://${host}/json`)).json()) as readonly {
    readonly type: string;
    readonly webSocketDebuggerUrl: string;
  }[];
  const socket = new WebSocket(targets.find(({ type }) => type === 'page')!.webSocketDebuggerUrl);
  await new Promise((resolve) => socket.addEventListener('open', resolve, { once: true }));
  t.teardown(() => socket.close());
  const page = new Page(socket);
  await page.call('Runtime.enable');
  await page.call('Page.navigate', { url });
  return page;
}

function debuggingAddress({ stderr }: ChildProcess): Promise<string> {
  let printed = '';
  return new Promise((resolve) => {
    stderr!.setEncoding('utf8').on('data', (text: string) => {
      printed += text;
      const address = /ws:\S+/.exec(printed)?.[0];
      if (address !== undefined) resolve(address);
    });
  });
}
