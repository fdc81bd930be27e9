/** Node-RED's editor in a browser: import, open dialogs, deploy, load anew. */

import type { ExecutionContext } from 'ava';
import { openPage, type Page } from './browser.ts';
import { DIALOG_SCRIPT } from './editor-fields.ts';

/** Dialogs slide in and out by timers; nobody watches. */
const HASTE = `
{
  const later = window.setTimeout;
  window.setTimeout = (action, delay, ...rest) => later(action, delay <= 300 ? Math.min(delay, 10) : delay, ...rest);
}
`;

const NOTICES = `$('.red-ui-notification').map(function () { return $(this).text(); }).get()`;

export class Editor {
  readonly page: Page;

  constructor(page: Page) {
    this.page = page;
  }

  /** Waits until the palette and the flows are there. */
  async ready(): Promise<void> {
    await this.page.until(
      `typeof RED !== 'undefined' && typeof $ !== 'undefined' && Boolean(RED.nodes?.getType?.('mqtile-train'))`,
    );
    await this.page.until(`$('.red-ui-loading-container, #red-ui-loading-progress').filter(':visible').length === 0`);
    await this.page.until(`RED.workspaces.count() > 0`);
    await this.page.evaluate(`$.fx.off = true; ${DIALOG_SCRIPT}; undefined`);
  }

  /** Loads the editor anew, and with it what the runtime has. */
  async reload(): Promise<void> {
    await this.page.evaluate(`void (window.before = true)`);
    await this.page.call('Page.reload');
    await this.page.until(`window.before === undefined`);
    await this.ready();
  }

  /** Presses Deploy. @throws with the editor's notices when it asks or refuses */
  async deploy(): Promise<void> {
    await this.page.evaluate(`RED.nodes.dirty(true)`);
    await this.page.click(`document.querySelector('#red-ui-header-button-deploy')`);
    await this.page.until(`!RED.nodes.dirty()`, NOTICES);
  }

  /** Opens the edit dialog of a node, and waits for what it asks the runtime. */
  async open(id: string): Promise<void> {
    await this.page.evaluate(`(() => {
      const node = RED.nodes.node(${JSON.stringify(id)});
      if (node._def.category === 'config') RED.editor.editConfig('', node.type, node.id);
      else RED.editor.edit(node);
    })()`);
    await this.page.until(`$('.red-ui-tray form:visible').length > 0 && $.active === 0`);
  }

  /** Closes the open dialog with Done. */
  async done(): Promise<void> {
    await this.page.evaluate(`void $('.red-ui-tray .red-ui-tray-toolbar .primary').last().trigger('click')`);
    await this.page.until(`$('.red-ui-tray').length === 0`, NOTICES);
  }

  /** Changes every field of the open dialog, those included that others bring forth. */
  async change(id: string): Promise<void> {
    await this.page.evaluate(`dialog.begin(${JSON.stringify(id)})`);
    while (await this.page.evaluate(`dialog.step()`)) await this.page.until(`$.active === 0`);
  }
}

/** Opens the editor; it ends with the test. */
export async function openEditor(t: ExecutionContext, url: string): Promise<Editor> {
  const editor = new Editor(await openPage(t, url, HASTE));
  await editor.ready();
  return editor;
}
