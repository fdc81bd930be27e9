/** The version of this package, as its package.json has it. */

import { readFileSync } from 'node:fs';

// Both src/ and dist/ lie directly below the package's folder.
const manifest: unknown = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8'));

export const VERSION: string =
  typeof manifest === 'object' && manifest !== null && 'version' in manifest ? String(manifest.version) : 'unknown';
