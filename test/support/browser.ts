/** Headless Chromium over its own debugging protocol: open a page, evaluate in it, click, take its picture, and hear what it throws. */

import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { rm, writeFile } from 'node:fs/promises';
import { setTimeout as pause } from 'node:timers/promises';
import type { ExecutionContext } from 'ava';
import { temporaryDirectory } from './idx.ts';

/** How long a page may take for anything; after that, what was seen is told. */
const PATIENCE_MS = 180_000;

/** Nobody's first run, and nothing that asks the network. */
const FLAGS = [
  '--headless',
  '--no-sandbox',
  '--disable-gpu',
  '--remote-debugging-port=0',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
  '--disable-quic',
  '--hide-scrollbars',
];

interface Reply {
  readonly id?: number;
  readonly method?: string;
  readonly params?: {
    readonly exceptionDetails?: { readonly text: string; readonly exception?: { description?: string } };
  };
  readonly error?: { readonly message: string };
  readonly result?: {
    readonly result?: { readonly value?: unknown };
    readonly exceptionDetails?: { readonly text: string; readonly exception?: { description?: string } };
    readonly data?: string;
  };
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

  /** One call of the protocol. @throws when the browser refuses it or does not answer */
  async call(method: string, params: object = {}): Promise<Reply> {
    const id = ++this.#calls;
    const answered = new Promise<Reply>((resolve) => this.#waiting.set(id, resolve));
    this.#socket.send(JSON.stringify({ id, method, params }));
    const reply = await within(answered, `an answer to ${method} ${JSON.stringify(params)}`);
    if (reply.error) throw new Error(`${method}: ${reply.error.message}`);
    return reply;
  }

  /** The JSON value of an expression, or of what its promise becomes. @throws what it throws */
  async evaluate(expression: string): Promise<unknown> {
    const { result } = await this.call('Runtime.evaluate', { expression, returnByValue: true, awaitPromise: true });
    const thrown = result?.exceptionDetails;
    if (thrown) throw new Error(`${thrown.exception?.description ?? thrown.text}\nin ${expression}`);
    return result?.result?.value;
  }

  /** Waits until an expression is true; while the page is being made it may throw. @param seen what to tell where it does not become true */
  async until(expression: string, seen = `document.body.innerText.slice(-1000)`): Promise<void> {
    const last = performance.now() + PATIENCE_MS;
    let thrown: unknown;
    for (;;) {
      try {
        if ((await this.evaluate(expression)) === true) return;
      } catch (error) {
        thrown = error;
      }
      if (performance.now() > last) break;
      await pause(20);
    }
    const shown = JSON.stringify(await this.evaluate(seen));
    throw new Error(
      `waited in vain for ${expression}\nseen: ${shown}\nthrown: ${String(thrown)}\nof the page: ${this.errors.join('\n')}`,
    );
  }

  /** Goes to another address, or to the same one anew. */
  async navigate(url: string): Promise<void> {
    await this.call('Page.navigate', { url });
  }

  /** Presses the mouse where a person sees the element. @param element an expression */
  async click(element: string): Promise<void> {
    await this.until(`Boolean(${element})`);
    const { x, y } = (await this.evaluate(`(() => {
      const element = ${element};
      element.scrollIntoView({ block: 'center' });
      const { left, top, width, height } = element.getBoundingClientRect();
      return { x: left + width / 2, y: top + height / 2 };
    })()`)) as { x: number; y: number };
    for (const type of ['mousePressed', 'mouseReleased']) {
      await this.call('Input.dispatchMouseEvent', { type, x, y, button: 'left', clickCount: 1 });
    }
  }

  /** The window's size in pixels. */
  async resize(width: number, height: number): Promise<void> {
    await this.call('Emulation.setDeviceMetricsOverride', { width, height, deviceScaleFactor: 1, mobile: false });
  }

  /** Writes what is on the screen as a PNG. */
  async screenshot(file: string | URL): Promise<void> {
    const { result } = await this.call('Page.captureScreenshot', { format: 'png' });
    await writeFile(file, Buffer.from(result!.data!, 'base64'));
  }

  #take({ id, method, params, ...reply }: Reply): void {
    if (id !== undefined) {
      this.#waiting.get(id)?.(reply);
      this.#waiting.delete(id);
    }
    if (method !== 'Runtime.exceptionThrown') return;
    const details = params?.exceptionDetails;
    this.errors.push(details?.exception?.description ?? details?.text ?? 'an error without a text');
  }
}

/** Opens a page in a browser of its own, which ends with the test. @param prelude a script that runs before those of every page */
export async function openPage(t: ExecutionContext, url: string, prelude = ''): Promise<Page> {
  const profile = await temporaryDirectory();
  const browser = spawn('chromium', [...FLAGS, `--user-data-dir=${profile}`], { stdio: ['ignore', 'ignore', 'pipe'] });
  const ended = new Promise((resolve) => browser.once('exit', resolve));
  t.teardown(async () => {
    browser.kill('SIGTERM');
    await ended;
    await rm(profile, { recursive: true, force: true, maxRetries: 5, retryDelay: 200 });
  });
  const { host } = new URL(await within(debuggingAddress(browser), 'the address for debugging chromium'));
  const targets = (await (await fetch(`http://${host}/json`)).json()) as readonly {
    readonly type: string;
    readonly webSocketDebuggerUrl: string;
  }[];
  const socket = new WebSocket(targets.find(({ type }) => type === 'page')!.webSocketDebuggerUrl);
  await new Promise((resolve) => socket.addEventListener('open', resolve, { once: true }));
  t.teardown(() => socket.close());
  const page = new Page(socket);
  await page.call('Runtime.enable');
  await page.call('Page.enable');
  await page.call('Page.addScriptToEvaluateOnNewDocument', { source: prelude });
  await page.resize(1280, 900);
  await page.navigate(url);
  return page;
}

/** @throws when it takes longer than {@link PATIENCE_MS} */
async function within<Value>(promise: Promise<Value>, what: string): Promise<Value> {
  const stopped = new AbortController();
  const late = pause(PATIENCE_MS, undefined, { signal: stopped.signal }).then(() => {
    throw new Error(`waited in vain for ${what}`);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    stopped.abort();
    late.catch(() => {});
  }
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
