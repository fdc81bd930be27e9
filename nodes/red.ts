/** What the palette uses of Node-RED, as types: Node-RED itself is there only when it loads us. */

/** A message on a wire. Properties that a node does not know pass through. */
export interface FlowMessage {
  readonly topic?: unknown;
  readonly payload?: unknown;
  readonly [property: string]: unknown;
}

export interface Status {
  readonly fill: 'red' | 'green' | 'yellow' | 'grey';
  readonly shape: 'dot' | 'ring';
  readonly text: string;
}

export type Send = (outputs: readonly (FlowMessage | null)[]) => void;

/** Ends the handling of a message; an error reaches Catch nodes. */
export type Done = (error?: unknown) => void;

type InputListener = (message: FlowMessage, send: Send, done: Done) => void;

/** A node in a flow, or a configuration node. */
export interface FlowNode {
  readonly id: string;
  status(status: Status): void;
  /** With a message, the error also reaches Catch nodes. */
  error(error: unknown, message?: FlowMessage): void;
  log(line: string): void;
  send: Send;
  on(event: 'input', listener: InputListener): void;
  on(event: 'close', listener: (done: () => void) => void): void;
}

export interface AdminRequest {
  /** JSON of the editor. */
  readonly body: unknown;
}

export interface AdminResponse {
  status(code: number): AdminResponse;
  json(body: object): void;
}

type Handler = (request: AdminRequest, response: AdminResponse) => void;

/** The part of Node-RED's settings that says who can reach the editor, and where relative paths start. */
export interface RedSettings {
  readonly uiHost?: string;
  readonly httpAdminRoot?: string | false;
  readonly adminAuth?: unknown;
  readonly userDir?: string;
}

/** What Node-RED hands to the default export of a node's module. */
export interface Red {
  readonly nodes: {
    createNode(node: FlowNode, config: object): void;
    getNode(id: string): FlowNode | null;
    /** @param construct called with the fields of the edit dialog, which Node-RED does not check */
    registerType(type: string, construct: (this: FlowNode, fields: never) => void): void;
  };
  readonly settings: RedSettings;
  readonly events: {
    on(event: 'runtime-event', listener: (event: RuntimeEvent) => void): void;
    on(event: 'flows:started', listener: () => void): void;
  };
  /** Missing where Node-RED runs without its admin API. */
  readonly httpAdmin?: { post(path: string, ...handlers: readonly Handler[]): void };
  readonly auth: { needsPermission(permission: string): Handler };
}

export interface RuntimeEvent {
  readonly id: string;
  readonly payload?: { readonly state?: string; readonly deploy?: boolean };
}
