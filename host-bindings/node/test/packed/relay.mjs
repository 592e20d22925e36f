import * as tidegate from 'tidegate';

import relay from './application.cjs';

await relay(tidegate);
