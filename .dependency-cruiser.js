/** Who may import whom. A folder of src/ imports itself, src/errors.ts and the folders listed here; types count as imports. */

const MAY_IMPORT = {
  tensor: [],
  model: ['tensor'],
  dataset: ['tensor'],
  planner: ['tensor', 'model'],
  program: ['tensor', 'model', 'planner'],
  flow: ['tensor', 'model', 'planner'],
  job: ['tensor', 'model', 'dataset', 'planner'],
  kernels: ['tensor'],
  protocol: ['tensor'],
  transport: ['protocol'],
  collective: ['tensor', 'protocol', 'transport'],
  training: ['tensor', 'dataset', 'model', 'planner', 'program', 'kernels', 'collective'],
  information: ['tensor'],
  telemetry: ['protocol'],
  session: [
    'tensor',
    'model',
    'dataset',
    'planner',
    'program',
    'job',
    'kernels',
    'protocol',
    'transport',
    'collective',
    'training',
    'telemetry',
  ],
};

/** Functions of values: neither Node's modules nor packages. */
const PURE = ['tensor', 'model', 'planner', 'program', 'flow', 'protocol', 'information'];

/** Data that a folder may see of another one that it may not import: events are all that telemetry knows of training. */
const MAY_SEE = { telemetry: ['training/events\\.ts$'] };

/** The roots wire everything (local-child.ts is node.ts in a process of its own); index.ts shows it to the command line. */
const ROOTS = '^src/(index|node|local|local-child|footprint)\\.ts$';

const directions = Object.entries(MAY_IMPORT).map(([folder, others]) => ({
  name: `imports-of-${folder}`,
  severity: 'error',
  comment: `src/${folder} may import ${others.join(', ') || 'nothing'}`,
  from: { path: `^src/${folder}/` },
  to: {
    path: '^src/',
    pathNot: `^src/(${['errors\\.ts$', ...(MAY_SEE[folder] ?? []), ...[folder, ...others].map((name) => `${name}/`)].join('|')})`,
  },
}));

export default {
  forbidden: [
    ...directions,
    {
      name: 'pure-core',
      severity: 'error',
      comment: 'time, randomness and the network come in as arguments',
      from: { path: `^src/(errors\\.ts$|(${PURE.join('|')})/)` },
      to: { dependencyTypes: ['core', 'npm', 'npm-dev', 'npm-optional', 'npm-peer', 'npm-no-pkg', 'npm-unknown'] },
    },
    {
      name: 'command-line-through-index',
      severity: 'error',
      comment: 'the command line uses what everybody can use',
      from: { path: '^src/cli/' },
      to: { path: '^src/', pathNot: '^src/(cli/|bench/|index\\.ts$|errors\\.ts$)' },
    },
    {
      name: 'palette-through-index',
      severity: 'error',
      comment: 'the Node-RED nodes use what everybody can use, by the name of the package',
      from: { path: '^nodes/' },
      to: { path: '^src/', pathNot: '^src/index\\.ts$' },
    },
    {
      name: 'nothing-needs-the-palette',
      severity: 'error',
      from: { path: '^src/' },
      to: { path: '^nodes/' },
    },
    {
      name: 'no-way-back-to-the-roots',
      severity: 'error',
      comment: 'only the command line and benchmarks stand above the public face and the composition roots',
      from: { path: '^src/', pathNot: ['^src/(cli|bench)/', ROOTS] },
      to: { path: ['^src/(cli|bench)/', ROOTS] },
    },
    {
      name: 'no-test-in-product',
      severity: 'error',
      from: { path: '^(src|nodes)/' },
      to: { path: '^test/' },
    },
    {
      name: 'no-development-dependency-in-product',
      severity: 'error',
      from: { path: '^(src|nodes)/' },
      to: { dependencyTypes: ['npm-dev'], dependencyTypesNot: ['type-only'] },
    },
    { name: 'no-cycles', severity: 'error', from: {}, to: { circular: true } },
    { name: 'no-unresolved', severity: 'error', from: {}, to: { couldNotResolve: true } },
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    exclude: { path: '^src/kernels/assembly/' },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
    enhancedResolveOptions: { exportsFields: ['exports'], conditionNames: ['import', 'node', 'default', 'types'] },
  },
};
