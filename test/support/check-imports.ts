/** Checks who imports whom (.dependency-cruiser.js). Seeing nothing is a failure: a parser that does not understand TypeScript finds no fault either. */

import { cruise, type ICruiseResult } from 'dependency-cruiser';
import extractDepcruiseOptions from 'dependency-cruiser/config-utl/extract-depcruise-options';
import extractTSConfig from 'dependency-cruiser/config-utl/extract-ts-config';

const options = await extractDepcruiseOptions('./.dependency-cruiser.js');
const { output } = await cruise(['src', 'nodes', 'test'], options, undefined, {
  tsConfig: extractTSConfig('tsconfig.json'),
});
if (typeof output === 'string') {
  throw new TypeError('dependency-cruiser gave a text, want its result as an object');
}
process.exitCode = report(output);

function report({ modules, summary }: ICruiseResult): number {
  for (const { rule, from, to, cycle } of summary.violations) {
    const way = cycle === undefined ? to : cycle.map(({ name }) => name).join(' -> ');
    console.error(`${rule.name}: ${from} -> ${way}`);
  }
  const own = modules.filter(({ source }) => source.startsWith('src/'));
  const imports = own.reduce((sum, { dependencies }) => sum + dependencies.length, 0);
  console.log(`${own.length} modules of src, ${imports} imports, ${summary.violations.length} violations`);
  if (own.length === 0 || imports === 0) {
    console.error('no modules or no imports seen: the check itself does not work');
    return 1;
  }
  return summary.violations.length > 0 ? 1 : 0;
}
