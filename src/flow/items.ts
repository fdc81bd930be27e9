/** Items of a Node-RED flow file: Node-RED's own nodes that the generated flow uses besides ours. */

/** One entry of the file: a tab, a configuration node, or a node on the tab. */
export interface FlowItem {
  readonly id: string;
  readonly type: string;
  readonly [field: string]: unknown;
}

/** Centre of a node on its tab, in pixels. */
export interface Place {
  readonly x: number;
  readonly y: number;
}

/** Width that the editor gives to a node with this label, a little on the safe side. */
export function widthOf(label: string): number {
  return 20 * Math.ceil(Math.max(100, 6.6 * label.length + 54) / 20);
}

/** A comment, whose left edge is at `left`. @param info Markdown, for the sidebar */
export function comment(id: string, [left, y]: readonly [left: number, y: number], name: string, info: string) {
  return { id, type: 'comment', name, info, x: left + widthOf(name) / 2, y, wires: [] } satisfies FlowItem;
}

/** A button that sends its own name as payload. */
export function inject(id: string, { x, y }: Place, name: string, target: string) {
  return {
    id,
    type: 'inject',
    name,
    props: [{ p: 'payload' }],
    repeat: '',
    crontab: '',
    once: false,
    onceDelay: 0.1,
    topic: '',
    payload: name,
    payloadType: 'str',
    x,
    y,
    wires: [[target]],
  } satisfies FlowItem;
}

/** Shows a property of messages in the sidebar, or under the node itself. */
export function debug(
  id: string,
  { x, y }: Place,
  { name, complete, under = false }: { readonly name: string; readonly complete: string; readonly under?: boolean },
) {
  return {
    id,
    type: 'debug',
    name,
    active: true,
    tosidebar: !under,
    console: false,
    tostatus: under,
    complete,
    targetType: 'msg',
    ...(under ? { statusVal: complete, statusType: 'msg' } : {}),
    x,
    y,
    wires: [],
  } satisfies FlowItem;
}
