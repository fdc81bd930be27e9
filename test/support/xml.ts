/** Just enough XML to say whether a drawing is well-formed. */

const TOKEN = /<\?[^?]*\?>|<!--[\s\S]*?-->|<(\/?)([A-Za-z][\w:.-]*)((?:\s+[\w:.-]+="[^"<]*")*)\s*(\/?)>|([^<]+)/gy;
const ENTITY = /&(?!(?:amp|lt|gt|quot|apos|#\d+|#x[0-9a-fA-F]+);)/;

/** @returns the name of the root element; @throws at the first thing that is not well-formed */
export function parseXml(text: string): string {
  const open: string[] = [];
  let root: string | undefined;
  let at = 0;
  for (const match of text.matchAll(TOKEN)) {
    const [token, closing, name, attributes = '', empty, content] = match;
    at = match.index + token.length;
    if (ENTITY.test(attributes) || ENTITY.test(content ?? '')) throw new Error(`a bare & before ${at}`);
    const names = [...attributes.matchAll(/([\w:.-]+)=/g)].map(([, key]) => key);
    if (new Set(names).size !== names.length) throw new Error(`an attribute twice before ${at}`);
    if (content !== undefined && content.trim() !== '' && open.length === 0) throw new Error(`text outside at ${at}`);
    if (name === undefined) continue;
    if (closing) {
      if (open.pop() !== name) throw new Error(`</${name}> closes nothing before ${at}`);
    } else {
      if (open.length === 0 && root !== undefined) throw new Error(`a second root <${name}>`);
      root ??= name;
      if (!empty) open.push(name);
    }
  }
  if (at !== text.length) throw new Error(`not XML at ${at}: ${text.slice(at, at + 60)}`);
  if (open.length > 0 || root === undefined) throw new Error(`<${open.at(-1) ?? ''}> is never closed`);
  return root;
}
