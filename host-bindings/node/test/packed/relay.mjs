// The default import, as applications of mediasoup have it.
import tidegate from 'tidegate';

import relay from './application.cjs';

await relay(tidegate);
