/** A Node-RED as people run it: a process of its own with a user folder, the palette, and flows; driven through its admin API and heard as the editor hears it. */

import { spawn, type ChildProcess } from 'node:child_process';
import { mkdir, symlink, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Comms, type Status } from './comms.ts';
import { freePorts } from './node-red.ts';
import { pause } from './processes.ts';

const PROJECT = fileURLToPath(new URL('../../', import.meta.url));
const RED = createRequire(import.meta.url).resolve('node-red/red.js');

/** Everything that is waited for comes by then, or never. */
const WAIT_MS = 60_000;

/** How much of the log an error quotes. */
const LOG_TAIL = 3000;

/** On loopback; of Node-RED's own nodes only a few, which is what takes it long to start. */
const SETTINGS = `module.exports = {
  uiHost: '127.0.0.1',
  flowFile: 'flows.json',
  credentialSecret: false,
  logging: { console: { level: 'info', metrics: false, audit: false } },
  telemetry: { enabled: false, updateNotification: false },
  editorTheme: { tours: false, projects: { enabled: false } },
  externalModules: { palette: { allowInstall: false } },
  nodesExcludes: [
    '05-tls.js', '06-httpproxy.js', '10-function.js', '10-mqtt.js', '10-switch.js', '15-change.js', '16-range.js', '17-split.js',
    '18-sort.js', '19-batch.js', '21-httpin.js', '21-httprequest.js', '22-websocket.js', '23-watch.js', '31-tcpin.js',
    '32-udp.js', '36-rpi-gpio.js', '70-CSV.js', '70-HTML.js', '70-JSON.js', '70-XML.js', '70-YAML.js', '80-template.js',
    '89-delay.js', '89-trigger.js', '90-exec.js', '10-file.js', '91-global-config.js',
  ],
};
`;

export interface RuntimeProcessOptions {
  /** Its user folder, made ready here. */
  readonly directory: string;
  readonly flow: readonly object[];
  /** Options of Node itself, e.g. of a file to load first. */
  readonly nodeOptions?: readonly string[];
}

export type DeployKind = 'full' | 'nodes' | 'flows';

export class RuntimeProcess implements AsyncDisposable {
  readonly child: ChildProcess;
  readonly #url: string;
  readonly #exited: Promise<unknown>;
  #comms: Comms | undefined;
  #log = '';

  private constructor(child: ChildProcess, url: string) {
    this.child = child;
    this.#url = url;
    this.#exited = new Promise((resolve) => child.once('exit', resolve));
    for (const stream of [child.stdout, child.stderr]) {
      stream?.setEncoding('utf8').on('data', (text: string) => (this.#log += text));
    }
  }

  /** Starts it and waits until its flows are. @throws when it ends before, with its log */
  static async start({ directory, flow, nodeOptions = [] }: RuntimeProcessOptions): Promise<RuntimeProcess> {
    await prepare(directory, flow);
    const [port] = await freePorts(1);
    const child = spawn(
      process.execPath,
      [...nodeOptions, RED, '--userDir', directory, '--port', String(port)],
      // ava asks for colours and more on behalf of its own processes.
      { cwd: dirname(RED), env: environment(), stdio: ['ignore', 'pipe', 'pipe', 'ipc'] },
    );
    const runtime = new RuntimeProcess(child, `http://127.0.0.1:${port}/`);
    try {
      await runtime.#open();
    } catch (error) {
      await runtime.close();
      throw error;
    }
    return runtime;
  }

  get pid(): number {
    return this.child.pid!;
  }

  /** Everything that it printed. */
  get log(): string {
    return this.#log;
  }

  /** Latest status by node id. */
  get statuses(): ReadonlyMap<string, Status> {
    return this.#comms!.statuses;
  }

  /** What a debug node has shown in the sidebar. */
  shown(id: string): readonly unknown[] {
    return this.#comms!.shown.get(id) ?? [];
  }

  /** Presses the button of an inject node. */
  async inject(id: string): Promise<void> {
    await this.#request(`inject/${id}`, {});
  }

  /** What the editor's Deploy button does; `full` closes every node and makes it anew. */
  async deploy(flow: readonly object[], kind: DeployKind = 'full'): Promise<void> {
    await this.#request('flows', { body: flow, headers: { 'node-red-deployment-type': kind } });
  }

  /** Waits until something is there. @throws when it ends or 60 s have passed, with its log */
  async until<Found>(find: () => Found | undefined, what: string | (() => string)): Promise<Found> {
    const deadline = performance.now() + WAIT_MS;
    for (let found = find(); ; found = find()) {
      if (found !== undefined) return found;
      const late = performance.now() > deadline;
      if (late || !this.#running) {
        const wanted = typeof what === 'string' ? what : what();
        throw this.#failure(late ? `waited ${WAIT_MS} ms in vain for ${wanted}` : `Node-RED ended before ${wanted}`);
      }
      await pause(20);
    }
  }

  /** Waits for the status of a node. */
  status(id: string, holds: (status: Status) => boolean): Promise<Status> {
    const find = () => [this.statuses.get(id)].find((status) => status && holds(status));
    return this.until(find, () => `a status of ${id}, whose last is ${JSON.stringify(this.statuses.get(id))}`);
  }

  /** Asks a file that was loaded first, which answers messages of the parent. */
  async ask(question: string): Promise<unknown> {
    let answer: { readonly answer: unknown } | undefined;
    const hear = (message: unknown) => {
      const { question: to, ...rest } = message as { question: unknown; answer: unknown };
      if (to === question) answer = rest;
    };
    this.child.on('message', hear);
    try {
      this.child.send({ question });
      return (await this.until(() => answer, `an answer to ${question}`)).answer;
    } finally {
      this.child.off('message', hear);
    }
  }

  /** Ends it at once, as a cut of power would. */
  async kill(): Promise<void> {
    this.child.kill('SIGKILL');
    await this.#exited;
    this.#comms?.close();
  }

  /** Ends it as Ctrl-C does; idempotent. */
  async close(): Promise<void> {
    this.#comms?.close();
    if (this.#running) this.child.kill('SIGTERM');
    const forced = setTimeout(() => this.child.kill('SIGKILL'), 15_000);
    await this.#exited;
    clearTimeout(forced);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  get #running(): boolean {
    return this.child.exitCode === null && this.child.signalCode === null;
  }

  async #open(): Promise<void> {
    let up = false;
    const ask = async () => (up = (await fetch(this.#url).catch(() => undefined))?.ok ?? false);
    await this.until(() => {
      void ask();
      return up || undefined;
    }, 'the editor');
    this.#comms = await Comms.connect(`${this.#url.replace('http', 'ws')}comms`);
    const started = () => /Started flows| missing types /.test(this.#log) || undefined;
    await this.until(started, 'its flows');
    if (this.#log.includes(' missing types ')) throw this.#failure('a type of the flow is not there');
  }

  async #request(path: string, { body, headers }: { body?: object; headers?: Record<string, string> }): Promise<void> {
    const response = await fetch(new URL(path, this.#url), {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...headers },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    if (!response.ok) throw this.#failure(`POST ${path}: ${response.status} ${await response.text()}`);
  }

  #failure(what: string): Error {
    return new Error(`${what}; the end of its log:\n${this.#log.slice(-LOG_TAIL)}`);
  }
}

async function prepare(directory: string, flow: readonly object[]): Promise<void> {
  const modules = join(directory, 'node_modules');
  await mkdir(modules, { recursive: true });
  await Promise.all([
    symlink(PROJECT, join(modules, 'mqtile'), 'dir'),
    writeFile(join(directory, 'settings.js'), SETTINGS),
    // As people's user folders have one; it also says that settings.js is no module.
    writeFile(join(directory, 'package.json'), '{"name": "node-red-project", "private": true}'),
    writeFile(join(directory, 'flows.json'), JSON.stringify(flow)),
  ]);
}

function environment(): NodeJS.ProcessEnv {
  return { ...process.env, FORCE_COLOR: undefined, NO_COLOR: undefined, NODE_OPTIONS: undefined };
}
