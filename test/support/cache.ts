/** Measured rates are kept with the other things that can be made anew, not in the home of whoever runs the tests. */

import { fileURLToPath } from 'node:url';

process.env['XDG_CACHE_HOME'] = fileURLToPath(new URL('../../node_modules/.cache', import.meta.url));
